"""The rate limit of requests and tokens that all processes share: one small locked file.

The generic cell rate algorithm (GCRA), with reservations: each caller takes the next free time,
unlocks the file, and sleeps until then. So callers are served in the order in which they came, none
of them polls, and no two of them wake at the same time.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from ..frozen_dataclass import FrozenDataclass
from .lock import open_locked, read_all, write_all

MINUTE = 60.0
# Requests are a little farther apart than the limit says, so that one that is delayed on its way
# does not arrive in the same minute as too many later ones.
SPACING = 1.02
# After idle time or a late caller, this part of a minute's requests may come at once. Together with
# delays on the way, no minute exceeds its limit by more than 5 %.
BURST = 0.025
HEADER = struct.Struct("<8s6d")
MAGIC = b"easyrl01"
MAX_RETURNED = 256  # slots given back that are remembered
MAX_FILE_BYTES = HEADER.size + 8 * MAX_RETURNED
NEWEST_WEIGHT = 0.2  # of one request in the mean of used and expected tokens
SMALLEST_RATIO, LARGEST_RATIO = 0.05, 20.0  # of used tokens to expected ones
SAME_TIME_SECONDS = 1e-6


class Reservation(FrozenDataclass):
    """A time at which one request may be sent, on the clock of the RateFile.

    `start`: that time. `slot`, `interval`: its place in the sequence of requests, and the time to
    the next place; both 0 without a limit of requests. `tokens`: what it is expected to use, which
    is `ratio` times the caller's estimate. `seconds_per_token`: 0 without a limit of tokens.
    """

    start: float
    slot: float = 0.0
    interval: float = 0.0
    tokens: float = 0.0
    ratio: float = 1.0
    seconds_per_token: float = 0.0


class RateState:
    """What the file holds. Times are seconds of the monotonic clock, which begins at the boot.

    `written_at`: the last change. `next_slot`: the next free slot for a request. `next_token`: when
    the tokens reserved so far are paid off. `paused_until`: no request begins before.
    `learned_rpm`: what the server reported, 0 = nothing. `usage_ratio`: used tokens to
    estimated ones, a running mean. `returned`: slots that were given back.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.returned: list[float] = []
        values = [0.0] * 5 + [1.0]
        if len(data) >= HEADER.size and data.startswith(MAGIC):
            _, *values = HEADER.unpack_from(data)
            count = (len(data) - HEADER.size) // 8
            self.returned = [*struct.unpack_from(f"<{count}d", data, HEADER.size)]
        self.written_at, self.next_slot, self.next_token, self.paused_until, *learned = values
        self.learned_rpm, self.usage_ratio = learned

    def to_bytes(self) -> bytes:
        header = HEADER.pack(
            MAGIC, self.written_at, self.next_slot, self.next_token, self.paused_until,
            self.learned_rpm, self.usage_ratio,
        )  # fmt: skip
        kept = self.returned[-MAX_RETURNED:]
        return header + struct.pack(f"<{len(kept)}d", *kept)

    def forget_before_boot(self, now: float) -> None:
        """Forget all times if the clock has started anew since the last change."""
        if self.written_at > now + SAME_TIME_SECONDS:
            self.next_slot = self.next_token = self.paused_until = 0.0
            self.returned = []
        self.written_at = now


class RateFile:
    """The rate limit in a file, for any number of processes and tasks.

    `clock`: seconds that never go back; the monotonic clock of the machine, which all processes
    share. A suspended machine's clock stands still, and a new time of day does not change it.

    Every method raises OSError if the file cannot be opened, locked or written.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.clock = clock

    def reserve(
        self, rpm: float | str | None = None, tpm: float | None = None, tokens: float = 0.0
    ) -> Reservation:
        """Take the next free time for a request.

        `rpm`: requests a minute, "auto" = what the server reported, None = no limit.
        `tpm`: tokens a minute, None = no limit. `tokens`: an estimate of what the request uses.
        """
        with open_locked(self.path) as descriptor:
            state = RateState(read_all(descriptor, MAX_FILE_BYTES))
            now = self.clock()
            state.forget_before_boot(now)
            reservation = _reserve_tokens(state, tpm, tokens, now)
            limit = state.learned_rpm if rpm == "auto" else float(rpm or 0)
            if limit:
                reservation = _reserve_slot(state, limit, reservation)
            write_all(descriptor, state.to_bytes())
        return reservation

    def give_back(self, reservation: Reservation) -> None:
        """Return a reservation whose request was not sent; later callers may take its slot."""
        with open_locked(self.path) as descriptor:
            state = RateState(read_all(descriptor, MAX_FILE_BYTES))
            now = self.clock()
            state.forget_before_boot(now)
            state.next_token -= reservation.tokens * reservation.seconds_per_token
            if reservation.interval and reservation.slot > now:
                state.returned.append(reservation.slot)
                _shorten_queue(state, reservation.interval)
            write_all(descriptor, state.to_bytes())

    def settle(self, reservation: Reservation, used: float) -> None:
        """Replace the expected tokens by those that were used, and improve later estimates."""
        with open_locked(self.path) as descriptor:
            state = RateState(read_all(descriptor, MAX_FILE_BYTES))
            state.forget_before_boot(self.clock())
            state.next_token += (used - reservation.tokens) * reservation.seconds_per_token
            if reservation.tokens > 0:
                ratio = used / reservation.tokens * reservation.ratio
                state.usage_ratio += NEWEST_WEIGHT * (ratio - state.usage_ratio)
                state.usage_ratio = min(max(state.usage_ratio, SMALLEST_RATIO), LARGEST_RATIO)
            write_all(descriptor, state.to_bytes())

    def report(self, pause_seconds: float = 0.0, rpm: float = 0.0) -> None:
        """Note what a server said: nobody sends for `pause_seconds`; its limit is `rpm` (0 = none).

        A pause that ends later stays in force.
        """
        with open_locked(self.path) as descriptor:
            state = RateState(read_all(descriptor, MAX_FILE_BYTES))
            now = self.clock()
            state.forget_before_boot(now)
            if pause_seconds:
                state.paused_until = max(state.paused_until, now + pause_seconds)
            state.learned_rpm = rpm or state.learned_rpm
            write_all(descriptor, state.to_bytes())

    def read(self) -> RateState:
        """What the file holds now, read without the lock; empty if there is no file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return RateState()
        try:
            return RateState(os.read(descriptor, MAX_FILE_BYTES))
        finally:
            os.close(descriptor)

    def is_paused(self) -> bool:
        """Whether a server has asked for a pause that lasts."""
        state, now = self.read(), self.clock()
        return state.written_at <= now < state.paused_until


def _reserve_tokens(state: RateState, tpm: float | None, tokens: float, now: float) -> Reservation:
    """Reserve tokens; the reservation's start is not before the end of a pause."""
    start = max(now, state.paused_until)
    if not tpm:
        return Reservation(start)
    seconds_per_token, expected = MINUTE / tpm * SPACING, tokens * state.usage_ratio
    start = max(start, state.next_token - BURST * MINUTE)
    state.next_token = max(state.next_token, start) + expected * seconds_per_token
    return Reservation(
        start, tokens=expected, ratio=state.usage_ratio, seconds_per_token=seconds_per_token
    )


def _reserve_slot(state: RateState, rpm: float, reservation: Reservation) -> Reservation:
    """Reserve the next slot of `rpm` requests a minute, not before the reservation's start.

    A slot that was given back comes before the end of the queue.
    """
    earliest, interval = reservation.start, MINUTE / rpm * SPACING
    tolerance = interval * int(BURST * rpm)
    first_slot = earliest
    if state.paused_until >= earliest:
        # After a pause, callers come one by one, not as a burst.
        first_slot += tolerance
        state.next_slot = max(state.next_slot, first_slot)
    state.returned = [slot for slot in state.returned if slot >= first_slot]
    if state.returned:
        slot = min(state.returned)
        state.returned.remove(slot)
    else:
        slot = max(state.next_slot, earliest)
        state.next_slot = slot + interval
    return reservation.__replace__(
        start=max(slot - tolerance, earliest), slot=slot, interval=interval
    )


def _shorten_queue(state: RateState, interval: float) -> None:
    """Drop returned slots at the end of the queue, so that nobody waits behind them."""
    while state.returned:
        last = max(state.returned)
        if abs(last + interval - state.next_slot) > SAME_TIME_SECONDS:
            return
        state.next_slot = last
        state.returned.remove(last)
