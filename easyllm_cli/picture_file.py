"""Reads a picture's file: a regular one, no more of it than allowed, and never waiting for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import UsageError

# The file is looked at before it is opened (opening a device may do something) and once more
# afterwards (another one may have taken its place: a FIFO would be waited for).
AS_IT_IS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def picture_file(path: str, name: str, cap: int) -> bytes:
    """The file's bytes; one that grows meanwhile gives at most `cap` + 1. `name`: for messages.

    Raises:
        UsageError: no regular file, empty (as those of /proc say they are), or over `cap` bytes.
        OSError, ValueError, RuntimeError: it cannot be read, or the path is none.
    """
    full = Path(path).expanduser()
    _refuse_other_kinds(full.stat(), name)
    with open(os.open(full, AS_IT_IS), "rb") as file:
        state = os.fstat(file.fileno())
        _refuse_other_kinds(state, name)
        if not state.st_size:
            raise UsageError("not an image: the file is empty", where=name)
        if state.st_size > cap:
            raise UsageError(f"the image is larger than {cap >> 20} MB", where=name)
        return file.read(cap + 1)


def _refuse_other_kinds(state: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise UsageError("the image is not a regular file", where=name)
