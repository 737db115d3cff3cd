"""Fake attempts at an answer, and helpers that run the retries over them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.events import Done, Event, Model, Start, Text
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.call import Attempt as CallAttempt
from easyllm_cli.pipeline.call import Call
from easyllm_cli.pipeline.completeness import check_completeness
from easyllm_cli.pipeline.reasoning_split import split_reasoning
from easyllm_cli.pipeline.retry import retry_attempts
from easyllm_cli.providers.base import BaseLLMProvider

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

    async def __call__(self) -> AsyncGenerator[Event, None]:
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


class StubSource(BaseLLMProvider):
    """A source whose `events` are never asked: the tests give the attempts."""

    def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        raise AssertionError

    async def models(self) -> list[Model]:
        raise AssertionError


class HoldingSource(StubSource):
    """A source whose model may end its reasoning with a lone closer."""

    def has_inline_reasoning(self) -> bool:
        return True


def call_of(profile: Profile = PROFILE, shown: Sequence[str] = TEXT_AND_REASONING) -> Call:
    """Return the record of a question to this profile."""
    call = Call([Message("user", ("hi",))], shown=shown)
    call.source = StubSource(profile)
    return call


def stream_with_retries(
    tries: CallAttempt, profile: Profile = PROFILE, shown: Sequence[str] = TEXT_AND_REASONING
) -> AsyncGenerator[Event, None]:
    """Run attempts through the retry stage, and record their events."""
    call = call_of(profile, shown)
    return check_completeness(call, partial(retry_attempts, call, tries))


def split_tags(
    events: AsyncGenerator[Event, None], mode: str = "auto", hold: bool = False
) -> AsyncGenerator[Event, None]:
    """Run one attempt through the reasoning stage."""
    call = call_of()
    kind = HoldingSource if hold else StubSource
    call.source = kind(PROFILE.replace_set(reasoning_tags=mode))
    return split_reasoning(call, lambda: events)


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
