"""The retry stage: which errors are retried, and how often."""

from collections.abc import AsyncGenerator, Sequence

import pytest

from easyllm_cli.errors import (
    AuthError,
    BillingError,
    BusyError,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
    RefusedError,
)
from easyllm_cli.events import Event, Reasoning, Retrying, Start, Text, Usage
from tests.support.attempts import (
    ANSWER,
    PROFILE,
    TEXT_AND_REASONING,
    FakeAttempts,
    expect_retry_error,
    recorded_waits,
    run_with_retries,
    stream_with_retries,
)

__all__ = ["recorded_waits"]


async def test_good_answer_passes_unchanged(waits: list[float]) -> None:
    assert await run_with_retries(FakeAttempts(ANSWER)) == ANSWER
    assert waits == []


BEFORE_TEXT: list[EasyLLMError] = [
    NetworkError("dropped"),
    FirstTokenTimeout("no token"),
    BusyError("429"),
    IncompleteAnswer("cut"),
]


@pytest.mark.parametrize("error", BEFORE_TEXT, ids=lambda error: type(error).__name__)
async def test_before_any_text_max_retries_counts_retries(
    error: EasyLLMError, waits: list[float]
) -> None:
    tries = FakeAttempts([Start("openai", "m"), error])
    assert await expect_retry_error(tries) is error
    assert tries.made == 4
    assert len(waits) == 3


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_max_retries_is_obeyed(retries: int, waits: list[float]) -> None:
    tries = FakeAttempts([BusyError("busy")])
    await expect_retry_error(tries, PROFILE.replace_set(max_retries=retries))
    assert tries.made == retries + 1


async def test_every_retry_is_announced_before_the_answer(waits: list[float]) -> None:
    tries = FakeAttempts([BusyError("HTTP 503")], [NetworkError("dropped")], ANSWER)
    events = await run_with_retries(tries)
    first, second = (event for event in events if isinstance(event, Retrying))
    assert (first.attempt, first.why, second.attempt, second.why) == (2, "HTTP 503", 3, "dropped")
    assert [first.wait, second.wait] == [round(wait, 3) for wait in waits]
    assert events[2:] == ANSWER


NEVER = [
    AuthError("401"), BillingError("insufficient_quota"), RefusedError("400"),
    NetworkError("no such host", retryable=False), MalformedAnswer("html"),
    MalformedAnswer("empty"), BusyError("x-should-retry: false", retryable=False),
    IncompleteAnswer("timeout.total", retryable=False), EasyLLMError("a bug"),
]  # fmt: skip


@pytest.mark.parametrize("error", NEVER, ids=str)
async def test_errors_that_are_never_retried(error: EasyLLMError, waits: list[float]) -> None:
    for before in ([], [Text("a")]):
        tries = FakeAttempts([*before, error])
        assert await expect_retry_error(tries, shown=()) is error
        assert (tries.made, waits) == (1, [])


async def test_other_exceptions_pass_through(waits: list[float]) -> None:
    async def broken() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        [event async for event in stream_with_retries(broken, PROFILE, ())]
    assert waits == []


@pytest.mark.parametrize("piece", [Text("half"), Reasoning("hm")])
async def test_a_cut_after_text_not_shown_is_retried_once(piece: Event, waits: list[float]) -> None:
    tries = FakeAttempts([piece, IncompleteAnswer("cut")])
    await expect_retry_error(tries, shown=())
    assert tries.made == 2
    tries = FakeAttempts([piece, IncompleteAnswer("cut")], ANSWER)
    assert (await run_with_retries(tries, shown=()))[-3:] == ANSWER


async def test_a_cut_after_text_counts_against_max_retries(waits: list[float]) -> None:
    tries = FakeAttempts([Text("half"), IncompleteAnswer("cut")])
    await expect_retry_error(tries, PROFILE.replace_set(max_retries=0), shown=())
    assert tries.made == 1
    tries = FakeAttempts(*[[BusyError("")]] * 3, [Text("a"), IncompleteAnswer("cut")])
    await expect_retry_error(tries, shown=())
    assert tries.made == 4


async def test_other_retries_continue_after_the_one_for_a_cut(waits: list[float]) -> None:
    cut: list[Event | EasyLLMError] = [Text("half"), IncompleteAnswer("cut")]
    tries = FakeAttempts(cut, [NetworkError("dropped")], ANSWER)
    assert (await run_with_retries(tries, shown=()))[-3:] == ANSWER
    tries = FakeAttempts(cut, [NetworkError("dropped")], cut, ANSWER)
    await expect_retry_error(tries, shown=())
    assert tries.made == 3


@pytest.mark.parametrize("shown", [(), TEXT_AND_REASONING])
async def test_provider_error_after_text_is_never_retried(
    shown: Sequence[str], waits: list[float]
) -> None:
    for piece in (Text("half"), Reasoning("hm")):
        tries = FakeAttempts([piece, BusyError("502 in the stream", retry_after=1.0)])
        await expect_retry_error(tries, shown=shown)
        assert (tries.made, waits) == (1, [])


@pytest.mark.parametrize("piece", [Text("half"), Reasoning("hm"), Reasoning("", hidden=True)])
async def test_nothing_is_retried_after_shown_output(piece: Event, waits: list[float]) -> None:
    for error in BEFORE_TEXT:
        tries = FakeAttempts([piece, error])
        await expect_retry_error(tries)
        assert (tries.made, waits) == (1, [])


async def test_reasoning_on_stderr_does_not_count_as_shown(waits: list[float]) -> None:
    tries = FakeAttempts([Reasoning("hm"), IncompleteAnswer("cut")], ANSWER)
    assert (await run_with_retries(tries, shown=("text",)))[-3:] == ANSWER
    tries = FakeAttempts([Reasoning("hm"), Text("a"), IncompleteAnswer("cut")], ANSWER)
    await expect_retry_error(tries, shown=("text",))
    assert tries.made == 1


async def test_start_and_usage_do_not_count_as_shown(waits: list[float]) -> None:
    tries = FakeAttempts([Start("o", "m"), Usage(3), NetworkError("dropped")], ANSWER)
    assert (await run_with_retries(tries))[-3:] == ANSWER
