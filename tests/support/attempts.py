"""Fake attempts at an answer, and helpers that run the retries over them."""

from collections.abc import AsyncIterator, Sequence

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Done, Event, Start, Text
from easyllm_cli.pipeline.retry import stream_with_retries

PROFILE = Profile.of({"provider": "openai"})
ANSWER: list[Event] = [Start("openai", "m"), Text("whole"), Done("stop", True)]
TEXT_AND_REASONING = ("text", "reasoning")
Attempt = Sequence[Event | EasyLLMError]


class FakeAttempts:
    """Attempts that yield given events or raise given errors; the last one repeats.

    `made`: attempts begun; `open`: attempts not yet closed.
    """

    def __init__(self, *attempts: Attempt) -> None:
        self.attempts = attempts
        self.made = 0
        self.open = 0

    async def __call__(self) -> AsyncIterator[Event]:
        assert self.open == 0, "an attempt begins before the last one is closed"
        self.open += 1
        events = self.attempts[min(self.made, len(self.attempts) - 1)]
        self.made += 1
        try:
            for event in events:
                if isinstance(event, EasyLLMError):
                    raise event
                yield event
        finally:
            self.open -= 1


@pytest.fixture(name="waits")
def recorded_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list of waits in seconds; the test does not really wait."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("easyllm_cli.pipeline.retry.asyncio.sleep", sleep)
    return waits


async def run_with_retries(
    tries: FakeAttempts, profile: Profile = PROFILE, shown: Sequence[str] = TEXT_AND_REASONING
) -> list[Event]:
    return [event async for event in stream_with_retries(tries, profile, shown)]


async def expect_retry_error(
    tries: FakeAttempts, profile: Profile = PROFILE, shown: Sequence[str] = TEXT_AND_REASONING
) -> EasyLLMError:
    with pytest.raises(EasyLLMError) as caught:
        await run_with_retries(tries, profile, shown)
    return caught.value
