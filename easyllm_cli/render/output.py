"""Writes bytes to stdout and stderr at once and whole; nothing is buffered, nothing is lost."""

from __future__ import annotations

import os
import select
import stat
import sys
import time

from ..cancellation import raise_if_cancelled
from ..errors import EasyLLMError, OutputError
from ..secret import redact
from .sanitize import Sanitizer, sanitize_text

# A pipe that select calls writable takes this much without blocking (PIPE_BUF).
ATOMIC_WRITE_BYTES = 4096
WRITE_POLL_SECONDS = 0.1  # seconds
FINAL_WRITE_SECONDS = 0.3  # seconds that a command which was stopped has for its last line
READER_STALLED = "nobody reads"
MAX_SERVER_TEXT_CHARS = 300  # characters of a server's words in one line
HEAD_CHARS = 200  # of them from the beginning, the others from the end
MAX_NOTICE_CHARS = 450  # characters of a note: with more, a server's words have filled it
REDACTION_CHARS = (
    4000  # characters at either end in which keys are looked for, where there are more
)
PARTIAL_PATH_HINT = "; what came is in "  # stands before the file's name at the end of a hint


_write_deadline = float("inf")


def set_write_deadline(seconds: float) -> None:
    """From now on a reader that reads nothing is waited for only so long: the command is to end."""
    global _write_deadline
    _write_deadline = min(_write_deadline, time.monotonic() + seconds)


class OutputStream:
    """A file descriptor; text for a terminal is neutralised, a pipe gets the bytes."""

    def __init__(self, descriptor: int, terminal: bool) -> None:
        self.descriptor = descriptor
        self.terminal = terminal
        self._last_character = ""
        self._sanitizer = Sanitizer() if terminal else None

    def write(self, text: str) -> None:
        """Text of a model or server.

        Raises:
            BrokenPipeError: nobody reads any more. OutputError: it cannot be written.
        """
        self.write_raw(self._sanitizer.feed(text) if self._sanitizer else text)

    def write_raw(self, text: str) -> None:
        """Our own text, as it is; raises as `write`."""
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
        """How many bytes one write may hold: a file never blocks and takes all, so that answers
        of commands that share it stand one behind the other."""
        try:
            is_file = stat.S_ISREG(os.fstat(self.descriptor).st_mode)
        except OSError:  # closed: writing tells
            is_file = False
        return sys.maxsize if is_file else ATOMIC_WRITE_BYTES

    def _wait_writable(self) -> None:
        """Until the reader takes more, so that Ctrl-C and --timeout work while nobody reads."""
        if sys.platform == "win32":
            return  # it selects sockets only
        try:
            while not select.select([], [self.descriptor], [], WRITE_POLL_SECONDS)[1]:
                raise_if_cancelled()
                if time.monotonic() > _write_deadline:
                    raise OutputError("nobody reads what is written", code=READER_STALLED)
        except OSError as error:
            raise OutputError.from_os_error("cannot write", error) from None

    def is_writable(self) -> bool:
        """Whether something can be written without waiting for the reader."""
        if sys.platform == "win32":
            return True
        try:
            return bool(select.select([], [self.descriptor], [], 0)[1])
        except OSError:
            return True  # writing tells what is wrong

    def write_complete(self, text: str) -> None:
        """A whole text of a model with one newline at its end, in one write; raises as `write`.

        So answers of commands that run side by side do not mix in one pipe, up to the size that
        a pipe takes at once.
        """
        if self._sanitizer:
            text = self._sanitizer.feed(text) + self._sanitizer.end()
        last_character = text[-1:] or self._last_character
        self.write_raw(text if last_character in ("", "\n") else f"{text}\n")

    def end_line(self) -> None:
        """One newline, only if the text does not end in one."""
        if self._sanitizer:
            self.write_raw(self._sanitizer.end())
        if self._last_character not in ("", "\n"):
            self.write_raw("\n")


def print_notice(line: str) -> None:
    """A line on stderr, neutralised for a terminal; a broken stderr is no reason to fail."""
    _write_stderr_line(line if len(line) <= MAX_NOTICE_CHARS else shorten_server_text(line))


def print_error(error: EasyLLMError) -> None:
    """An error's line, in which a server's words have at most 300 characters.

    Wherever they came from: a message or a hint that is longer holds more of them.
    """
    line = f"easyllm: {error}"
    for text in (error.message, error.hint.partition(PARTIAL_PATH_HINT)[0]):
        if len(text) > MAX_SERVER_TEXT_CHARS:
            line = line.replace(text, shorten_server_text(text))
    _write_stderr_line(line)


def shorten_server_text(text: str) -> str:
    """At most 300 characters, from both ends; keys are cut out before anything is cut off."""
    if len(text) > 2 * REDACTION_CHARS:
        text = text[:REDACTION_CHARS] + text[-REDACTION_CHARS:]
    text = " ".join(redact(text).split())
    if len(text) <= MAX_SERVER_TEXT_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}…{text[HEAD_CHARS + 1 - MAX_SERVER_TEXT_CHARS :]}"


def _write_stderr_line(line: str) -> None:
    try:
        shown = redact(" ".join(line.splitlines()))
        # In one write, so that the lines of commands that run side by side stay whole.
        OutputStream(2, terminal=False).write_raw(
            (sanitize_text(shown) if os.isatty(2) else shown) + "\n"
        )
    except (OSError, OutputError):
        pass
