"""The retry stage: which errors are retried, how long to wait, and when to give up.

Nothing else in the package retries; the retries of the vendors' SDKs are switched off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator

from ..config.profile import Profile
from ..errors import EasyLLMError, IncompleteAnswer
from ..events import Event, Retrying
from .call import OUTPUT_EVENTS, Attempt, Call

log = logging.getLogger(__name__)


def backoff_waits(profile: Profile) -> Iterator[float]:
    """Seconds before each retry: random between 0 and min(initial x multiplier^n, max_retry_delay).

    Uses the `backoff` package (full jitter), imported at the first retry because it takes 7 ms.
    """
    import backoff

    schedule = backoff.expo(
        base=profile.retry_multiplier,
        factor=profile.initial_retry_delay,
        max_value=profile.max_retry_delay,
    )
    next(schedule)  # backoff's generators yield None first
    while True:
        yield backoff.full_jitter(next(schedule))


class _RetryState:
    """Counts attempts and waits of one call against the profile's limits."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.attempt_count = 1
        self.total_wait = 0.0
        self.failures_after_text = 0
        self._waits: Iterator[float] | None = None

    def next_wait(
        self, error: EasyLLMError, started: bool, is_replayed: bool = False
    ) -> float | None:
        """Seconds to wait before the next attempt; None = do not retry.

        `started`: the attempt had text or reasoning. `is_replayed`: it came from a recording. The
        wait is 0 then; one that a server asked for counts all the same, a random one does not, or
        each replay would end differently.
        """
        if not self._may_retry(error, started):
            return None
        server_wait = error.retry_after
        if server_wait is None:
            wait = 0.0 if is_replayed else self._next_backoff_wait()
        elif server_wait > self.profile.max_retry_delay:
            self._set_give_up_hint(
                error, server_wait, "max_retry_delay", self.profile.max_retry_delay
            )
            return None
        else:
            wait = server_wait
        if self.total_wait + wait > self.profile.retry_budget:
            self._set_give_up_hint(error, wait, "retry_budget", self.profile.retry_budget)
            return None
        self.attempt_count += 1
        self.total_wait += wait
        return 0.0 if is_replayed else wait

    def _next_backoff_wait(self) -> float:
        self._waits = self._waits or backoff_waits(self.profile)
        return next(self._waits)

    def _may_retry(self, error: EasyLLMError, started: bool) -> bool:
        """Whether the number of attempts allows a retry.

        After text that was not shown, only an incomplete answer is retried, once.
        """
        if self.attempt_count > self.profile.max_retries:
            return False
        if not started:
            return True
        self.failures_after_text += 1
        return isinstance(error, IncompleteAnswer) and self.failures_after_text == 1

    def _set_give_up_hint(self, error: EasyLLMError, wait: float, key: str, limit: float) -> None:
        """Name the wait and the setting that forbids it in the error's hint (FAULT-19)."""
        error.hint = (
            f"the server asks to wait {wait:.10g} s, more than {key} = {limit:g} s"
            if error.retry_after is not None
            else f"the wait before the next try would exceed {key} = {limit:g} s"
        )


async def retry_attempts(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Make attempts until one succeeds; yields Retrying before each retry.

    An event of a kind in `call.shown` is shown at once: after the first one there is no retry.
    Raises:
        EasyLLMError: the error of the last attempt.
    """
    profile = call.profile
    assert profile is not None
    state = _RetryState(profile)
    while True:
        started = False
        try:
            events = attempt()
            try:
                async for event in events:
                    if isinstance(event, OUTPUT_EVENTS):
                        started = True
                        call.has_shown = call.has_shown or event.kind in call.shown
                    yield event
                return
            finally:
                await events.aclose()
        except EasyLLMError as error:
            call.fail(error)
            is_retried = not call.has_shown and call.retry_on(error)
            is_replayed = call.replayed is not None
            wait = state.next_wait(error, started, is_replayed) if is_retried else None
            if wait is None:
                raise
            why = error.what
        # %r: a server's message may contain terminal escape sequences.
        name, number = profile.name or profile.provider, len(call.attempts) + 1
        log.warning("%s: %r; next try in %.1f s (try %d)", name, why, wait, number)
        yield Retrying(number, round(wait, 3), why)
        await asyncio.sleep(wait)
