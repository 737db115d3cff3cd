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

USUAL = "notepad" if sys.platform == "win32" else "vi"


def open_editor(copy: Path, began_with: bytes) -> None:
    """Run $VISUAL, $EDITOR or vi on the copy and wait for its end; no shell.

    Raises:
        ConfigError: it cannot be run, or it failed; a copy that was changed stays.
    """
    name = os.environ.get("VISUAL") or os.environ.get("EDITOR") or USUAL
    try:
        words = shlex.split(name)
        code = _run([*words, str(copy)])
        problem = f"the editor failed with exit code {code}" if code else ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problem = f"the editor cannot be run: {reason}"
    if not problem:
        return
    kept = ""
    with suppress(OSError):
        if copy.read_bytes() == began_with:
            copy.unlink()
        else:
            kept = f"; your edit is kept in {copy}"
    raise ConfigError(problem, where=name, hint=f"the profiles are as they were{kept}")


def _run(command: list[str]) -> int:
    """Its exit code; Ctrl-C is the editor's own as long as it runs.

    Deaf before it starts, so that no Ctrl-C falls in between; by a function and not SIG_IGN, which
    the editor would inherit: it would then be deaf, too.
    """
    usual = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.call(command)
    finally:
        signal.signal(signal.SIGINT, usual)
