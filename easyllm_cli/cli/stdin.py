"""What stands on stdin, and its bytes; a closed or silent stdin never raises (SPIKES e)."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Literal

from ..errors import UsageError

Kind = Literal["none", "terminal", "rest-of-file", "file", "stream"]
NOTICE_SECONDS = 2.0
WAITS = sys.platform != "win32"  # Windows selects sockets only: no notice there
EMPTY = (errno.EBADF, errno.EIO, errno.EISDIR)  # nohup, a background job, a folder


def kind(descriptor: int = 0) -> Kind:
    """What stdin is; a regular file at an offset above 0 is somebody else's, e.g. a loop's."""
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return "rest-of-file" if os.lseek(descriptor, 0, os.SEEK_CUR) > 0 else "file"
    except OSError:
        return "none"
    if stat.S_ISDIR(mode):
        return "none"
    return "terminal" if os.isatty(descriptor) else "stream"


def read(notice: Callable[[], None], descriptor: int = 0, cap: int = 256 << 20) -> bytes:
    """All bytes; `notice` is called once when nothing has come for 2 seconds.

    Raises:
        UsageError: more than `cap` bytes.
    """
    held: list[bytes] = []
    size = 0
    silent = True
    while True:
        try:
            if silent and WAITS and not select.select([descriptor], [], [], NOTICE_SECONDS)[0]:
                notice()
                silent = False
            piece = os.read(descriptor, 1 << 16)
        except BlockingIOError:  # the parent left it non-blocking
            select.select([descriptor], [], [])
            continue
        except OSError as error:
            if error.errno in EMPTY:
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


def as_text(data: bytes) -> str:
    """UTF-8, nothing trimmed.

    Raises:
        UsageError: it is not UTF-8; names the offset.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"stdin is not UTF-8 at byte {error.start}",
            hint="is this an image? easyllm vision - PROMPT",
        ) from None
