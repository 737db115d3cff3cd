"""Locks a small private file for a moment; the kernel releases the lock of a dead process.

`flock` belongs to an open file, not to a process: two tasks of one process exclude each other, too.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ..private_file import make_private_folder, open_private, try_lock

LOCK_TIMEOUT_SECONDS = 5.0  # a holder needs microseconds, unless it was stopped (Ctrl-Z)
LOCK_POLL_SECONDS = 0.0005


def open_lock_file(path: Path) -> int:
    """Open a file of mode 0600 for reading and writing, and create it and its folder if needed.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return open_private(path, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        make_private_folder(path.parent)
        return open_private(path, os.O_RDWR | os.O_CREAT)


@contextmanager
def open_locked(path: Path) -> Iterator[int]:
    """Open the file and hold its lock while the block runs; yields the descriptor.

    It blocks the event loop: the block must take microseconds.
    Raises:
        OSError: it cannot be opened or locked, or somebody else holds the lock for 5 seconds.
    """
    descriptor = open_lock_file(path)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process holds the lock of {path}")
            time.sleep(LOCK_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)  # releases the lock


@asynccontextmanager
async def hold_lock(path: Path) -> AsyncIterator[int]:
    """As `open_locked`, without blocking the event loop. The block must not await anything."""
    descriptor = open_lock_file(path)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError("another process holds its lock")
            await asyncio.sleep(LOCK_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)  # releases the lock


def read_all(descriptor: int, max_bytes: int) -> bytes:
    """Read the file from its beginning, at most `max_bytes`."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, max_bytes)


def write_all(descriptor: int, data: bytes) -> None:
    """Replace the content of the locked file.

    It is not synced: after a power failure an old state is as good as a new one.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, data)
    os.ftruncate(descriptor, len(data))
