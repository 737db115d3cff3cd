"""Patience: how long we wait for the next piece of an answer.

Only the time spent waiting for the server counts, never the time in which the reader of the
answer is slow; and only frames with text or reasoning renew it (DESIGN §5): comments and pings
are nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..errors import EasyLLMError, FirstTokenTimeout, IncompleteAnswer

Result = TypeVar("Result")


class Patience:
    """Seconds to wait: `first_token` until the first frame with text or reasoning, `idle` from
    then on, `total` for everything (None = no limit)."""

    def __init__(self, first_token: float, idle: float, total: float | None = None) -> None:
        self.first_token = first_token
        self.idle = idle
        self.total = total
        self.started = False
        self._left = first_token
        self._left_at = 0.0  # when `_left` was what it is, by the loop's clock
        self._deadline = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rang = False
        self._total_left = float("inf") if total is None else total

    def token(self) -> None:
        """A frame with text or reasoning came."""
        self.started = True
        self._left = self.idle

    def closing(self, seconds: float) -> None:
        """The answer's end marker came: what may follow it is not worth waiting long for."""
        self._left = min(self._left, seconds)

    async def trace(self, step: str, _: object) -> None:
        """The HTTP client's account of what it does: waiting begins when the request is out, so
        that a slow connection (which has its own limit) does not eat into it."""
        if step == "http11.send_request_body.complete" and not self.started:
            self._left, self._left_at = self.first_token, asyncio.get_running_loop().time()
            self._deadline = self._left_at + min(self._left, self._total_left)

    async def wait(self, coming: Awaitable[Result]) -> Result:
        """The awaited result.

        Raises:
            FirstTokenTimeout: nothing of the answer came in time.
            IncompleteAnswer: the answer stopped coming.
        """
        loop = asyncio.get_running_loop()
        began = self._left_at = loop.time()
        self._deadline = began + min(self._left, self._total_left)
        self._waiting = task = asyncio.current_task()
        self._arm(loop)
        try:
            return await coming
        except asyncio.CancelledError:
            # Somebody else may have cancelled us as well: then that is what happened.
            if not self._rang or task is None or task.uncancel() > 0:
                raise
            raise self._expired() from None
        finally:
            self._waiting = None
            now = loop.time()
            self._left -= now - self._left_at  # without the time that connecting took
            self._total_left -= now - began

    def stop(self) -> None:
        """The answer is over: the timer with it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for many waits: a deadline that moved on is seen when it rings."""
        if self._timer is not None and self._timer.when() > self._deadline:
            self.stop()
        if self._timer is None:
            self._timer = loop.call_at(self._deadline, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if loop.time() < self._deadline:
            self._arm(loop)
            return
        self._rang = True
        self._waiting.cancel()

    def _expired(self) -> EasyLLMError:
        if self._total_left <= self._left:
            message = f"the answer took longer than timeout.total = {self.total:g} s"
            if self.started:
                return IncompleteAnswer(message, hint="raise timeout.total", retryable=False)
            return FirstTokenTimeout(message, hint="raise timeout.total", retryable=False)
        if self.started:
            return IncompleteAnswer(
                f"the answer stopped: nothing came for {self.idle:g} s",
                hint="raise timeout.idle in the profile, or try again",
            )
        return FirstTokenTimeout(f"no token came within {self.first_token:g} s")
