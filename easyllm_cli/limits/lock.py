"""Opens and locks the small private files that all processes share, for a moment each time."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ..file_lock import close_locked, polls_for_lock
from ..private_file import make_private_folder, open_regular

LOCK_TIMEOUT_SECONDS = 5.0  # a holder needs microseconds, unless it was stopped (Ctrl-Z)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
FIRST_READ_BYTES = 4096


def open_lock_file(path: Path) -> int:
    """Open a file of mode 0600 for reading and writing, and create it and its folder if needed.

    Raises:
        OSError: it cannot be opened, or is a link, a named pipe or a device.
    """
    flags = os.O_RDWR | os.O_CREAT | NO_LINK
    try:
        return open_regular(path, flags)
    except FileNotFoundError:
        make_private_folder(path.parent)
        return open_regular(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            raise OSError(error.errno, "it is a symbolic link", str(path)) from None
        raise


@asynccontextmanager
async def hold_lock(path: Path) -> AsyncIterator[int]:
    """Open the file and hold its lock while the block runs; yields the descriptor.

    The event loop runs on while the lock is waited for. The block must not await anything.
    Raises:
        OSError: it cannot be opened or locked, or somebody else holds the lock for 5 seconds or
            until the deadline of --timeout.
    """
    descriptor = open_lock_file(path)
    try:
        for seconds in polls_for_lock(descriptor, LOCK_TIMEOUT_SECONDS):
            await asyncio.sleep(seconds)
        yield descriptor
    finally:
        close_locked(descriptor)


def read_all(descriptor: int, max_bytes: int) -> bytes:
    """Read the file from its beginning, at most `max_bytes`."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = os.read(descriptor, FIRST_READ_BYTES)  # a buffer of `max_bytes` is seldom needed
    if len(data) == FIRST_READ_BYTES:
        data += os.read(descriptor, max_bytes - FIRST_READ_BYTES)
    return data


def write_all(descriptor: int, data: bytes) -> None:
    """Replace the content of the locked file.

    It is not synced: after a power failure an old state is as good as a new one.
    Raises:
        OSError: it cannot be written whole, e.g. on a full disk.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    rest = data
    while rest:  # on a disk that is almost full a write is short, and the next one fails
        rest = rest[os.write(descriptor, rest) :]
    os.ftruncate(descriptor, len(data))
