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
from ..text_encoding import decode_text

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
