"""What stands on stdin, and its bytes; a closed or silent stdin never raises (SPIKES e)."""

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

# "stream" is any device, e.g. /dev/null; a socket, which some programs give a child, is a pipe.
Kind = Literal["none", "terminal", "rest-of-file", "file", "pipe", "stream"]
NOTICE_SECONDS = 2.0
MAX_STDIN_BYTES = 256 << 20
WAITS = sys.platform != "win32"  # Windows selects sockets only: no notice there
EMPTY_STDIN_ERRNOS = (errno.EBADF, errno.EIO, errno.EISDIR)  # nohup, a background job, a folder


def detect_kind(descriptor: int = 0) -> Kind:
    """What stdin is; a regular file at an offset above 0 is somebody else's, e.g. a loop's."""
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
    """All bytes; `notice` is called once when nothing has come for 2 seconds.

    `deadline`: the moment of time.monotonic() at which the command must be over.
    Raises:
        UsageError: more than `cap` bytes. FirstTokenTimeout: the deadline passed.
    """
    held: list[bytes] = []
    size = 0
    silent = True
    while True:
        try:
            if not _has_data(descriptor, silent, deadline):
                on_silence()
                silent = False
                continue
            piece = os.read(descriptor, 1 << 16)
        except BlockingIOError:  # the parent left it non-blocking
            select.select([descriptor], [], [])
            continue
        except OSError as error:
            if error.errno in EMPTY_STDIN_ERRNOS:
                break
            raise UsageError(f"cannot read stdin: {error.strerror}") from None
        if not piece:
            break
        silent = False
        held.append(piece)
        size += len(piece)
        if size > cap:
            raise UsageError(f"stdin is longer than {cap >> 20} MiB")
    return b"".join(held)


def _has_data(descriptor: int, silent: bool, deadline: float) -> bool:
    """Whether there is something to read; False after 2 seconds of a stdin that is still silent.

    Raises:
        FirstTokenTimeout: the deadline passed.
    """
    if not WAITS or (not silent and deadline == float("inf")):
        return True
    left = deadline - time.monotonic()
    patience = min(NOTICE_SECONDS, left) if silent else left
    if select.select([descriptor], [], [], max(0.0, patience))[0]:
        return True
    if time.monotonic() >= deadline:
        raise FirstTokenTimeout("stdin did not end within --timeout", hint="raise --timeout")
    return False


def decode_stdin(data: bytes) -> str:
    """UTF-8 without a byte order mark, nothing else trimmed.

    Raises:
        UsageError: it is not UTF-8; names the offset and what to do.
    """
    return decode_text(data, "stdin", image_hint="it is an image: easyllm vision - PROMPT")
