"""Timeouts of a response: for connecting, the first token, each later token, and the total.

Time counts while we wait for the server or parse its data, and not while the caller processes an
event. Only text and reasoning restart the timeout: a server that sends nothing but comments or
pings runs into it like a silent one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, TypeVar

from ..errors import EasyLLMError, FirstTokenTimeout, IncompleteAnswer, NetworkError

Result = TypeVar("Result")

# After a limit has passed, data that is already in the socket may still be read for a grace
# period. It is as long as the limit was noticed late, because the process was stopped or the event
# loop was busy, within these bounds.
MIN_GRACE_SECONDS, MAX_GRACE_SECONDS = 0.02, 1.0
CONNECT_SLACK_SECONDS = 0.5  # so that the HTTP client's own connect timeout comes first


def grace_seconds(late: float) -> float:
    """Return the grace period in seconds after a limit that was noticed `late` seconds late."""
    return min(max(late, MIN_GRACE_SECONDS), MAX_GRACE_SECONDS)


class ResponseTimer:
    """Limits how long one response may take; all limits are in seconds.

    `first_token`: from sending the request to the first frame with text or reasoning. `idle`: from
    each such frame to the next. `total`: for everything; None = no limit.
    """

    def __init__(self, first_token: float, idle: float, total: float | None = None) -> None:
        self.first_token = first_token
        self.idle = idle
        self.has_progress = False
        self.total = total
        # The two limits in monotonic time, and whether their grace period has begun.
        self._next_deadline = self._total_deadline = float("inf")
        self._next_grace_given = self._total_grace_given = False
        self._running = False
        self._connect_seconds: float | None = None  # for each step; None = not connecting
        self._request_sent = False
        self._paused_at = 0.0  # when the caller got its last event
        self._waiting_task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_at = 0.0
        self._cancelled_by_timer = False

    def progress(self) -> None:
        """Restart the idle timeout: a frame with text or reasoning came, and the caller gets it."""
        self.has_progress = True
        self._paused_at = now = monotonic()
        self._next_deadline = now + self.idle
        self._next_grace_given = False

    def limit_tail(self, seconds: float) -> None:
        """Allow at most `seconds` more after the end marker, since only extra data may follow."""
        self._next_deadline = min(self._next_deadline, monotonic() + seconds)

    def pause(self) -> None:
        """Stop the time while the caller processes an event without text or reasoning."""
        self._paused_at = monotonic()

    def resume(self) -> None:
        """Move the limits by the time that the caller took, which is not the server's."""
        paused_seconds = monotonic() - self._paused_at
        self._next_deadline += paused_seconds
        self._total_deadline += paused_seconds

    def start_connecting(self, seconds: float) -> None:
        """Allow each step of connecting `seconds`; `first_token` begins when the request is sent.

        The HTTP client must report its steps to `trace`, or its user call `mark_sent`.
        """
        self._connect_seconds = seconds

    async def trace(self, event_name: str, info: dict[str, Any]) -> None:
        """Receive the HTTP client's progress: httpx calls it as its `trace` extension.

        A CONNECT request to a proxy is a step of connecting.
        """
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
        """Start the first_token timeout: the request is being sent or, if `complete`, was sent."""
        self._connect_seconds = None
        self._request_sent = complete
        self._set_deadline(self.first_token)

    async def wait(self, awaitable: Awaitable[Result]) -> Result:
        """Await and return the result within the limits.

        Raises:
            FirstTokenTimeout: no text or reasoning came in time.
            IncompleteAnswer: the answer stopped after some text or reasoning.
            NetworkError: a step of connecting took too long.
        """
        now = monotonic()
        if not self._running:
            self._begin(now)
        if now >= min(self._next_deadline, self._total_deadline) and self._is_grace_over(now):
            # The timer does not run while data is ready: such an await never yields to the loop.
            getattr(awaitable, "close", lambda: None)()
            raise self._timeout_error()
        self._waiting_task = task = asyncio.current_task()
        self._arm(now)
        try:
            return await awaitable
        except asyncio.CancelledError:
            # If the task was cancelled by someone else as well, the cancellation wins.
            if not self._cancelled_by_timer or task is None or task.uncancel() > 0:
                raise
            raise self._timeout_error() from None
        finally:
            self._waiting_task = None

    def stop(self) -> None:
        """Cancel the timer; call it when the response has ended."""
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
        """Set the next limit, also during a wait."""
        now = monotonic()
        self._next_deadline = now + seconds
        if self._waiting_task is not None:
            self._arm(now)

    def _arm(self, now: float) -> None:
        """Start the timer, or keep it if it is due earlier: it then checks for a later limit."""
        limit = min(self._next_deadline, self._total_deadline)
        if self._timer is not None:
            if self._timer_due_at <= limit:
                return
            self.stop()
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
        """Return whether a passed limit's grace period is over; begins it if necessary."""
        if (self._next_grace_given and now >= self._next_deadline) or (
            self._total_grace_given and now >= self._total_deadline
        ):
            return True
        grace_end = now + grace_seconds(now - min(self._next_deadline, self._total_deadline))
        if now >= self._next_deadline:
            self._next_deadline, self._next_grace_given = grace_end, True
        if now >= self._total_deadline:
            self._total_deadline, self._total_grace_given = grace_end, True
            # Not earlier than the total limit: _timeout_error reports the earlier of the two.
            self._next_deadline = max(self._next_deadline, grace_end)
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
    """Limit the block like asyncio.timeout, but give a late limit a grace period.

    If the limit is noticed late, for example because the process was stopped, data that is already
    in the sockets is still read. `seconds`: None = no limit.
    Raises:
        TimeoutError: the limit has passed.
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
