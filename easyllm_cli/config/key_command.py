"""Runs the command that prints a key: its first line counts, and its own end is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

from ..cancellation import raise_if_cancelled_or_timed_out
from ..errors import AuthError

MAX_KEY_LINE_BYTES = 64 * 1024  # bytes; no key is longer
CANCEL_POLL_SECONDS = 0.1  # seconds between two looks whether we are told to stop
# Seconds between two looks whether a command has ended whose line is there already; what it prints
# until then is thrown away no faster than that.
EXIT_POLL_SECONDS = 0.01


def run_key_command(command: list[str], timeout_seconds: float) -> tuple[int, bytes]:
    """The exit code of a command and the first line that it prints; it ends with us: at Ctrl-C, at
    SIGTERM, or in time.

    What it leaves in the background, which may hold its stdout open, is neither waited for nor
    ended.

    Raises:
        AuthError: it takes longer, or its first line is longer than LONGEST_LINE.
        OSError: it cannot be run.
    """
    deadline = time.monotonic() + timeout_seconds
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            output = _FirstLineReader(child)
            while (left := deadline - time.monotonic()) > 0:
                raise_if_cancelled_or_timed_out()
                # Its end is looked for first: what it has printed until then is in the pipe.
                code = child.poll()
                output.read(0.0 if code is not None else min(CANCEL_POLL_SECONDS, left))
                if len(output.first_line) > MAX_KEY_LINE_BYTES:
                    longest = f"{MAX_KEY_LINE_BYTES // 1024} KiB"
                    raise AuthError(
                        f"api_key_cmd printed a line of more than {longest}", where=command[0]
                    )
                if code is not None:
                    return code, output.first_line
            raise AuthError(f"api_key_cmd took longer than {timeout_seconds:g} s", where=command[0])
        except BaseException:
            child.kill()
            raise


class _FirstLineReader:
    """What a command prints: the first line is kept, the rest thrown away."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self._child = child
        self._pipe_descriptor = child.stdout.fileno()
        self._is_open = True
        self._has_line = False
        self.first_line = b""
        if sys.platform != "win32":
            os.set_blocking(self._pipe_descriptor, False)

    def read(self, timeout_seconds: float) -> None:
        """Read what comes within the seconds, up to the line's end or more than it may have."""
        if sys.platform == "win32":  # there a pipe cannot be asked whether something is in it
            if self._is_open:
                with suppress(subprocess.TimeoutExpired):
                    printed, _ = self._child.communicate(timeout=timeout_seconds or None)
                    self._is_open = False
                    self._append_chunk(printed)
            return
        if self._is_open and not self._has_line:
            self._wait_readable(timeout_seconds)
            while self._is_open and not self._has_line and (piece := self._read_chunk()):
                self._append_chunk(piece)
        elif timeout_seconds:
            if self._is_open:
                self._read_chunk()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(EXIT_POLL_SECONDS)

    def _wait_readable(self, timeout_seconds: float) -> None:
        """Until something is in the pipe, everybody has closed it, or the time is over."""
        import selectors  # subprocess has loaded it

        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe_descriptor, selectors.EVENT_READ)
            selector.select(timeout_seconds)

    def _read_chunk(self) -> bytes:
        """What is in the pipe; nothing = that was all for now, or for good."""
        try:
            piece = os.read(self._pipe_descriptor, MAX_KEY_LINE_BYTES)
        except BlockingIOError:
            return b""
        self._is_open = bool(piece)
        return piece

    def _append_chunk(self, chunk: bytes) -> None:
        line, newline, _ = chunk.partition(b"\n")
        self.first_line += line
        self._has_line = bool(newline) or len(self.first_line) > MAX_KEY_LINE_BYTES
