"""Waits before retries, measured by the server's clock: never shorter than the server asks."""

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from typing import Any

import pytest

from tests.support.adapters import HTTP_ADAPTERS
from tests.support.binary import Easyllm, RunResult, run_concurrently, single_profile_toml
from tests.support.faults.spelling import good
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import Script
from tests.support.standins.server import StandIn

OPENAI = HTTP_ADAPTERS[0]


def latest(wait: float) -> float:
    """Return the upper bound of a wait in seconds; generous, because the machine may be busy."""
    return max(5.0, 5 * wait)


def refusing(times: int, status: int, headers: Callable[[], dict[str, str]]) -> StandIn:
    """Return a server that refuses the first `times` requests, with headers made at that time."""
    remaining = [times]

    async def handler(request: Request, reply: Reply) -> None:
        remaining[0] -= 1
        refusal = OPENAI.refusal(status, "slow down")
        script = (
            Script(*refusal.steps, status=status, headers=headers()) if remaining[0] >= 0 else None
        )
        await (script or good(OPENAI)).play(reply)

    return StandIn(handler)


def run_and_measure_gaps(
    easyllm: Easyllm, server: StandIn, *args: str, **keys: Any
) -> tuple[RunResult, list[float]]:
    """Run the command once; return the result and the seconds between its requests."""
    with server:
        ran = easyllm.with_new_home().run(
            "stream", *args, "hi", profiles=single_profile_toml(server, **keys)
        )
        return ran, [after.at - before.at for before, after in pairwise(server.requests)]


def in_two_seconds() -> dict[str, str]:
    """Return Retry-After as a date, one to two seconds from now: dates have whole seconds."""
    return {"Retry-After": formatdate(int(time.time()) + 2, usegmt=True)}


WAITS: dict[str, tuple[int, Callable[[], dict[str, str]], float]] = {
    "fault_15-retry-after": (429, lambda: {"Retry-After": "1"}, 1.0),
    "fault_16-retry-after-date": (503, in_two_seconds, 1.0),
    "fault_17-retry-after-ms": (429, lambda: {"Retry-After-Ms": "300"}, 0.3),
    "fault_18-reset": (429, lambda: {"X-RateLimit-Reset-Requests": "1.2s"}, 1.2),
}


@pytest.mark.parametrize(("status", "headers", "wait"), WAITS.values(), ids=WAITS.keys())
def test_retry_after_is_respected(
    easyllm: Easyllm, status: int, headers: Callable[[], dict[str, str]], wait: float
) -> None:
    ran, (gap,) = run_and_measure_gaps(easyllm, refusing(1, status, headers))
    assert (ran.code, ran.stdout) == (0, b"Hello world\n"), ran.stderr
    assert wait <= gap < latest(wait)
    assert "next try" in ran.error_line or "try 2" in ran.error_line


def test_fault_19_a_wait_that_is_too_long_fails_at_once(easyllm: Easyllm) -> None:
    started_at = time.monotonic()
    ran, gaps = run_and_measure_gaps(easyllm, refusing(1, 429, lambda: {"Retry-After": "3600"}))
    assert (ran.code, ran.stdout, gaps) == (5, b"", [])
    assert "3600 s" in ran.error_line
    assert time.monotonic() - started_at < latest(0)


def test_fault_20_and_22_own_backoff_without_a_readable_wait(easyllm: Easyllm) -> None:
    """The wait before try n + 1 is between 0 and initial x multiplier^(n - 1)."""
    keys: dict[str, Any] = {"initial_retry_delay": 0.2, "retry_multiplier": 2.0, "max_retries": 3}
    for ran, gaps in run_concurrently(
        lambda: run_and_measure_gaps(easyllm, refusing(9, 500, dict), **keys),
        lambda: run_and_measure_gaps(
            easyllm, refusing(9, 429, lambda: {"Retry-After": "-5"}), **keys
        ),
        lambda: run_and_measure_gaps(
            easyllm, refusing(9, 429, lambda: {"Retry-After": "tomorrow"}), **keys
        ),
    ):
        assert (ran.code, ran.stdout) == (5, b""), ran.stderr
        assert len(gaps) == 3
        for wait in re.findall(r"next try in (\S+) s", ran.stderr):
            assert 0 <= float(wait) <= 0.8
        for number, gap in enumerate(gaps):
            assert 0 <= gap < latest(0.2 * 2.0**number)
