"""Locks an open file against other processes and tasks.

`flock` belongs to an open file, not to a process: two tasks of one process exclude each other, too,
and the kernel releases the lock of a process that dies. A child that is forked meanwhile has the
same open file, so closing it is not enough to unlock it: `close_locked`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .cancellation import seconds_left
from .errors import OutputError

LOCK_TIMEOUT_SECONDS = 30.0  # far longer than any edit takes
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.0005, 0.01
# After the deadline of --timeout a lock is still waited for this long: what a command does at its
# end, such as giving back a reservation, needs the lock only for a moment.
AFTER_DEADLINE_SECONDS = 0.2


def wait_for_lock(descriptor: int, path: Path) -> None:
    """Lock an open file; `close_locked` unlocks it. It blocks the thread: not for an event loop.

    Raises:
        OutputError: another process holds the lock for 30 seconds or until the deadline of
            --timeout, or locking does not work.
    """
    with _report_failure(path):
        for seconds in polls_for_lock(descriptor, LOCK_TIMEOUT_SECONDS):
            time.sleep(seconds)


async def wait_for_lock_in_loop(descriptor: int, path: Path) -> None:
    """Lock an open file without blocking the event loop. Raises as `wait_for_lock`."""
    from asyncio import sleep  # commands that only write a file do without asyncio

    with _report_failure(path):
        for seconds in polls_for_lock(descriptor, LOCK_TIMEOUT_SECONDS):
            await sleep(seconds)


def polls_for_lock(descriptor: int, timeout: float) -> Iterator[float]:
    """Try to lock an open file until it is locked; yields the seconds to sleep before each retry.

    Raises:
        TimeoutError: somebody else holds the lock for `timeout` seconds, or until the deadline of
            --timeout.
        OSError: the file system has no locks.
    """
    left, seconds = seconds_left(), FIRST_POLL_SECONDS
    end = time.monotonic() + min(timeout, left if left > 0 else AFTER_DEADLINE_SECONDS)
    while not try_lock(descriptor):
        if time.monotonic() > end:
            raise TimeoutError("another process holds the lock")
        yield seconds
        seconds = min(2 * seconds, LONGEST_POLL_SECONDS)


def try_lock(descriptor: int, shared: bool = False) -> bool:
    """Try to take the lock without waiting; False = another process holds it.

    `shared`: others may have a shared lock at the same time (on Windows only one may).
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def close_locked(descriptor: int) -> None:
    """Unlock and close a file, also for a child that was forked while it was open."""
    if sys.platform != "win32":  # there are no forks, and closing unlocks it
        import fcntl

        with suppress(OSError):  # it is not locked: the file system has no locks
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


@contextmanager
def _report_failure(path: Path) -> Iterator[None]:
    """Turn the errors of `polls_for_lock` into an OutputError that names the file."""
    begun = time.monotonic()
    try:
        yield
    except TimeoutError:
        raise OutputError(
            f"another easyllm has been writing for {time.monotonic() - begun:.0f} s",
            where=str(path),
            hint="look for an easyllm process that hangs",
        ) from None
    except OSError as error:
        raise OutputError.from_os_error("cannot be locked", error, str(path)) from None
