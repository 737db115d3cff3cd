"""The rate limit of requests and tokens that all processes share: one small locked file.

`rate_state.py` says who may send when; here its state is read and written under the file's lock.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from ..private_file import open_regular
from .lock import NO_LINK, hold_lock, read_all, write_all
from .rate_state import BOOT_BYTES, EXPIRY, FILE_KIND, MAX_FILE_BYTES, RateState, Reservation

RENEWAL_SECONDS = EXPIRY / 3  # a caller that waits for longer renews its reservation this often
# A caller that wakes so long after its time takes a new one, so that no minute gets more requests
# than its limit after the process was stopped or the machine was busy.
LATE_SECONDS = 1.0


class RateFile:
    """The rate limit in a file, for any number of processes and tasks.

    `clock`: seconds that never go back; the monotonic clock of the machine, which all processes
    share. A suspended machine's clock stands still, and a new time of day does not change it.

    Every method raises OSError if the file cannot be opened, locked or written, or holds something
    else.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.clock = clock

    async def reserve(
        self, rpm: float | str | None = None, tpm: float | None = None, tokens: float = 0.0
    ) -> Reservation:
        """Take the next free time for a request.

        `rpm`: requests a minute, "auto" = what the server reported, None = no limit.
        `tpm`: tokens a minute, None = no limit. `tokens`: an estimate of what the request uses.
        """
        async with self._change() as (state, now):
            return state.reserve(now, rpm, tpm, tokens)

    async def renew(self, reservation: Reservation) -> Reservation:
        """Keep a reservation that its caller still waits for; it expires later, unless it has."""
        if reservation.expires - self.clock() > EXPIRY - RENEWAL_SECONDS:
            return reservation
        async with self._change() as (state, now):
            return state.renew(reservation, now)

    async def give_back(self, reservation: Reservation) -> None:
        """Return a reservation whose request was not sent; later callers may take its slot."""
        async with self._change() as (state, now):
            state.give_back(reservation, now)

    async def settle(self, reservation: Reservation, used: float) -> None:
        """Replace the expected tokens by those that were used, and improve later estimates."""
        async with self._change() as (state, _):
            state.settle(reservation, used)

    async def report(self, pause_seconds: float = 0.0, rpm: float = 0.0) -> None:
        """Note what a server said: nobody sends for `pause_seconds`; its limit is `rpm` (0 = none).

        A pause that ends later stays in force.
        """
        async with self._change() as (state, now):
            state.pause(now, pause_seconds)
            state.learned_rpm = rpm or state.learned_rpm

    def may_send(self, reservation: Reservation) -> bool:
        """Whether the reservation still holds at its start: not late, and no pause has begun."""
        late = max(reservation.start + LATE_SECONDS, reservation.slot)
        return self.clock() <= min(late, reservation.expires) and not self.is_paused()

    def is_paused(self) -> bool:
        """Whether a server has asked for a pause that lasts."""
        state, now = self.read(), self.clock()
        return state.boot == find_boot_id() and state.written_at <= now < state.paused_until

    def read(self) -> RateState:
        """What the file holds now, read without the lock; empty if there is no file."""
        try:
            descriptor = open_regular(self.path, os.O_RDONLY | NO_LINK)
        except FileNotFoundError:
            return RateState()
        try:
            return RateState(read_all(descriptor, MAX_FILE_BYTES))
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[tuple[RateState, float]]:
        """Lock the file; yields its state, which is written afterwards, and the time."""
        async with hold_lock(self.path) as descriptor:
            data = read_all(descriptor, MAX_FILE_BYTES)
            if data[: len(FILE_KIND)] != FILE_KIND[: len(data)]:
                raise OSError(errno.EINVAL, "it is no file of a rate limit", str(self.path))
            state, now = RateState(data), self.clock()
            state.begin(now, find_boot_id())
            yield state, now
            write_all(descriptor, state.to_bytes())


@cache
def find_boot_id() -> bytes:
    """What tells one boot of the machine from another; zeros where the system does not say it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            text = file.read(100)
        return bytes.fromhex(text.decode().strip().replace("-", ""))[:BOOT_BYTES]
    except (OSError, ValueError):
        return bytes(BOOT_BYTES)
