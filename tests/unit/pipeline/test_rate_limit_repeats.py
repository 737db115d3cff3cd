"""A request that an attempt sends again in another form takes a place of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import cancellation
from easyllm_cli.errors import BusyError
from easyllm_cli.limits import limiter as limiter_module
from easyllm_cli.limits import rate_file_path
from easyllm_cli.limits.rate import RateFile
from easyllm_cli.limits.rate_state import Reservation
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.asking import (
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    notes,
    openai,
)
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn

TWO_AT_ONCE, SECOND = 60, 1.02  # two requests at once, and each takes so many seconds
BURST_RPM, BURST, INTERVAL = 240, 7, 0.255  # so many at once, then one in 0.255 s
SLOW_RPM = 20  # one in 3.06 s
limited_profile = partial(openai, model="gpt-4o", seed=1)
Handler = Callable[[Request, Reply], Awaitable[None]]


def refusing_first(adapter: Adapter, words: str) -> Handler:
    """A handler that refuses the first request for an answer."""
    good, seen = adapter.server(), list[Request]()

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "POST" and not request.path.endswith("/api/show"):
            seen.append(request)
            if len(seen) == 1:
                await reply.json(adapter.wire.error(400, words), 400)
                return
        await good.handle(request, reply)

    return handle


OPENAI = replace(HTTP_ADAPTERS[0], server=OpenAIServer)  # without a key
REFUSED_SEED = "seed is not supported"


def rate_of(server: StandIn) -> RateFile:
    return RateFile(rate_file_path(server.url, None))


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
async def test_limit_10_each_form_of_a_request_takes_a_place(adapter: Adapter, home: Path) -> None:
    handle = refusing_first(adapter, "Streaming is not supported for this model")
    with StandIn(handle) as server:
        await collect_events(adapter.profile(server, rpm=TWO_AT_ONCE))
        sent = answer_requests(server)
    assert len(sent) == 2
    (path,) = (home / ".local" / "state" / "easyllm" / "limits").iterdir()
    # The first place begins before its request arrives.
    assert RateFile(path).read().next_slot - sent[0].came_at > 1.5 * SECOND


async def test_limit_10_a_request_without_a_refused_parameter_waits() -> None:
    with StandIn(refusing_first(OPENAI, REFUSED_SEED)) as server:
        first = await rate_of(server).reserve(BURST_RPM)
        for _ in range(BURST - 2):
            await rate_of(server).reserve(BURST_RPM)
        await get_completion(limited_profile(server, rpm=BURST_RPM))
        _, second = (request.came_at for request in answer_requests(server))
    assert second - first.start > 0.9 * INTERVAL


async def test_limit_10_the_wait_between_two_forms_is_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiter_module, "ANNOUNCED_WAIT_SECONDS", 0.1)
    with StandIn(refusing_first(OPENAI, REFUSED_SEED)) as server:
        for _ in range(BURST - 1):
            await rate_of(server).reserve(BURST_RPM)
        limited = limited_profile(server, rpm=BURST_RPM, tpm=10**9, concurrency=1)
        refused, waiting = notes(await collect_events(limited))
        state = rate_of(server).read()
    assert refused.startswith("seed is refused by the server")
    assert waiting.startswith("waiting 0 s for the rate limit")
    # Its tokens were reserved before, and nothing is left in the queue.
    assert not state.waiting
    assert not state.returned


async def test_limit_10_the_tokens_of_two_forms_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float | None] = []
    reserve = RateFile.reserve

    async def record(rate: RateFile, rpm: Any, tpm: float | None, tokens: float) -> Reservation:
        limits.append(tpm)
        return await reserve(rate, rpm, tpm, tokens)

    monkeypatch.setattr(RateFile, "reserve", record)
    with StandIn(refusing_first(OPENAI, REFUSED_SEED)) as server:
        await get_completion(limited_profile(server, rpm=BURST_RPM, tpm=90_000))
    assert limits == [90_000, None]


async def test_limit_10_a_second_form_beyond_the_deadline_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with StandIn(refusing_first(OPENAI, REFUSED_SEED)) as server:
        monkeypatch.setattr(cancellation, "_deadline", time.monotonic() + 1)
        error = await expect_error(BusyError, limited_profile(server, rpm=SLOW_RPM))
        assert "--timeout" in str(error)
        assert len(server.requests) == 1
        assert (await rate_of(server).reserve(SLOW_RPM)).start < time.monotonic() + 3.1


async def test_limit_10_a_second_form_that_is_cancelled_gives_its_place_back() -> None:
    with StandIn(refusing_first(OPENAI, REFUSED_SEED)) as server:
        waiting = asyncio.create_task(get_completion(limited_profile(server, rpm=SLOW_RPM)))
        async with asyncio.timeout(5):
            while not rate_of(server).read().waiting:
                await asyncio.sleep(0.01)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert not rate_of(server).read().waiting
        assert (await rate_of(server).reserve(SLOW_RPM)).start < time.monotonic() + 3.1
