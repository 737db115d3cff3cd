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
        code = _wait_for(subprocess.Popen([*words, str(copy)]))
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


def _wait_for(editor: subprocess.Popen[bytes]) -> int:
    """Its exit code; Ctrl-C is the editor's own as long as it runs."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return editor.wait()
    finally:
        signal.signal(signal.SIGINT, usual)
