"""Unbuffered writes to stdout and stderr, and the notice and error lines on stderr."""

from __future__ import annotations

import os
import select
import stat
import sys
import time

from ..cancellation import raise_if_cancelled
from ..errors import EasyLLMError, OutputError
from ..secret import redact
from .options import DIM_CODE, RED_CODE, is_terminal, takes_color, terminal_size
from .sanitize import Sanitizer, sanitize_text

# A pipe that select() reports as writable accepts this much without blocking (PIPE_BUF).
ATOMIC_WRITE_BYTES = 4096
WRITE_POLL_SECONDS = 0.1  # seconds
FINAL_WRITE_SECONDS = 0.3  # seconds that an interrupted command may wait to write its last line
READER_STALLED = "reader_stalled"
MAX_SERVER_TEXT_CHARS = 300  # characters of a server's text in one line
HEAD_CHARS = 200  # of these from the text's beginning; the rest from its end
MAX_NOTICE_CHARS = 450  # characters; a longer notice contains a server's text and is shortened
REDACTION_CHARS = 4000  # characters at each end of a long text that are searched for keys


_write_deadline = float("inf")
_stderr_color = "auto"


def set_write_deadline(seconds: float) -> None:
    """Limit how long writes may still wait for a stalled reader, because the command is ending."""
    global _write_deadline
    _write_deadline = min(_write_deadline, time.monotonic() + seconds)


def clear_write_deadline() -> None:
    """Remove the limit again, for a command that goes on after an interrupted answer."""
    global _write_deadline
    _write_deadline = float("inf")


def set_stderr_color(color: str) -> None:
    """Set the --color of notices and errors; these are printed where no options are known."""
    global _stderr_color
    _stderr_color = color


class OutputStream:
    """Writes to a file descriptor; text is sanitized for a terminal and unchanged for a pipe."""

    def __init__(self, descriptor: int, terminal: bool) -> None:
        self.descriptor = descriptor
        self.terminal = terminal
        self._last_character = ""
        self._sanitizer = Sanitizer() if terminal else None

    def write(self, text: str) -> None:
        """Write text of a model or server.

        Raises:
            BrokenPipeError: the reader has closed the pipe.
            OutputError: the write failed, or the reader stalled beyond the write deadline.
            asyncio.CancelledError: the task was cancelled while the reader stalled.
        """
        self.write_raw(self._sanitizer.feed(text) if self._sanitizer else text)

    def write_raw(self, text: str) -> None:
        """Write text without sanitizing it; raises as `write`."""
        if not text:
            return
        self._last_character = text[-1]
        data = memoryview(text.encode("utf-8", "replace"))
        max_bytes = (
            ATOMIC_WRITE_BYTES if len(data) <= ATOMIC_WRITE_BYTES else self._max_write_bytes()
        )
        while data:
            self._wait_writable()
            try:
                data = data[os.write(self.descriptor, data[:max_bytes]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise
            except OSError as error:
                name = "stdout" if self.descriptor == 1 else "stderr"
                raise OutputError.from_os_error(f"cannot write to {name}", error) from None

    def _max_write_bytes(self) -> int:
        """Bytes per write call.

        A file never blocks, so it gets everything in one write. This keeps the answers of
        commands that share the file apart.
        """
        try:
            is_file = stat.S_ISREG(os.fstat(self.descriptor).st_mode)
        except OSError:  # closed: the write itself reports it
            is_file = False
        return sys.maxsize if is_file else ATOMIC_WRITE_BYTES

    def _wait_writable(self) -> None:
        """Wait until the reader accepts more; Ctrl-C and --timeout work while it does not read."""
        if sys.platform == "win32":
            return  # select() supports only sockets there
        try:
            while not select.select([], [self.descriptor], [], WRITE_POLL_SECONDS)[1]:
                raise_if_cancelled()
                if time.monotonic() > _write_deadline:
                    raise OutputError("the output's reader stopped reading", code=READER_STALLED)
        except OSError as error:
            raise OutputError.from_os_error("cannot write", error) from None

    def is_writable(self) -> bool:
        """Whether a write would not have to wait for the reader."""
        if sys.platform == "win32":
            return True
        try:
            return bool(select.select([], [self.descriptor], [], 0)[1])
        except OSError:
            return True  # the write itself reports the error

    def write_complete(self, text: str) -> None:
        """Write a complete text, ending in a newline, in one write; raises as `write`.

        Answers of commands that run in parallel therefore do not mix in one pipe, up to the size
        that a pipe accepts at once.
        """
        if self._sanitizer:
            text = self._sanitizer.feed(text) + self._sanitizer.end()
        last_character = text[-1:] or self._last_character
        self.write_raw(text if last_character in ("", "\n") else f"{text}\n")

    def end_line(self) -> None:
        """Write a newline unless the text written so far ends in one."""
        if self._sanitizer:
            self.write_raw(self._sanitizer.end())
        if self._last_character not in ("", "\n"):
            self.write_raw("\n")


def print_notice(line: str, *, wraps: bool = True) -> None:
    """Print a line on stderr, sanitized for a terminal; write errors are ignored.

    `wraps`: on a terminal wrap it at words, as text; not for a line with a layout of its own.
    """
    line = line if len(line) <= MAX_NOTICE_CHARS else shorten_server_text(line)
    _write_to_stderr([line], DIM_CODE, wraps=wraps)


def print_error(error: EasyLLMError) -> None:
    """Print an error on stderr: on a terminal in rows, else as one line; ignores write errors.

    A message or hint of more than 300 characters contains a server's text and is shortened.
    """
    first, *others = error.parts(_shorten_long_text)
    _write_to_stderr([f"easyllm: {first}", *others], RED_CODE, whole=error.partial_path)


def _shorten_long_text(text: str) -> str:
    return shorten_server_text(text) if len(text) > MAX_SERVER_TEXT_CHARS else text


def shorten_server_text(text: str) -> str:
    """Shorten to 300 characters from both ends; keys are redacted before the text is cut."""
    if len(text) > 2 * REDACTION_CHARS:
        text = text[:REDACTION_CHARS] + text[-REDACTION_CHARS:]
    text = " ".join(redact(text).split())
    if len(text) <= MAX_SERVER_TEXT_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}…{text[HEAD_CHARS + 1 - MAX_SERVER_TEXT_CHARS :]}"


def _write_to_stderr(parts: list[str], code: str, *, whole: str = "", wraps: bool = True) -> None:
    """Write the parts as one line; on a terminal each in rows, the first one's prefix coloured.

    `whole`: as in `notices.lay_out`. With --color always a pipe gets the colour, too.
    """
    try:
        colored = takes_color(2, _stderr_color)
        if colored or is_terminal(2):
            text = _format_parts(parts, code if colored else "", whole, wraps)
        else:
            text = _join_line(" ".join(parts))
        # One write, so that lines of commands that run in parallel do not mix.
        OutputStream(2, terminal=False).write_raw(f"{text}\n")
    except (OSError, OutputError):
        pass


def _join_line(text: str) -> str:
    """One line, with keys redacted."""
    return redact(" ".join(text.splitlines()))


def _format_parts(parts: list[str], code: str, whole: str, wraps: bool) -> str:
    """Sanitize the parts and lay them out for a terminal; in a pipe they stay one line."""
    from .notices import lay_out, paint_prefix

    *parts, whole = [sanitize_text(_join_line(part)) for part in (*parts, whole)]
    if wraps and is_terminal(2):
        rows = lay_out(parts, terminal_size(2)[0], whole=whole)
    else:
        rows = [" ".join(parts)]
    return paint_prefix("\n".join(rows), code)
