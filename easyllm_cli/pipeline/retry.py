"""The only retry in the house: what is tried again, how long we wait, and when we give up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator
from contextlib import aclosing
from typing import Any

from ..config.profile import Profile
from ..errors import EasyLLMError, IncompleteAnswer
from ..events import Event, Reasoning, Retrying, Text

log = logging.getLogger(__name__)


def backoff_waits(profile: Profile) -> Iterator[float]:
    """Seconds before each retry: full jitter on initial x multiplier^n, at most max_retry_delay.

    The schedule is the `backoff` package's, imported at the first retry (it loads 7 ms).
    """
    import backoff

    schedule = backoff.expo(
        base=profile.retry_multiplier,
        factor=profile.initial_retry_delay,
        max_value=profile.max_retry_delay,
    )
    next(schedule)  # backoff's generators answer the first value only after a send
    while True:
        yield backoff.full_jitter(next(schedule))


class _RetryState:
    """Counts tries and waits of one answer against the profile's limits."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.attempt_count = 1
        self.total_wait = 0.0
        self.failures_after_text = 0
        self._waits: Iterator[float] | None = None

    def next_wait(self, error: EasyLLMError, started: bool, shown: bool) -> float | None:
        """Seconds to wait before the next try, or None when there is none."""
        if not self._may_retry(error, started, shown):
            return None
        asked = error.retry_after
        if asked is None:
            self._waits = self._waits or backoff_waits(self.profile)
            wait = next(self._waits)
        elif asked > self.profile.max_retry_delay:
            self._set_give_up_hint(error, asked, "max_retry_delay", self.profile.max_retry_delay)
            return None
        else:
            wait = asked
        if self.total_wait + wait > self.profile.retry_budget:
            self._set_give_up_hint(error, wait, "retry_budget", self.profile.retry_budget)
            return None
        self.attempt_count += 1
        self.total_wait += wait
        return wait

    def _may_retry(self, error: EasyLLMError, started: bool, shown: bool) -> bool:
        """DESIGN §5's table: nothing after shown output, a cut after text once, else by class."""
        if shown or not error.retryable or self.attempt_count > self.profile.max_retries:
            return False
        if not started:
            return True
        self.failures_after_text += 1
        return isinstance(error, IncompleteAnswer) and self.failures_after_text == 1

    def _set_give_up_hint(self, error: EasyLLMError, wait: float, key: str, limit: float) -> None:
        """Give up, and tell the wait that was asked for (FAULTS promise 19)."""
        error.hint = (
            f"the server asks to wait {wait:.10g} s, more than {key} = {limit:g} s"
            if error.retry_after is not None
            else f"the next try would wait past {key} = {limit:g} s"
        )


async def stream_with_retries(
    attempt: Callable[[], AsyncIterator[Event]],
    profile: Profile,
    shown_kinds: Collection[str] = ("text", "reasoning"),
) -> AsyncGenerator[Event, None]:
    """The events of the first attempt that succeeds; a Retrying event stands before each retry.

    `shown`: the kinds of events whose first one, handed on, counts as seen by the user: after it
    nothing is tried again. Empty = the caller shows nothing before the end.
    Raises the last attempt's error.
    """
    tries = _RetryState(profile)
    while True:
        started = False
        seen = False
        stream: Any = attempt()
        try:
            async with aclosing(stream):
                async for event in stream:
                    if isinstance(event, Text | Reasoning):
                        started = True
                        seen = seen or event.kind in shown_kinds
                    yield event
                return
        except EasyLLMError as error:
            wait = tries.next_wait(error, started, seen)
            if wait is None:
                raise
            failed = error
        # %r: a server's words may hold what steers a terminal.
        where, number = profile.name or profile.provider, tries.attempt_count
        log.warning("%s: %r; next try in %.1f s (try %d)", where, failed.what, wait, number)
        yield Retrying(tries.attempt_count, round(wait, 3), failed.what)
        await asyncio.sleep(wait)
