"""What we start does not outlive us: the command that prints a key, and the editor."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.binary import Easyllm, finish, single_profile_toml, wait_until

NOWHERE = "http://127.0.0.1:9"
TOLD = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
LONG = "echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 60"


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def number_in(file: Path) -> int:
    wait_until(file.exists)
    return int(file.read_text())


def ended(child: subprocess.Popen[bytes], sent: signal.Signals, other: int) -> str:
    """The complaint of a run that is told to stop, and whose own child ends with it."""
    at = time.monotonic()
    child.send_signal(sent)
    ran = finish(child, None, 9)
    assert time.monotonic() - at < 5
    assert ran.code == TOLD[sent]
    assert ran.stdout == b""
    assert not is_there(other)
    return ran.error_line


@pytest.mark.parametrize("sent", TOLD, ids=lambda sent: sent.name)
def test_the_command_that_prints_a_key(easyllm: Easyllm, sent: signal.Signals) -> None:
    """The first Ctrl-C ends both, and not the command's 10 seconds."""
    file = easyllm.home / "number"
    profiles = single_profile_toml(NOWHERE, api_key_cmd=["sh", "-c", LONG.format(file)])
    with easyllm.start("chat", "hi", profiles=profiles) as child:
        said = ended(child, sent, number_in(file))
    assert said in ("easyllm: interrupted", "easyllm: terminated")


def test_the_command_that_prints_a_key_has_no_longer_than_the_whole(easyllm: Easyllm) -> None:
    file = easyllm.home / "number"
    profiles = single_profile_toml(NOWHERE, api_key_cmd=["sh", "-c", LONG.format(file)])
    began = time.monotonic()
    ran = easyllm.run("chat", "--timeout", "1", "hi", profiles=profiles)
    assert 1 <= time.monotonic() - began < 5
    assert ran.code == 6
    assert "--timeout 1 s" in ran.error_line
    assert not is_there(number_in(file))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("edit", ["", "echo '# mine' >> \"$1\"; "], ids=["untouched", "changed"])
def test_the_editor(easyllm: Easyllm, sent: signal.Signals, edit: str) -> None:
    """Ctrl-C is its own (test_profiles.py); what ends us ends it, and an edit is kept."""
    path = easyllm.write_profiles(single_profile_toml(NOWHERE))
    before, file = path.read_bytes(), easyllm.home / "number"
    editor = easyllm.home / "editor"
    editor.write_text(f"#!/bin/sh\n{edit}{LONG.format(file)}\n")
    editor.chmod(0o755)
    with easyllm.start("profiles", "edit", env={"EDITOR": str(editor)}) as child:
        said = ended(child, sent, number_in(file))
    assert said.startswith("easyllm: terminated: the profiles file is unchanged")
    assert path.read_bytes() == before
    kept = [one.read_bytes() for one in path.parent.glob("profiles.edit*")]
    assert kept == ([before + b"# mine\n"] if edit else [])
