"""At most N requests at once over all processes: N lock files, one for each running request.

The kernel releases the lock of a process that dies, so a slot is never lost.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from random import uniform

from ..file_lock import close_locked, try_lock
from .lock import open_lock_file

# A waiting task looks for a free slot this often, so at most N tasks of a process do.
POLL_SECONDS = 0.03
_held: set[Slot] = set()  # by this process
# The tasks of one event loop wait for each other without polling; loops that ended are dropped.
_semaphores: dict[asyncio.AbstractEventLoop, dict[tuple[Path, int], asyncio.Semaphore]] = {}


class Slot:
    """The right to run one request; `release` gives it back."""

    def __init__(self, descriptor: int, semaphore: asyncio.Semaphore) -> None:
        self._descriptor = descriptor
        self._semaphore = semaphore
        _held.add(self)

    def release(self) -> None:
        """Give the slot back; in a process that was forked since, do nothing."""
        if self in _held:
            _held.remove(self)
            close_locked(self._descriptor)
            self._semaphore.release()

    @staticmethod
    def forget_all() -> None:
        """In a process that was just forked, leave the slots to its parent.

        Closing does not unlock them. Else they would be held until both processes have ended.
        """
        while _held:
            os.close(_held.pop()._descriptor)


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=Slot.forget_all)


async def take_slot(path: Path, count: int, patience: float | None = None) -> Slot | None:
    """Wait for one of `count` slots; None after `patience` seconds without one (None = no limit).

    `path`: the lock files are `PATH.0`, `PATH.1` and so on.
    Raises:
        OSError: a lock file cannot be opened or locked.
    """
    semaphore = _find_semaphore(path, count)
    deadline = None if patience is None else time.monotonic() + patience
    try:
        async with asyncio.timeout(patience):
            await semaphore.acquire()
    except TimeoutError:
        return None
    try:
        while (descriptor := _try_slots(path, count)) is None:
            if deadline is not None and time.monotonic() > deadline:
                semaphore.release()
                return None
            await asyncio.sleep(uniform(0.5, 1.5) * POLL_SECONDS)
    except BaseException:
        semaphore.release()
        raise
    return Slot(descriptor, semaphore)


def _try_slots(path: Path, count: int) -> int | None:
    """The descriptor of a lock file that was free; None = all are taken."""
    # From the last one, so that a profile with fewer slots finds one that others with more leave.
    for number in reversed(range(count)):
        descriptor = open_lock_file(path.with_name(f"{path.name}.{number}"))
        try:
            if try_lock(descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None


def _find_semaphore(path: Path, count: int) -> asyncio.Semaphore:
    """The semaphore of this event loop for these slots."""
    for loop in [loop for loop in _semaphores if loop.is_closed()]:
        del _semaphores[loop]
    semaphores = _semaphores.setdefault(asyncio.get_running_loop(), {})
    return semaphores.setdefault((path, count), asyncio.Semaphore(count))
