"""The only retry in the house: what is tried again, by DESIGN §5's table."""

from collections.abc import AsyncIterator, Sequence

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
from easyllm_cli.pipeline.retry import stream_with_retries
from tests.support.attempts import ANSWER, BOTH, PROFILE, Tries, failed, played, recorded_waits

__all__ = ["recorded_waits"]


async def test_a_good_answer_is_handed_on_as_it_is(waits: list[float]) -> None:
    assert await played(Tries(ANSWER)) == ANSWER
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
    tries = Tries([Start("openai", "m"), error])
    assert await failed(tries) is error
    assert tries.made == 4
    assert len(waits) == 3


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_max_retries_is_obeyed(retries: int, waits: list[float]) -> None:
    tries = Tries([BusyError("busy")])
    await failed(tries, PROFILE.replace_set(max_retries=retries))
    assert tries.made == retries + 1


async def test_the_answer_after_retries_and_each_is_announced(waits: list[float]) -> None:
    tries = Tries([BusyError("HTTP 503")], [NetworkError("dropped")], ANSWER)
    events = await played(tries)
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
async def test_what_is_never_tried_again(error: EasyLLMError, waits: list[float]) -> None:
    for before in ([], [Text("a")]):
        tries = Tries([*before, error])
        assert await failed(tries, shown=()) is error
        assert (tries.made, waits) == (1, [])


async def test_what_is_no_error_of_ours_passes(waits: list[float]) -> None:
    async def broken() -> AsyncIterator[Event]:
        yield Text("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        [event async for event in stream_with_retries(broken, PROFILE, ())]
    assert waits == []


@pytest.mark.parametrize("piece", [Text("half"), Reasoning("hm")])
async def test_a_cut_after_text_not_shown_is_retried_once(piece: Event, waits: list[float]) -> None:
    tries = Tries([piece, IncompleteAnswer("cut")])
    await failed(tries, shown=())
    assert tries.made == 2
    tries = Tries([piece, IncompleteAnswer("cut")], ANSWER)
    assert (await played(tries, shown=()))[-3:] == ANSWER


async def test_a_cut_after_text_counts_against_max_retries(waits: list[float]) -> None:
    tries = Tries([Text("half"), IncompleteAnswer("cut")])
    await failed(tries, PROFILE.replace_set(max_retries=0), shown=())
    assert tries.made == 1
    tries = Tries(*[[BusyError("")]] * 3, [Text("a"), IncompleteAnswer("cut")])
    await failed(tries, shown=())
    assert tries.made == 4


async def test_after_the_one_retry_of_a_cut_others_go_on_before_text(waits: list[float]) -> None:
    cut: list[Event | EasyLLMError] = [Text("half"), IncompleteAnswer("cut")]
    tries = Tries(cut, [NetworkError("dropped")], ANSWER)
    assert (await played(tries, shown=()))[-3:] == ANSWER
    tries = Tries(cut, [NetworkError("dropped")], cut, ANSWER)
    await failed(tries, shown=())
    assert tries.made == 3


@pytest.mark.parametrize("shown", [(), BOTH])
async def test_the_providers_own_error_after_text_never(
    shown: Sequence[str], waits: list[float]
) -> None:
    for piece in (Text("half"), Reasoning("hm")):
        tries = Tries([piece, BusyError("502 in the stream", retry_after=1.0)])
        await failed(tries, shown=shown)
        assert (tries.made, waits) == (1, [])


@pytest.mark.parametrize("piece", [Text("half"), Reasoning("hm"), Reasoning("", hidden=True)])
async def test_nothing_after_shown_output(piece: Event, waits: list[float]) -> None:
    for error in BEFORE_TEXT:
        tries = Tries([piece, error])
        await failed(tries)
        assert (tries.made, waits) == (1, [])


async def test_reasoning_on_stderr_does_not_count_as_shown(waits: list[float]) -> None:
    tries = Tries([Reasoning("hm"), IncompleteAnswer("cut")], ANSWER)
    assert (await played(tries, shown=("text",)))[-3:] == ANSWER
    tries = Tries([Reasoning("hm"), Text("a"), IncompleteAnswer("cut")], ANSWER)
    await failed(tries, shown=("text",))
    assert tries.made == 1


async def test_what_is_no_text_is_not_shown(waits: list[float]) -> None:
    tries = Tries([Start("o", "m"), Usage(3), NetworkError("dropped")], ANSWER)
    assert (await played(tries))[-3:] == ANSWER
