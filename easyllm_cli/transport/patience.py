"""Patience: how long we wait for the next piece of an answer.

Only the time spent waiting for the server counts, never the time in which the reader of the
answer is slow; and only frames with text or reasoning renew it (DESIGN §5): comments and pings
are nothing.
"""

from __future__ import annotations

import asyncio
import time
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
        self._total_left = float("inf") if total is None else total

    def token(self) -> None:
        """A frame with text or reasoning came."""
        self.started = True
        self._left = self.idle

    async def wait(self, coming: Awaitable[Result]) -> Result:
        """The awaited result.

        Raises:
            FirstTokenTimeout: nothing of the answer came in time.
            IncompleteAnswer: the answer stopped coming.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._left, self._total_left)):
                return await coming
        except TimeoutError:
            raise self._expired() from None
        finally:
            waited = time.monotonic() - began
            self._left -= waited
            self._total_left -= waited

    def _expired(self) -> EasyLLMError:
        if self._total_left <= self._left:
            message = f"the answer took longer than timeout.total = {self.total:g} s"
            if self.started:
                return IncompleteAnswer(message, hint="raise timeout.total", retryable=False)
            return FirstTokenTimeout(message, hint="raise timeout.total")
        if self.started:
            return IncompleteAnswer(
                f"the answer stopped: nothing came for {self.idle:g} s",
                hint="raise timeout.idle in the profile, or try again",
            )
        return FirstTokenTimeout(f"no token came within {self.first_token:g} s")
