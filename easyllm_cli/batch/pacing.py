"""Decides when the next request may begin: one pause for all, and how many are in flight at once.

The number in flight doubles with each round trip until a server first says that it is too much;
then it grows by one a round trip, and is halved when the server says so again (AIMD, as TCP does).
Below one, where a server allows less than one request a round trip, the starts are spaced. A pause
that one answer asks for holds for all requests, and after it they come back over a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ..errors import BusyError, EasyLLMError, FirstTokenTimeout

FIRST_LIMIT = 8  # requests in flight at the start
RETURN_SECONDS = 1.0  # in which the requests come back after a pause
FIRST_BACK = 4  # as many come back at once: few are no burst, and to wait would waste the limit
LARGEST_STEP = 0.25  # of the limit for one answer
SLOWER, FASTER, LEAST_LIMIT = 0.8, 1.03, 0.01  # of the limit below one
SHORTEST_ROUND_TRIP = 0.3  # answers that came closer together belong to the same overload
NEWEST_WEIGHT = 0.2  # of one answer in the mean time of an answer
RATE_LIMIT_STATUSES = (429, 529)
OVERLOAD_STATUSES = (*RATE_LIMIT_STATUSES, 503)


def is_rate_limit(error: EasyLLMError | None) -> bool:
    """Whether the server refused the request only because it gets too many."""
    return isinstance(error, BusyError) and error.status in RATE_LIMIT_STATUSES


def is_overload(error: EasyLLMError | None) -> bool:
    """Whether an error says that the server gets too much to do."""
    is_busy = isinstance(error, BusyError) and error.status in OVERLOAD_STATUSES
    return is_busy or isinstance(error, FirstTokenTimeout)


class PacingListener(Protocol):
    """Gets told what changes."""

    def paused(self, seconds: float) -> None:
        """Nothing is sent for so long."""

    def limit_changed(self, limit: int) -> None:
        """So many requests may be in flight from now on."""


class Pacing:
    """When the next request may begin.

    `ceiling`: the most requests in flight. `backoff`: the first and the longest pause in seconds
    after a 429 that names none; each such pause is twice as long as the one before. `clock`:
    seconds that never go back.
    """

    def __init__(
        self,
        ceiling: int,
        backoff: tuple[float, float] = (1.0, 60.0),
        listener: PacingListener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ceiling = ceiling
        self.in_flight = 0
        self.limit = float(min(FIRST_LIMIT, ceiling))
        self.paused_until = float("-inf")
        self._backoff = backoff
        self._listener = listener
        self._clock = clock
        self._is_doubling = True
        self._halved_at = float("-inf")
        self._next_start = float("-inf")
        self._round_trip = 0.0
        self._unnamed_pauses = 0  # pauses in a row whose length the server did not say
        self._last_success = clock()

    def end_idleness(self) -> None:
        """Rows come again after a time without any: that nothing was answered then is no stall."""
        self._last_success = self._clock()

    def seconds_to_start(self) -> float | None:
        """Seconds until the next request may begin; None = when one has ended."""
        now = self._clock()
        if now < self.paused_until:
            return self.paused_until - now
        back = (now - self.paused_until) / RETURN_SECONDS
        if self.in_flight < self._allowed(back):
            return max(0.0, self._next_start - now)
        if back >= 1 or self.in_flight >= int(self.limit):
            return None
        return self._seconds_to_next(back)

    def _allowed(self, back: float) -> int:
        """How many may be in flight, after this part of RETURN_SECONDS since the last pause."""
        limit = max(1, int(self.limit))
        first = min(limit, FIRST_BACK)
        return limit if back >= 1 else first + int(back * (limit - first))

    def _seconds_to_next(self, back: float) -> float:
        """Seconds until one more may be in flight, while they come back after a pause."""
        steps = int(self.limit) - FIRST_BACK
        return max(0.001, (int(back * steps) + 1 - back * steps) / steps * RETURN_SECONDS)

    def begin(self) -> float:
        """Count a request that begins now; returns its time, for `speed_up`."""
        self.in_flight += 1
        now = self._clock()
        if self.limit < 1:
            self._next_start = now + self._round_trip / self.limit
        return now

    def end(self) -> None:
        """Count a request that has ended."""
        self.in_flight -= 1

    def speed_up(self, began: float) -> None:
        """The answer to a request came, which began at this time: more may be in flight."""
        self._last_success = self._clock()
        self._unnamed_pauses = 0
        weight = NEWEST_WEIGHT if self._round_trip else 1.0
        self._round_trip += weight * (self._last_success - began - self._round_trip)
        if self.limit < 1:
            self._set_limit(self.limit * FASTER)
        else:
            step = 1.0 if self._is_doubling else min(1 / self.limit, LARGEST_STEP)
            self._set_limit(min(self.ceiling, self.limit + step))

    def slow_down(self, pause: float | None, *, stops_all: bool = True) -> None:
        """The server gets too much.

        `pause`: seconds that it asks for; None = it names none. `stops_all`: nobody sends
        meanwhile; else only fewer are in flight.
        """
        now = self._clock()
        self._is_doubling = False
        is_new = now - self._halved_at > max(SHORTEST_ROUND_TRIP, self._round_trip)
        if stops_all:
            seconds = self._next_backoff(is_new) if pause is None else pause
            if now + seconds > self.paused_until:
                self.paused_until = now + seconds
                if self._listener is not None:
                    self._listener.paused(seconds)
        if is_new:
            self._halved_at = now
            factor = 0.5 if self.limit > 1 else SLOWER
            self._set_limit(max(LEAST_LIMIT, self.limit * factor))

    def seconds_without_success(self) -> float:
        """Seconds since the last answer, or since the start."""
        return self._clock() - self._last_success

    def _next_backoff(self, is_new: bool) -> float:
        """The pause after an answer that names none; answers of one overload share it."""
        self._unnamed_pauses += is_new
        first, longest = self._backoff
        return min(longest, first * 2.0 ** max(0, min(self._unnamed_pauses, 30) - 1))

    def _set_limit(self, limit: float) -> None:
        is_changed = int(limit) != int(self.limit)
        self.limit = limit
        if is_changed and self._listener is not None:
            self._listener.limit_changed(int(limit))
