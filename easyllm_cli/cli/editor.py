"""Runs the user's editor on a file."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError
from . import runtime

DEFAULT_EDITOR = "notepad" if sys.platform == "win32" else "vi"


def open_editor(copy: Path, original_bytes: bytes) -> None:
    """Run $VISUAL, $EDITOR or vi on the copy and wait for its end; no shell.

    Raises:
        ConfigError: it cannot be run, or it failed; a copy that was changed stays.
        Interrupted: we were told to end, and the editor with us.
    """
    told = False
    name = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT_EDITOR
    try:
        words = shlex.split(name)
        code, told = _run([*words, str(copy)])
        problem = f"the editor failed with exit code {code}" if code else ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problem = f"the editor cannot be run: {reason}"
    if not problem and not told:
        return
    kept = ""
    with suppress(OSError):
        if copy.read_bytes() == original_bytes:
            copy.unlink()
        else:
            kept = f"; your edit is kept in {copy}"
    if told:
        stopped = runtime.interrupted_error(terminated=True)
        stopped.hint = f"the profiles are as they were{kept}"
        raise stopped
    raise ConfigError(problem, where=name, hint=f"the profiles are as they were{kept}")


def _run(command: list[str]) -> tuple[int, bool]:
    """Its exit code, and whether we were told to end (SIGTERM, SIGHUP): the editor is, then, too.

    Ctrl-C is the editor's own as long as it runs. Deaf before it starts, so that no Ctrl-C falls
    in between; by a function and not SIG_IGN, which the editor would inherit: it would then be
    deaf, too.
    """
    told: list[int] = []
    running_editor: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: object) -> None:
        told.append(number)
        for one in running_editor:
            one.terminate()

    usual = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with runtime.on_termination(pass_on):
            running_editor.append(subprocess.Popen(command))
            if told:  # between its start and the line above
                running_editor[0].terminate()
            return running_editor[0].wait(), bool(told)
    finally:
        signal.signal(signal.SIGINT, usual)
