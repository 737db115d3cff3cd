"""Patience: how long we wait for the next piece of an answer.

The clock runs while we wait for the server and while we parse what it sends, so that a flood of
nothing ends as silence does; it stands still while the reader of the answer has a piece of it.
Only frames with text or reasoning renew it: comments and pings are nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar

from ..errors import EasyLLMError, FirstTokenTimeout, IncompleteAnswer, NetworkError

Result = TypeVar("Result")

# Seconds for what lies in the socket, once a limit has passed: as many as it was noticed late
# (the process was stopped, or the loop was busy), within these bounds.
SHORTEST_GRACE, LONGEST_GRACE = 0.02, 1.0
SLACK = 0.5  # seconds: the HTTP client's own limit for a step of connecting comes first


def grace(late: float) -> float:
    """Seconds that what lies in the socket has to be read, after a limit that was seen late."""
    return min(max(late, SHORTEST_GRACE), LONGEST_GRACE)


class Patience:
    """Seconds to wait: `first_token` from the moment that the request is out until the first frame
    with text or reasoning, `idle` from then on, `total` for everything (None = no limit)."""

    def __init__(self, first_token: float, idle: float, total: float | None = None) -> None:
        self.first_token = first_token
        self.idle = idle
        self.started = False
        self.total = total
        # Two limits, as moments of the clock, and whether their grace has been given.
        self._due = self._end = float("inf")
        self._due_again = self._end_again = False
        self._running = False
        self._connect: float | None = None  # seconds a step; None = connecting is over
        self._out = False
        self._handed = 0.0  # when the reader got its piece
        self._waiting: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0  # when the timer does
        self._rang = False

    def token(self) -> None:
        """A frame with text or reasoning came, and the reader gets it."""
        self.started = True
        self._handed = now = monotonic()
        self._due = now + self.idle
        self._due_again = False

    def closing(self, seconds: float) -> None:
        """The answer's end marker came: what may follow it is not worth waiting long for."""
        self._due = min(self._due, monotonic() + seconds)

    def hand_over(self) -> None:
        """The reader gets what is no token: from here on it is not we who wait."""
        self._handed = monotonic()

    def taken(self) -> None:
        """The reader wants the next piece: it may have been slow, and the server was not."""
        away = monotonic() - self._handed
        self._due += away
        self._end += away

    def connecting(self, seconds: float) -> None:
        """The client that sends will call `trace`: until the request is out each step of
        connecting may take so long, and `first_token` has not begun."""
        self._connect = seconds

    async def trace(self, step: str, told: dict[str, Any]) -> None:
        """The HTTP client's account of what it does. A request for a tunnel through a proxy is a
        step of connecting, too."""
        if self._out:
            return
        kind = step.partition(".")[2]
        ours = "request" in told and told["request"].method != b"CONNECT"
        if ours and kind in {"send_request_headers.started", "receive_response_headers.started"}:
            self.sent(out=kind.startswith("receive"))
        elif self._connect is not None and not kind.startswith("send_request"):
            self._renew(self._connect + SLACK)

    def sent(self, out: bool = True) -> None:
        """The request goes to the server, or is there, `out`."""
        self._connect = None
        self._out = out
        self._renew(self.first_token)

    async def wait(self, coming: Awaitable[Result]) -> Result:
        """The awaited result.

        Raises:
            FirstTokenTimeout: nothing of the answer came in time.
            IncompleteAnswer: the answer stopped coming.
            NetworkError: a step of connecting took too long.
        """
        now = monotonic()
        if not self._running:
            self._begin(now)
        if now >= min(self._due, self._end) and self._is_over(now):
            # Not left to the timer: what is there already gives the event loop no turn.
            getattr(coming, "close", lambda: None)()
            raise self._expired()
        self._waiting = task = asyncio.current_task()
        self._arm(now)
        try:
            return await coming
        except asyncio.CancelledError:
            # Somebody else may have cancelled us as well: then that is what happened.
            if not self._rang or task is None or task.uncancel() > 0:
                raise
            raise self._expired() from None
        finally:
            self._waiting = None

    def stop(self) -> None:
        """The answer is over: the timer with it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self, now: float) -> None:
        self._running = True
        self._due = now + (self.first_token if self._connect is None else self._connect + SLACK)
        if self.total is not None:
            self._end = now + self.total

    def _renew(self, seconds: float) -> None:
        """Another limit, in the midst of a wait."""
        now = monotonic()
        self._due = now + seconds
        if self._waiting is not None:
            self._arm(now)

    def _arm(self, now: float) -> None:
        """One timer for many waits: a limit that moved on is seen when it rings."""
        limit = min(self._due, self._end)
        if self._timer is not None and self._rings > limit:
            self.stop()
        if self._timer is None:
            self._rings = limit
            self._timer = asyncio.get_running_loop().call_later(limit - now, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        now = monotonic()
        if now < min(self._due, self._end) or not self._is_over(now):
            self._arm(now)
            return
        self._rang = True
        self._waiting.cancel()

    def _is_over(self, now: float) -> bool:
        """Whether a limit that has passed had its grace; gives it otherwise."""
        if (self._due_again and now >= self._due) or (self._end_again and now >= self._end):
            return True
        until = now + grace(now - min(self._due, self._end))
        if now >= self._due:
            self._due, self._due_again = until, True
        if now >= self._end:
            self._end, self._end_again = until, True
            self._due = max(self._due, until)  # it is `total` that has passed
        return False

    def _expired(self) -> EasyLLMError:
        if self._end <= self._due:
            message = f"the answer took longer than timeout.total = {self.total:g} s"
            if self.started:
                return IncompleteAnswer(message, hint="raise timeout.total", retryable=False)
            return FirstTokenTimeout(message, hint="raise timeout.total", retryable=False)
        if self._connect is not None:
            message = f"no connection within {self._connect:g} s"
            return NetworkError(message, hint="check the network and the proxy", code="connect")
        if self.started:
            return IncompleteAnswer(
                f"the answer stopped: nothing came for {self.idle:g} s",
                hint="raise timeout.idle in the profile, or try again",
            )
        return FirstTokenTimeout(f"no token came within {self.first_token:g} s")


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """A limit for the whole block, as asyncio.timeout's; but when it is seen late, as after the
    process was stopped, what lies in the sockets is read first.

    Raises:
        TimeoutError: the time is over.
    """
    async with asyncio.timeout(None) as limit:
        if seconds is None:
            yield
            return
        loop = asyncio.get_running_loop()
        end = monotonic() + seconds
        timers = []

        def ring() -> None:
            timers.append(loop.call_later(grace(monotonic() - end), limit.reschedule, loop.time()))

        timers.append(loop.call_later(seconds, ring))
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
