"""Detects the kind of stdin and reads it; a closed or unreadable stdin counts as empty."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from typing import Literal

from ..errors import FirstTokenTimeout, UsageError
from ..images import MAX_IMAGE_BYTES, Image
from ..render.output import print_notice
from ..text_encoding import decode_text
from . import stdin

# "stream" is any other device, e.g. /dev/null; a socket, as some parents pass it, is a pipe.
Kind = Literal["none", "terminal", "rest-of-file", "file", "pipe", "stream"]
NOTICE_SECONDS = 2.0
MAX_STDIN_BYTES = 256 << 20
WAITS = sys.platform != "win32"  # Windows can only select sockets: no notice there
EMPTY_STDIN_ERRNOS = (errno.EBADF, errno.EIO, errno.EISDIR)  # nohup, a background job, a folder


def detect_kind(descriptor: int = 0) -> Kind:
    """What stdin is; a file at an offset above 0 is being read by another, e.g. a shell loop."""
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return "rest-of-file" if os.lseek(descriptor, 0, os.SEEK_CUR) > 0 else "file"
    except OSError:
        return "none"
    if stat.S_ISDIR(mode):
        return "none"
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return "pipe"
    return "terminal" if os.isatty(descriptor) else "stream"


def read(
    on_silence: Callable[[], None],
    deadline: float = float("inf"),
    descriptor: int = 0,
    cap: int = MAX_STDIN_BYTES,
) -> bytes:
    """Read all bytes; `on_silence` is called once if nothing arrives for 2 seconds.

    `deadline`: the value of time.monotonic() at which the command must end.
    Raises:
        UsageError: more than `cap` bytes. FirstTokenTimeout: the deadline passed.
    """
    chunks: list[bytes] = []
    size = 0
    silent = True
    while True:
        try:
            if not _has_data(descriptor, silent, deadline):
                on_silence()
                silent = False
                continue
            chunk = os.read(descriptor, 1 << 16)
        except BlockingIOError:  # the parent made it non-blocking
            select.select([descriptor], [], [])
            continue
        except OSError as error:
            if error.errno in EMPTY_STDIN_ERRNOS:
                break
            raise UsageError(f"cannot read stdin: {error.strerror}") from None
        if not chunk:
            break
        silent = False
        chunks.append(chunk)
        size += len(chunk)
        if size > cap:
            raise UsageError(f"stdin is longer than {cap >> 20} MiB")
    return b"".join(chunks)


def _has_data(descriptor: int, silent: bool, deadline: float) -> bool:
    """Wait for data; False if the first data has not arrived after 2 seconds.

    Raises:
        FirstTokenTimeout: the deadline passed.
    """
    if not WAITS or (not silent and deadline == float("inf")):
        return True
    remaining = deadline - time.monotonic()
    wait_seconds = min(NOTICE_SECONDS, remaining) if silent else remaining
    if select.select([descriptor], [], [], max(0.0, wait_seconds))[0]:
        return True
    if time.monotonic() >= deadline:
        raise FirstTokenTimeout("stdin did not end within --timeout", hint="raise --timeout")
    return False


def decode_stdin(data: bytes) -> str:
    """Decode UTF-8 without a byte order mark; nothing else is removed.

    Raises:
        UsageError: it is not UTF-8; names the offset and the fix.
    """
    return decode_text(data, "stdin", image_hint="it is an image: easyllm vision - PROMPT")


class Stdin:
    """Stdin, read at most once, and only if its kind and the options allow it."""

    def __init__(self, disabled: bool, quiet: bool = False, timeout: float | None = None) -> None:
        self.quiet = quiet
        self.deadline = time.monotonic() + timeout if timeout else float("inf")
        self.disabled = disabled or os.environ.get("EASYLLM_STDIN") == "never"
        self.kind = stdin.detect_kind()
        self.notes: list[str] = []
        self._data: bytes | None = None
        self.was_empty = False  # text was expected, and none came
        self.text_bytes = 0  # the size of the text that was read
        self._was_read = self._was_image = self._was_blank = False

    def read_bytes(self, forced: bool, cap: int = stdin.MAX_STDIN_BYTES) -> bytes:
        """Read stdin; b"" if it must not be read. `forced`: the user named it with `-`.

        Raises:
            UsageError: it has more than `cap` bytes.
        """
        if self._data is None:
            wanted = self.kind in {"file", "pipe", "stream"} or (
                forced and self.kind == "rest-of-file"
            )
            if forced and self.kind == "terminal":
                self._print_note("reading stdin from the terminal; end with Ctrl-D")
                wanted = True
            allowed = wanted and (forced or not self.disabled)
            self._data = b""
            self._was_read = allowed
            if allowed:
                waiting = "waiting for stdin (-n: do not read it)"
                self._data = stdin.read(lambda: self._print_note(waiting), self.deadline, cap=cap)
        return self._data

    def read_text(self, forced: bool) -> str:
        """Read stdin as text; "" if it must not be read. Raises as `read_bytes`."""
        data = self.read_bytes(forced)
        self.text_bytes = len(data)
        text = stdin.decode_stdin(data)
        self._was_blank = is_blank(text)
        return text

    def refuse_emptiness(self) -> None:
        """Raise UsageError: the prompt contains {stdin}, but stdin brought no text."""
        if self._was_image:
            return
        hint = "the pipe or file has no text"
        if self.kind == "rest-of-file":
            hint = "stdin is a file that was already read in part: name it with -"
        elif self.disabled and self.kind != "none":
            hint = "-n or EASYLLM_STDIN=never keeps it from being read"
        elif self.kind in ("none", "terminal", "stream"):
            hint = "pipe text in, or leave out {stdin}"
        raise UsageError("{stdin} is in the prompt, and stdin holds no text", hint=hint)

    def note_emptiness(self) -> None:
        """Add a note if a pipe or file was read and brought no text."""
        was_expected = self._was_read and self.kind in ("pipe", "file")
        if was_expected and self._was_blank and not self._was_image:
            self.was_empty = True
            self.notes.append("stdin was empty: only the prompt is sent (-n: do not read stdin)")

    def _print_note(self, line: str) -> None:
        if not self.quiet:
            print_notice(f"easyllm: {line}")

    def read_image(self) -> Image:
        """Read stdin as an image; it is then not read as text.

        Raises:
            UsageError: stdin is not an image.
        """
        data = self.read_bytes(forced=True, cap=MAX_IMAGE_BYTES)
        self._data = b""
        self._was_image = True
        if not data:
            raise UsageError("stdin holds no image", hint="easyllm vision - PROMPT < img.png")
        return Image.of_bytes(data, "stdin")


def is_blank(text: str) -> bool:
    """Whether the text is empty or only white space."""
    return not text or text.isspace()
