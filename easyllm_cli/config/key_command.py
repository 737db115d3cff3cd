"""Runs the command that prints a key: its first line counts, and its own end is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

from ..cancellation import stop_if_told
from ..errors import AuthError

LONGEST_LINE = 64 * 1024  # bytes; no key is longer
LOOK_EVERY = 0.1  # seconds between two looks whether we are told to stop
# Seconds between two looks whether a command has ended whose line is there already; what it prints
# until then is thrown away no faster than that.
LOOK_AGAIN = 0.01


def first_line(words: list[str], seconds: float) -> tuple[int, bytes]:
    """The exit code of a command and the first line that it prints; it ends with us: at Ctrl-C, at
    SIGTERM, or in time.

    What it leaves in the background, which may hold its stdout open, is neither waited for nor
    ended.

    Raises:
        AuthError: it takes longer, or its first line is longer than LONGEST_LINE.
        OSError: it cannot be run.
    """
    deadline = time.monotonic() + seconds
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            output = _Output(child)
            while (left := deadline - time.monotonic()) > 0:
                stop_if_told()
                # Its end is looked for first: what it has printed until then is in the pipe.
                code = child.poll()
                output.read(0.0 if code is not None else min(LOOK_EVERY, left))
                if len(output.line) > LONGEST_LINE:
                    longest = f"{LONGEST_LINE // 1024} KiB"
                    raise AuthError(
                        f"api_key_cmd printed a line of more than {longest}", where=words[0]
                    )
                if code is not None:
                    return code, output.line
            raise AuthError(f"api_key_cmd took longer than {seconds:g} s", where=words[0])
        except BaseException:
            child.kill()
            raise


class _Output:
    """What a command prints: the first line is kept, the rest thrown away."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self._child = child
        self._pipe = child.stdout.fileno()
        self._is_open = True
        self._has_line = False
        self.line = b""
        if sys.platform != "win32":
            os.set_blocking(self._pipe, False)

    def read(self, seconds: float) -> None:
        """Read what comes within the seconds, up to the line's end or more than it may have."""
        if sys.platform == "win32":  # there a pipe cannot be asked whether something is in it
            if self._is_open:
                with suppress(subprocess.TimeoutExpired):
                    printed, _ = self._child.communicate(timeout=seconds or None)
                    self._is_open = False
                    self._keep(printed)
            return
        if self._is_open and not self._has_line:
            self._wait(seconds)
            while self._is_open and not self._has_line and (piece := self._piece()):
                self._keep(piece)
        elif seconds:
            if self._is_open:
                self._piece()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(LOOK_AGAIN)

    def _wait(self, seconds: float) -> None:
        """Until something is in the pipe, everybody has closed it, or the time is over."""
        import selectors  # subprocess has loaded it

        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            selector.select(seconds)

    def _piece(self) -> bytes:
        """What is in the pipe; nothing = that was all for now, or for good."""
        try:
            piece = os.read(self._pipe, LONGEST_LINE)
        except BlockingIOError:
            return b""
        self._is_open = bool(piece)
        return piece

    def _keep(self, piece: bytes) -> None:
        line, newline, _ = piece.partition(b"\n")
        self.line += line
        self._has_line = bool(newline) or len(self.line) > LONGEST_LINE
