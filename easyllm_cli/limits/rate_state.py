"""The arithmetic of the shared rate limit, and its form as bytes: who may send a request when.

The generic cell rate algorithm (GCRA), with reservations: each caller takes the next free time, and
waits until then. So callers are served in the order in which they came, and no two of them wake at
the same time. Nothing here opens a file or reads a clock.
"""

from __future__ import annotations

import struct
from math import isfinite

from ..frozen_dataclass import FrozenDataclass

MINUTE = 60.0
# Requests are a little farther apart than the limit says, so that one that is delayed on its way
# does not arrive in the same minute as too many later ones.
SPACING = 1.02
# After idle time or a late caller, this part of a minute's requests may come at once. Together with
# delays on the way, no minute exceeds its limit by more than 5 %.
BURST = 0.025
NEWEST_WEIGHT = 0.2  # of one request in the mean of used and expected tokens
SMALLEST_RATIO, LARGEST_RATIO = 0.05, 20.0  # of used tokens to expected ones
# No request counts as more tokens than the limit allows in this time, nor do the ones before the
# next caller: a server that reports a senseless number must not stop everybody for years.
LONGEST_DEBT = 300.0
LONGEST_PAUSE = 3600.0  # that a server may ask for; later it is asked again
# A caller that waits for longer than the first renews its reservation, which else expires after the
# second, so that a process that is killed leaves no gap in the queue.
UNRENEWED_WAIT, EXPIRY = 2.0, 30.0
LONGEST_QUEUE = 86_400.0  # a longer one is not believed
LONGEST_STEP = 1.05 * MINUTE  # from the last start that somebody waits for to the next free slot
SAME_TIME_SECONDS = 1e-6

FILE_KIND = b"easyrl"  # of every version
MAGIC = FILE_KIND + b"02"
BOOT_BYTES = 16
HEADER = struct.Struct(f"<8s{BOOT_BYTES}s7d2I")
WAITING = struct.Struct("<6d")
RETURNED = struct.Struct("<2d")
MAX_WAITING, MAX_RETURNED = 4096, 1024  # that are remembered
MAX_NUMBER = 2.0**50
MAX_FILE_BYTES = HEADER.size + WAITING.size * MAX_WAITING + RETURNED.size * MAX_RETURNED


class Reservation(FrozenDataclass):
    """A time at which one request may be sent, on the clock of the RateFile.

    `start`: that time. `slot`, `interval`: its place in the sequence of requests, and the time to
    the next place; both 0 without a limit of requests. `tokens`: what it is expected to use, which
    is `ratio` times the caller's estimate. `seconds_per_token`: 0 without a limit of tokens.
    `number`: of a caller that has to renew it, else 0. `expires`: when others may take it.
    """

    start: float
    slot: float = 0.0
    interval: float = 0.0
    tokens: float = 0.0
    ratio: float = 1.0
    seconds_per_token: float = 0.0
    number: float = 0.0
    expires: float = float("inf")

    @property
    def debt(self) -> float:
        """Seconds in which the limit allows the expected tokens."""
        return self.tokens * self.seconds_per_token


# A Reservation that its caller renews, as the file has it: number, start, slot, interval, seconds
# of its tokens, expires. There may be hundreds, and each change reads and writes all.
Waiting = tuple[float, ...]
START, EXPIRES = 1, 5


class RateState:
    """What the file holds. Times are seconds of the monotonic clock, which begins at the boot.

    `boot`: the boot's id. `written_at`: the last change. `next_slot`: the next free slot for a
    request. `next_token`: when the tokens reserved so far are paid off. `paused_until`: no request
    begins before. `learned_rpm`: what the server reported, 0 = nothing. `usage_ratio`: used tokens
    to estimated ones, a running mean. `last_number`: of a reservation. `waiting`: reservations that
    their callers renew. `returned`: slots that were given back, with their intervals.
    """

    boot: bytes
    written_at: float
    next_slot: float
    next_token: float
    paused_until: float
    learned_rpm: float
    usage_ratio: float
    last_number: float
    waiting: list[Waiting]
    returned: list[tuple[float, ...]]

    def __init__(self, data: bytes = b"") -> None:
        self._clear()
        if len(data) < HEADER.size or not data.startswith(MAGIC):
            return
        (
            _, self.boot, self.written_at, self.next_slot, self.next_token, self.paused_until,
            self.learned_rpm, self.usage_ratio, self.last_number, waiting, returned,
        ) = HEADER.unpack_from(data)  # fmt: skip
        middle = HEADER.size + waiting * WAITING.size
        end = middle + returned * RETURNED.size
        if len(data) >= end:
            self.waiting += WAITING.iter_unpack(data[HEADER.size : middle])
            self.returned += RETURNED.iter_unpack(data[middle:end])
        if not self._is_finite():
            self._clear()

    def _clear(self) -> None:
        self.boot = bytes(BOOT_BYTES)
        self.written_at = self.next_slot = self.next_token = self.paused_until = 0.0
        self.learned_rpm, self.usage_ratio, self.last_number = 0.0, 1.0, 0.0
        self.waiting, self.returned = [], []

    def _is_finite(self) -> bool:
        """Whether every number is finite."""
        numbers = (
            self.written_at, self.next_slot, self.next_token, self.paused_until, self.learned_rpm,
            self.usage_ratio, self.last_number,
        )  # fmt: skip
        return all(isfinite(sum(row)) for row in (numbers, *self.waiting, *self.returned))

    def to_bytes(self) -> bytes:
        waiting, returned = self.waiting[-MAX_WAITING:], self.returned[-MAX_RETURNED:]
        header = HEADER.pack(
            MAGIC, self.boot, self.written_at, self.next_slot, self.next_token, self.paused_until,
            self.learned_rpm, self.usage_ratio, self.last_number, len(waiting), len(returned),
        )  # fmt: skip
        rows = [WAITING.pack(*each) for each in waiting]
        return b"".join([header, *rows, *(RETURNED.pack(*each) for each in returned)])

    def begin(self, now: float, boot: bytes) -> None:
        """Forget what is over, what cannot be true, and what was before the machine's last boot.

        Reservations that expired are given back.
        """
        if self.boot != boot or self.written_at > now + SAME_TIME_SECONDS:
            self.next_slot = self.next_token = self.paused_until = 0.0
            self.waiting, self.returned = [], []
        self.boot, self.written_at = boot, now
        if self.paused_until > now + LONGEST_PAUSE:
            self.paused_until = 0.0
        self.learned_rpm = self.learned_rpm if self.learned_rpm >= 1 else 0.0
        self.usage_ratio = _clip_ratio(self.usage_ratio)
        waiting = [each for each in self.waiting if now < each[START] <= now + LONGEST_QUEUE]
        self.waiting = [each for each in waiting if now <= each[EXPIRES] <= now + EXPIRY]
        for _, _, slot, interval, debt, expires in waiting:
            if expires < now:
                self._put_back(slot, interval, debt, now)
        last_start = max([now + UNRENEWED_WAIT, *(each[START] for each in self.waiting)])
        self.next_slot = min(self.next_slot, last_start + LONGEST_STEP)
        self.next_token = min(self.next_token, last_start + LONGEST_DEBT)
        self.returned = [each for each in self.returned if now <= each[0] < self.next_slot]

    def reserve(
        self, now: float, rpm: float | str | None, tpm: float | None, tokens: float
    ) -> Reservation:
        """Take the next free time. Arguments as of RateFile.reserve."""
        reservation = self._reserve_tokens(now, tpm, tokens)
        limit = self.learned_rpm if rpm == "auto" else float(rpm or 0)
        if limit:
            reservation = self._reserve_slot(limit, reservation)
        if reservation.start - now <= UNRENEWED_WAIT:
            return reservation
        self.last_number = self.last_number % MAX_NUMBER + 1
        return self._add_waiting(reservation.__replace__(number=self.last_number), now)

    def _reserve_tokens(self, now: float, tpm: float | None, tokens: float) -> Reservation:
        """Reserve tokens; the reservation's start is not before the end of a pause."""
        start = max(now, self.paused_until)
        if not tpm:
            return Reservation(start)
        seconds_per_token = MINUTE / tpm * SPACING
        expected = min(tokens * self.usage_ratio, LONGEST_DEBT / seconds_per_token)
        start = max(start, self.next_token - BURST * MINUTE)
        self.next_token = max(self.next_token, start) + expected * seconds_per_token
        return Reservation(
            start, tokens=expected, ratio=self.usage_ratio, seconds_per_token=seconds_per_token
        )

    def _reserve_slot(self, rpm: float, reservation: Reservation) -> Reservation:
        """Reserve the next slot of `rpm` requests a minute, not before the reservation's start.

        Each request takes its own interval of the one sequence. So profiles with different limits
        send together at most what the highest limit allows, and none sends more than its own. A
        slot that was given back comes before the end of the queue, if it is long enough.
        """
        earliest, interval = reservation.start, MINUTE / rpm * SPACING
        tolerance = interval * int(BURST * rpm)
        # From the end of a pause on, callers come one by one, not as a burst.
        first_slot = max(earliest, self.paused_until + tolerance)
        fitting = [each for each in self.returned if each[0] >= first_slot and each[1] >= interval]
        if fitting:
            slot, interval = min(fitting)
            self.returned.remove((slot, interval))
        else:
            slot = max(self.next_slot, first_slot)
            self.next_slot = slot + interval
        return reservation.__replace__(
            start=max(slot - tolerance, earliest), slot=slot, interval=interval
        )

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody send for some time; a pause that ends later stays in force."""
        if seconds > 0:
            self.paused_until = max(self.paused_until, now + min(seconds, LONGEST_PAUSE))

    def renew(self, reservation: Reservation, now: float) -> Reservation:
        """The reservation with a later expiry; unchanged if it has expired."""
        if reservation.expires < now:
            return reservation
        self._remove_waiting(reservation)
        return self._add_waiting(reservation, now)

    def give_back(self, reservation: Reservation, now: float) -> None:
        """Return a reservation whose request was not sent; later callers may take its slot."""
        was_waiting = self._remove_waiting(reservation)
        if was_waiting or reservation.expires >= now:  # else another caller has put it back
            self._put_back(reservation.slot, reservation.interval, reservation.debt, now)

    def settle(self, reservation: Reservation, used: float) -> None:
        """Replace the expected tokens by those that were used, and improve later estimates."""
        if not reservation.seconds_per_token:
            return
        used = min(max(0.0, used), LONGEST_DEBT / reservation.seconds_per_token)
        self.next_token += (used - reservation.tokens) * reservation.seconds_per_token
        if reservation.tokens > 0:
            ratio = _clip_ratio(used / reservation.tokens * reservation.ratio)
            self.usage_ratio += NEWEST_WEIGHT * (ratio - self.usage_ratio)

    def _add_waiting(self, reservation: Reservation, now: float) -> Reservation:
        kept = reservation.__replace__(expires=now + EXPIRY)
        row = (kept.number, kept.start, kept.slot, kept.interval, kept.debt, kept.expires)
        self.waiting.append(row)
        return kept

    def _remove_waiting(self, reservation: Reservation) -> bool:
        """Whether the reservation was among those that are renewed; now it is not."""
        number, count = reservation.number, len(self.waiting)
        self.waiting = [each for each in self.waiting if each[0] != number]
        return len(self.waiting) < count

    def _put_back(self, slot: float, interval: float, debt: float, now: float) -> None:
        """Free the tokens and the slot; free slots at the end shorten the queue."""
        self.next_token -= debt
        if interval and abs(slot + interval - self.next_slot) <= SAME_TIME_SECONDS:
            self.next_slot = slot  # it may be over: then the next caller may send at once
        elif interval and slot >= now:
            self.returned.append((slot, interval))
        while self.returned:
            last = max(self.returned)
            if abs(sum(last) - self.next_slot) > SAME_TIME_SECONDS:
                return
            self.next_slot = last[0]
            self.returned.remove(last)


def _clip_ratio(ratio: float) -> float:
    return min(max(ratio, SMALLEST_RATIO), LARGEST_RATIO)
