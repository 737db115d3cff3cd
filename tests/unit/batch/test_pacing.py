"""Pacing against a simulated server with a rate limit, in virtual time."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from easyllm_cli.batch.pacing import FIRST_LIMIT, RETURN_SECONDS, Pacing
from tests.support.virtual_time import run_in_virtual_time

LATENCY = 0.1
RETRY_AFTER = 1.0


@dataclass
class BucketServer:
    """Allows `rate` answers a second, with a bucket of one second; else 429 with Retry-After."""

    rate: float
    log: list[tuple[float, int]] = field(default_factory=list)
    tokens: float = 0.0
    at: float = 0.0

    async def answer(self) -> int:
        now = asyncio.get_running_loop().time()
        self.tokens = min(self.rate, self.tokens + (now - self.at) * self.rate)
        self.at = now
        status = 200 if self.tokens >= 1 else 429
        self.log.append((now, status))
        if status == 200:
            self.tokens -= 1
            await asyncio.sleep(LATENCY)
        return status

    def passed(self, begin: float, end: float) -> tuple[float, float]:
        """Answers a second, and the share of 429 among all responses, between two times."""
        statuses = [status for at, status in self.log if begin <= at < end]
        good = statuses.count(200)
        return good / (end - begin), statuses.count(429) / len(statuses)


async def send(server: BucketServer, pacing: Pacing, seconds: float) -> None:
    """Send requests for so long, as fast as the pacing allows."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    end = loop.time() + seconds

    async def ask() -> None:
        began = pacing.begin()
        status = await server.answer()
        if status == 200:
            pacing.speed_up(began)
        else:
            pacing.slow_down(RETRY_AFTER)
        pacing.end()
        changed.set()

    tasks = set()
    while loop.time() < end:
        wait = pacing.seconds_to_start()
        if wait == 0:
            tasks.add(asyncio.create_task(ask()))
            await asyncio.sleep(0)
            continue
        changed.clear()
        try:
            async with asyncio.timeout(wait):
                await changed.wait()
        except TimeoutError:
            pass
    await asyncio.gather(*tasks)


def make_pacing(ceiling: int = 64) -> Pacing:
    return Pacing(ceiling, clock=asyncio.get_running_loop().time)


async def play_drop(rate: float) -> BucketServer:
    """Send for 60 s, and after the rate has dropped to a tenth, for 120 s more."""
    server = BucketServer(rate)
    pacing = make_pacing()
    await send(server, pacing, 60)
    server.rate = rate / 10
    await send(server, pacing, 120)
    return server


@pytest.mark.parametrize("rate", [40.0, pytest.param(200.0, marks=pytest.mark.full)])
def test_batch_10_a_servers_rate_is_found_and_used(rate: float) -> None:
    server = run_in_virtual_time(play_drop(rate))
    used, refused = server.passed(20, 60)
    assert used >= 0.9 * rate
    assert refused <= 0.08
    used, refused = server.passed(100, 180)
    assert used >= 0.9 * rate / 10
    assert refused <= 0.25


def test_below_one_request_a_round_trip_starts_are_spaced() -> None:
    server = run_in_virtual_time(play_drop(10.0))
    used, refused = server.passed(100, 180)  # one request a second, and no more at once
    assert used >= 0.75
    assert refused <= 0.25


def test_the_number_in_flight_doubles_until_the_ceiling() -> None:
    async def play() -> list[int]:
        pacing, most = make_pacing(48), []
        assert pacing.limit == FIRST_LIMIT
        for _ in range(4):
            count = int(pacing.limit)
            for _ in range(count):
                assert pacing.seconds_to_start() == 0
                pacing.begin()
            assert pacing.seconds_to_start() is None
            for _ in range(count):
                pacing.speed_up(0)
                pacing.end()
            most.append(count)
        return most

    assert run_in_virtual_time(play()) == [8, 16, 32, 48]


def test_batch_9_after_a_pause_requests_come_back_over_a_second() -> None:
    async def play() -> tuple[float, list[float]]:
        loop = asyncio.get_running_loop()
        pacing = make_pacing()
        pacing.limit = 64.0
        await asyncio.sleep(1)
        pacing.slow_down(2.0)
        starts: list[float] = []
        paused_at = loop.time()
        while len(starts) < 32:
            wait = pacing.seconds_to_start()
            assert wait is not None
            if wait == 0:
                pacing.begin()
                starts.append(loop.time())
            await asyncio.sleep(wait)
        return paused_at, starts

    paused_at, starts = run_in_virtual_time(play())
    assert starts[0] >= paused_at + 2
    assert starts[-1] - starts[0] >= 0.95 * RETURN_SECONDS
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) < 0.1


def test_many_answers_of_one_overload_halve_once() -> None:
    async def play() -> list[float]:
        pacing = make_pacing()
        pacing.limit, limits = 64.0, []
        for wait in (0, 0.1, 0.1, 0.5, 0):
            await asyncio.sleep(wait)
            pacing.slow_down(0.0)
            limits.append(pacing.limit)
        return limits

    assert run_in_virtual_time(play()) == [32, 32, 32, 16, 16]


def test_pauses_that_the_server_does_not_name_get_longer() -> None:
    async def play() -> list[float]:
        pacing, waits = make_pacing(), []
        for _ in range(8):
            pacing.slow_down(None)
            pacing.slow_down(None)  # of the same overload
            wait = pacing.seconds_to_start()
            assert wait is not None
            waits.append(round(wait, 3))
            await asyncio.sleep(wait)
        pacing.speed_up(0)
        pacing.slow_down(None)
        waits.append(round(pacing.seconds_to_start() or 0, 3))
        return waits

    assert run_in_virtual_time(play()) == [1, 2, 4, 8, 16, 32, 60, 60, 1]


def test_an_overload_without_a_rate_limit_stops_nobody() -> None:
    async def play() -> tuple[float, float | None]:
        pacing = make_pacing()
        pacing.slow_down(5.0, stops_all=False)
        return pacing.limit, pacing.seconds_to_start()

    assert run_in_virtual_time(play()) == (FIRST_LIMIT / 2, 0)
