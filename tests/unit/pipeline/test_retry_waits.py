"""Waits before a retry, in seconds: full jitter, the server's own delay, the limits."""

import random
from collections.abc import Iterator

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError
from easyllm_cli.events import Retrying, Text
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


def bounds(profile: Profile) -> Iterator[float]:
    for number in range(profile.max_retries):
        grown = profile.initial_retry_delay * profile.retry_multiplier**number
        yield min(grown, profile.max_retry_delay)


@pytest.mark.parametrize(
    "changes",
    [{}, {"initial_retry_delay": 3.0, "retry_multiplier": 3.0}, {"initial_retry_delay": 0.0},
     {"retry_multiplier": 1.0}, {"initial_retry_delay": 100.0}],
)  # fmt: skip
async def test_waits_are_full_jitter_below_a_growing_bound(
    changes: dict[str, float], waits: list[float]
) -> None:
    profile = PROFILE.replace_set(max_retries=6, max_retry_delay=20.0, retry_budget=1e9, **changes)
    reached = [0.0] * 6
    for seed in range(60):
        random.seed(seed)
        waits.clear()
        await expect_retry_error(FakeAttempts([BusyError("busy")]), profile)
        assert len(waits) == 6
        for number, (wait, bound) in enumerate(zip(waits, bounds(profile), strict=True)):
            assert 0 <= wait <= bound, (seed, number)
            reached[number] = max(reached[number], wait)
    for most, bound in zip(reached, bounds(profile), strict=True):
        assert most >= 0.7 * bound, "the jitter is not full"


async def test_the_schedule_follows_the_seed(waits: list[float]) -> None:
    random.seed(7)
    await expect_retry_error(FakeAttempts([BusyError("busy")]))
    first = list(waits)
    waits.clear()
    random.seed(7)
    await expect_retry_error(FakeAttempts([BusyError("busy")]))
    assert waits == first
    assert len(set(first)) == 3


async def test_servers_delay_is_used_unchanged(waits: list[float]) -> None:
    for delay in (0.0, 0.3, 1.0, 60.0):
        waits.clear()
        tries = FakeAttempts([BusyError("429", retry_after=delay)], ANSWER)
        events = await run_with_retries(tries)
        assert waits == [delay]
        assert events[0] == Retrying(2, delay, "429")


async def test_fault_19_a_delay_over_max_retry_delay_fails_at_once(waits: list[float]) -> None:
    for delay, text in ((3600.0, "3600 s"), (60.5, "60.5 s"), (2592000.0, "2592000 s")):
        tries = FakeAttempts([BusyError("429", retry_after=delay)], ANSWER)
        error = await expect_retry_error(tries)
        assert (tries.made, waits) == (1, [])
        assert text in error.hint
        assert "max_retry_delay" in error.hint


async def test_a_delay_over_the_budget_fails_at_once(waits: list[float]) -> None:
    tries = FakeAttempts([BusyError("429", retry_after=50.0)])
    error = await expect_retry_error(tries)
    assert waits == [50.0, 50.0]
    assert "50 s" in error.hint
    assert "retry_budget" in error.hint


async def test_jittered_waits_stay_within_the_budget(waits: list[float]) -> None:
    profile = PROFILE.replace_set(max_retries=100, retry_budget=3.0)
    error = await expect_retry_error(FakeAttempts([BusyError("busy")]), profile)
    assert sum(waits) <= 3.0
    assert "retry_budget" in error.hint


async def test_attempt_is_closed_with_its_stream(waits: list[float]) -> None:
    tries = FakeAttempts([Text("a"), Text("b")])
    stream = stream_with_retries(tries, PROFILE, TEXT_AND_REASONING)
    await anext(stream)
    assert tries.open == 1
    await stream.aclose()
    assert tries.open == 0
