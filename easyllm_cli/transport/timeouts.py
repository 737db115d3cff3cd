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
MIN_GRACE_SECONDS, MAX_GRACE_SECONDS = 0.02, 1.0
CONNECT_SLACK_SECONDS = (
    0.5  # seconds: the HTTP client's own limit for a step of connecting comes first
)


def grace_seconds(late: float) -> float:
    """Seconds that what lies in the socket has to be read, after a limit that was seen late."""
    return min(max(late, MIN_GRACE_SECONDS), MAX_GRACE_SECONDS)


class ResponseTimer:
    """Seconds to wait: `first_token` from the moment that the request is out until the first frame
    with text or reasoning, `idle` from then on, `total` for everything (None = no limit)."""

    def __init__(self, first_token: float, idle: float, total: float | None = None) -> None:
        self.first_token = first_token
        self.idle = idle
        self.has_progress = False
        self.total = total
        # Two limits, as moments of the clock, and whether their grace has been given.
        self._next_deadline = self._total_deadline = float("inf")
        self._next_grace_given = self._total_grace_given = False
        self._running = False
        self._connect_seconds: float | None = None  # seconds a step; None = connecting is over
        self._request_sent = False
        self._paused_at = 0.0  # when the reader got its piece
        self._waiting_task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_at = 0.0  # when the timer does
        self._cancelled_by_timer = False

    def progress(self) -> None:
        """A frame with text or reasoning came, and the reader gets it."""
        self.has_progress = True
        self._paused_at = now = monotonic()
        self._next_deadline = now + self.idle
        self._next_grace_given = False

    def limit_tail(self, seconds: float) -> None:
        """The answer's end marker came: what may follow it is not worth waiting long for."""
        self._next_deadline = min(self._next_deadline, monotonic() + seconds)

    def pause(self) -> None:
        """The reader gets what is no token: from here on it is not we who wait."""
        self._paused_at = monotonic()

    def resume(self) -> None:
        """The reader wants the next piece: it may have been slow, and the server was not."""
        reader_seconds = monotonic() - self._paused_at
        self._next_deadline += reader_seconds
        self._total_deadline += reader_seconds

    def start_connecting(self, seconds: float) -> None:
        """The client that sends will call `trace`: until the request is out each step of
        connecting may take so long, and `first_token` has not begun."""
        self._connect_seconds = seconds

    async def trace(self, event_name: str, info: dict[str, Any]) -> None:
        """The HTTP client's account of what it does. A request for a tunnel through a proxy is a
        step of connecting, too."""
        if self._request_sent:
            return
        step = event_name.partition(".")[2]
        is_api_request = "request" in info and info["request"].method != b"CONNECT"
        if is_api_request and step in {
            "send_request_headers.started",
            "receive_response_headers.started",
        }:
            self.mark_sent(complete=step.startswith("receive"))
        elif self._connect_seconds is not None and not step.startswith("send_request"):
            self._set_deadline(self._connect_seconds + CONNECT_SLACK_SECONDS)

    def mark_sent(self, complete: bool = True) -> None:
        """The request goes to the server, or is there, `out`."""
        self._connect_seconds = None
        self._request_sent = complete
        self._set_deadline(self.first_token)

    async def wait(self, awaitable: Awaitable[Result]) -> Result:
        """The awaited result.

        Raises:
            FirstTokenTimeout: nothing of the answer came in time.
            IncompleteAnswer: the answer stopped coming.
            NetworkError: a step of connecting took too long.
        """
        now = monotonic()
        if not self._running:
            self._begin(now)
        if now >= min(self._next_deadline, self._total_deadline) and self._is_grace_over(now):
            # Not left to the timer: what is there already gives the event loop no turn.
            getattr(awaitable, "close", lambda: None)()
            raise self._timeout_error()
        self._waiting_task = task = asyncio.current_task()
        self._arm(now)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # Somebody else may have cancelled us as well: then that is what happened.
            if not self._cancelled_by_timer or task is None or task.uncancel() > 0:
                raise
            raise self._timeout_error() from None
        finally:
            self._waiting_task = None

    def stop(self) -> None:
        """The answer is over: the timer with it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self, now: float) -> None:
        self._running = True
        self._next_deadline = now + (
            self.first_token
            if self._connect_seconds is None
            else self._connect_seconds + CONNECT_SLACK_SECONDS
        )
        if self.total is not None:
            self._total_deadline = now + self.total

    def _set_deadline(self, seconds: float) -> None:
        """Another limit, in the midst of a wait."""
        now = monotonic()
        self._next_deadline = now + seconds
        if self._waiting_task is not None:
            self._arm(now)

    def _arm(self, now: float) -> None:
        """One timer for many waits: a limit that moved on is seen when it rings."""
        limit = min(self._next_deadline, self._total_deadline)
        if self._timer is not None and self._timer_due_at > limit:
            self.stop()
        if self._timer is None:
            self._timer_due_at = limit
            self._timer = asyncio.get_running_loop().call_later(limit - now, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiting_task is None:
            return
        now = monotonic()
        if now < min(self._next_deadline, self._total_deadline) or not self._is_grace_over(now):
            self._arm(now)
            return
        self._cancelled_by_timer = True
        self._waiting_task.cancel()

    def _is_grace_over(self, now: float) -> bool:
        """Whether a limit that has passed had its grace; gives it otherwise."""
        if (self._next_grace_given and now >= self._next_deadline) or (
            self._total_grace_given and now >= self._total_deadline
        ):
            return True
        grace_end = now + grace_seconds(now - min(self._next_deadline, self._total_deadline))
        if now >= self._next_deadline:
            self._next_deadline, self._next_grace_given = grace_end, True
        if now >= self._total_deadline:
            self._total_deadline, self._total_grace_given = grace_end, True
            self._next_deadline = max(
                self._next_deadline, grace_end
            )  # it is `total` that has passed
        return False

    def _timeout_error(self) -> EasyLLMError:
        if self._total_deadline <= self._next_deadline:
            message = f"the answer took longer than timeout.total = {self.total:g} s"
            if self.has_progress:
                return IncompleteAnswer(message, hint="raise timeout.total", retryable=False)
            return FirstTokenTimeout(message, hint="raise timeout.total", retryable=False)
        if self._connect_seconds is not None:
            message = f"no connection within {self._connect_seconds:g} s"
            return NetworkError(message, hint="check the network and the proxy", code="connect")
        if self.has_progress:
            return IncompleteAnswer(
                f"the answer stopped: nothing came for {self.idle:g} s",
                hint="raise timeout.idle in the profile, or try again",
            )
        return FirstTokenTimeout(f"no token came within {self.first_token:g} s")


@asynccontextmanager
async def timeout_with_grace(seconds: float | None) -> AsyncIterator[None]:
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

        def on_limit() -> None:
            timers.append(
                loop.call_later(grace_seconds(monotonic() - end), limit.reschedule, loop.time())
            )

        timers.append(loop.call_later(seconds, on_limit))
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
