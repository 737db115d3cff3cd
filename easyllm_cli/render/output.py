"""Writes bytes to stdout and stderr at once and whole; nothing is buffered, nothing is lost."""

from __future__ import annotations

import os
import select
import stat
import sys
import time

from ..cancellation import stop_if_cancelled
from ..errors import EasyLLMError, OutputError
from ..secret import redact
from .sanitize import Neutraliser, neutral

# A pipe that select calls writable takes this much without blocking (PIPE_BUF).
AT_ONCE = 4096
LOOK_EVERY = 0.1  # seconds
LAST_WORDS = 0.3  # seconds that a command which was stopped has for its last line
NOBODY_READS = "nobody reads"
MAX_WORDS = 300  # characters of a server's words in one line
HEAD = 200  # of them from the beginning, the others from the end
LONG_LINE = 450  # characters of a note: with more, a server's words have filled it
LOOKED_AT = 4000  # characters at either end in which keys are looked for, where there are more
KEPT = "; what came is in "  # stands before the file's name at the end of a hint


_give_up_at = float("inf")


def give_up_within(seconds: float) -> None:
    """From now on a reader that reads nothing is waited for only so long: the command is to end."""
    global _give_up_at
    _give_up_at = min(_give_up_at, time.monotonic() + seconds)


class Stream:
    """A file descriptor; text for a terminal is neutralised, a pipe gets the bytes."""

    def __init__(self, descriptor: int, terminal: bool) -> None:
        self.descriptor = descriptor
        self.terminal = terminal
        self.last = ""
        self._neutral = Neutraliser() if terminal else None

    def write(self, text: str) -> None:
        """Text of a model or server.

        Raises:
            BrokenPipeError: nobody reads any more. OutputError: it cannot be written.
        """
        self.codes(self._neutral.feed(text) if self._neutral else text)

    def codes(self, text: str) -> None:
        """Our own text, as it is; raises as `write`."""
        if not text:
            return
        self.last = text[-1]
        data = memoryview(text.encode("utf-8", "replace"))
        most = AT_ONCE if len(data) <= AT_ONCE else self._most()
        while data:
            self._wait()
            try:
                data = data[os.write(self.descriptor, data[:most]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise
            except OSError as error:
                name = "stdout" if self.descriptor == 1 else "stderr"
                raise OutputError.of(f"cannot write to {name}", error) from None

    def _most(self) -> int:
        """How many bytes one write may hold: a file never blocks and takes all, so that answers
        of commands that share it stand one behind the other."""
        try:
            is_file = stat.S_ISREG(os.fstat(self.descriptor).st_mode)
        except OSError:  # closed: writing tells
            is_file = False
        return sys.maxsize if is_file else AT_ONCE

    def _wait(self) -> None:
        """Until the reader takes more, so that Ctrl-C and --timeout work while nobody reads."""
        if sys.platform == "win32":
            return  # it selects sockets only
        try:
            while not select.select([], [self.descriptor], [], LOOK_EVERY)[1]:
                stop_if_cancelled()
                if time.monotonic() > _give_up_at:
                    raise OutputError("nobody reads what is written", code=NOBODY_READS)
        except OSError as error:
            raise OutputError.of("cannot write", error) from None

    def ready(self) -> bool:
        """Whether something can be written without waiting for the reader."""
        if sys.platform == "win32":
            return True
        try:
            return bool(select.select([], [self.descriptor], [], 0)[1])
        except OSError:
            return True  # writing tells what is wrong

    def whole(self, text: str) -> None:
        """A whole text of a model with one newline at its end, in one write; raises as `write`.

        So answers of commands that run side by side do not mix in one pipe, up to the size that
        a pipe takes at once.
        """
        if self._neutral:
            text = self._neutral.feed(text) + self._neutral.end()
        last = text[-1:] or self.last
        self.codes(text if last in ("", "\n") else f"{text}\n")

    def end_line(self) -> None:
        """One newline, only if the text does not end in one."""
        if self._neutral:
            self.codes(self._neutral.end())
        if self.last not in ("", "\n"):
            self.codes("\n")


def complain(line: str) -> None:
    """A line on stderr, neutralised for a terminal; a broken stderr is no reason to fail."""
    _write_line(line if len(line) <= LONG_LINE else cut_short(line))


def complain_of(error: EasyLLMError) -> None:
    """An error's line, in which a server's words have at most 300 characters.

    Wherever they came from: a message or a hint that is longer holds more of them.
    """
    line = f"easyllm: {error}"
    for words in (error.message, error.hint.partition(KEPT)[0]):
        if len(words) > MAX_WORDS:
            line = line.replace(words, cut_short(words))
    _write_line(line)


def cut_short(words: str) -> str:
    """At most 300 characters, from both ends; keys are cut out before anything is cut off."""
    if len(words) > 2 * LOOKED_AT:
        words = words[:LOOKED_AT] + words[-LOOKED_AT:]
    words = " ".join(redact(words).split())
    if len(words) <= MAX_WORDS:
        return words
    return f"{words[:HEAD]}…{words[HEAD + 1 - MAX_WORDS :]}"


def _write_line(line: str) -> None:
    try:
        shown = redact(" ".join(line.splitlines()))
        # In one write, so that the lines of commands that run side by side stay whole.
        Stream(2, terminal=False).codes((neutral(shown) if os.isatty(2) else shown) + "\n")
    except (OSError, OutputError):
        pass
