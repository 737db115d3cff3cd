"""Runs `api_key_cmd` without a shell and takes the first line that it prints as the API key."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress

from ..cancellation import raise_if_cancelled_or_timed_out
from ..errors import AuthError

MAX_KEY_LINE_BYTES = 64 * 1024  # no key is longer
CANCEL_POLL_SECONDS = 0.1  # interval of checks for Ctrl-C and --timeout
# Interval of checks for the command's exit once its first line is complete. Each check discards at
# most MAX_KEY_LINE_BYTES of further output, which limits how fast the command can print.
EXIT_POLL_SECONDS = 0.01


def run_key_command(command: list[str], timeout_seconds: float) -> tuple[int, bytes]:
    """Run a command; returns its exit code and the first line that it prints.

    The command is killed at Ctrl-C, SIGTERM or the timeout. Its background processes, which may
    keep its stdout open, are neither awaited nor killed.

    Raises:
        AuthError: the command takes longer than `timeout_seconds`, or its first line is longer than
            MAX_KEY_LINE_BYTES.
        TimeoutError: the time of --timeout is over.
        OSError: the command cannot be started.
    """
    deadline = time.monotonic() + timeout_seconds
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            output = _FirstLineReader(child)
            while (left := deadline - time.monotonic()) > 0:
                raise_if_cancelled_or_timed_out()
                # Check for the exit before reading: then the pipe has all of the output.
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
    """Reads a command's stdout; keeps the first line and discards the rest."""

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
        """Read for at most `timeout_seconds`, until the line ends or exceeds its limit."""
        if sys.platform == "win32":  # select() does not work on pipes there
            if self._is_open:
                with suppress(subprocess.TimeoutExpired):
                    printed, _ = self._child.communicate(timeout=timeout_seconds or None)
                    self._is_open = False
                    self._append_chunk(printed)
            return
        if self._is_open and not self._has_line:
            self._wait_readable(timeout_seconds)
            while self._is_open and not self._has_line and (chunk := self._read_chunk()):
                self._append_chunk(chunk)
        elif timeout_seconds:
            if self._is_open:
                self._read_chunk()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(EXIT_POLL_SECONDS)

    def _wait_readable(self, timeout_seconds: float) -> None:
        """Wait until the pipe has data or is closed, or the time is over."""
        import selectors  # already loaded by subprocess

        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe_descriptor, selectors.EVENT_READ)
            selector.select(timeout_seconds)

    def _read_chunk(self) -> bytes:
        """Read the data in the pipe; b"" = none now, or the pipe is closed."""
        try:
            chunk = os.read(self._pipe_descriptor, MAX_KEY_LINE_BYTES)
        except BlockingIOError:
            return b""
        self._is_open = bool(chunk)
        return chunk

    def _append_chunk(self, chunk: bytes) -> None:
        line, newline, _ = chunk.partition(b"\n")
        self.first_line += line
        self._has_line = bool(newline) or len(self.first_line) > MAX_KEY_LINE_BYTES
