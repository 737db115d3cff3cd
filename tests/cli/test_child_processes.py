"""Tests that child processes (the key command, the editor) end when easyllm ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.binary import Easyllm, finish, single_profile_toml, wait_until

NOWHERE = "http://127.0.0.1:9"
# The exit code for each signal.
TOLD = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
LONG = "echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 60"


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def read_pid(file: Path) -> int:
    wait_until(file.exists)
    return int(file.read_text())


def signal_and_finish(child: subprocess.Popen[bytes], sent: signal.Signals, other: int) -> str:
    """Sends the signal; the run ends, and its child `other` too. Returns the error line."""
    at = time.monotonic()
    child.send_signal(sent)
    ran = finish(child, None, 9)
    assert time.monotonic() - at < 5
    assert ran.code == TOLD[sent]
    assert ran.stdout == b""
    assert not is_running(other)
    return ran.error_line


@pytest.mark.parametrize("sent", TOLD, ids=lambda sent: sent.name)
def test_a_signal_ends_the_key_command(easyllm: Easyllm, sent: signal.Signals) -> None:
    """One Ctrl-C ends both at once: nothing waits for the key command's limit of 10 s."""
    file = easyllm.home / "number"
    profiles = single_profile_toml(NOWHERE, api_key_cmd=["sh", "-c", LONG.format(file)])
    with easyllm.start("chat", "hi", profiles=profiles) as child:
        error = signal_and_finish(child, sent, read_pid(file))
    assert error in ("easyllm: interrupted", "easyllm: terminated")


def test_timeout_includes_the_key_command(easyllm: Easyllm) -> None:
    file = easyllm.home / "number"
    profiles = single_profile_toml(NOWHERE, api_key_cmd=["sh", "-c", LONG.format(file)])
    began = time.monotonic()
    ran = easyllm.run("chat", "--timeout", "1", "hi", profiles=profiles)
    assert 1 <= time.monotonic() - began < 5
    assert ran.code == 6
    assert "--timeout 1 s" in ran.error_line
    assert not is_running(read_pid(file))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("edit", ["", "echo '# mine' >> \"$1\"; "], ids=["untouched", "changed"])
def test_a_signal_ends_the_editor(easyllm: Easyllm, sent: signal.Signals, edit: str) -> None:
    """Signals that end easyllm end the editor; an edit is kept in a file beside the profiles.

    Ctrl-C belongs to the editor (test_profiles.py).
    """
    path = easyllm.write_profiles(single_profile_toml(NOWHERE))
    before, file = path.read_bytes(), easyllm.home / "number"
    editor = easyllm.home / "editor"
    editor.write_text(f"#!/bin/sh\n{edit}{LONG.format(file)}\n")
    editor.chmod(0o755)
    with easyllm.start("profiles", "edit", env={"EDITOR": str(editor)}) as child:
        error = signal_and_finish(child, sent, read_pid(file))
    assert error.startswith("easyllm: terminated: the profiles file is unchanged")
    assert path.read_bytes() == before
    edits = [edited.read_bytes() for edited in path.parent.glob("profiles.edit*")]
    assert edits == ([before + b"# mine\n"] if edit else [])
