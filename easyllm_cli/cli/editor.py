"""Opens a file in the user's editor."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError
from .termination import on_termination

DEFAULT_EDITOR = "notepad" if sys.platform == "win32" else "vi"


def open_editor(
    copy: Path, original_bytes: bytes, unchanged: str = "the profiles file is unchanged"
) -> None:
    """Run $VISUAL, $EDITOR or vi on the copy, without a shell, and wait for its end.

    On an error a changed copy is kept. `unchanged`: what the error says of everything else.
    Raises:
        ConfigError: the editor cannot be started, or failed.
        Interrupted: SIGTERM or SIGHUP arrived; the editor was terminated, too.
    """
    terminated = False
    name = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT_EDITOR
    try:
        command = shlex.split(name)
        code, terminated = _run([*command, str(copy)])
        problem = f"the editor failed with exit code {code}" if code else ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problem = f"the editor cannot be run: {reason}"
    if not problem and not terminated:
        return
    kept_copy = ""
    with suppress(OSError):
        if copy.read_bytes() == original_bytes:
            copy.unlink()
        else:
            kept_copy = f"; your edit is kept in {copy}"
    hint = f"{unchanged}{kept_copy}"
    if terminated:
        from .runtime import interrupted_error  # asyncio

        interrupted = interrupted_error(terminated=True)
        interrupted.hint = hint
        raise interrupted
    raise ConfigError(problem, where=name, hint=hint)


def _run(command: list[str]) -> tuple[int, bool]:
    """Run the editor; returns its exit code, and whether SIGTERM or SIGHUP arrived.

    Those signals are passed on to the editor. Ctrl-C is the editor's alone: this process ignores
    it from before the start, so that none arrives in between. The handler is a function because
    the editor would inherit SIG_IGN and ignore Ctrl-C, too.
    """
    signals: list[int] = []
    running_editor: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _: object) -> None:
        signals.append(number)
        for process in running_editor:
            process.terminate()

    previous_handler = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with on_termination(forward):
            running_editor.append(subprocess.Popen(command))
            if signals:  # arrived between the start and the line above
                running_editor[0].terminate()
            return running_editor[0].wait(), bool(signals)
    finally:
        signal.signal(signal.SIGINT, previous_handler)
