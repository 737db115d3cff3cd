"""The rate-limit stage: waiting, sharing, pausing and learning, against a server."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import cancellation
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, NetworkError, OutputError
from easyllm_cli.events import Usage
from easyllm_cli.limits import limiter as limiter_module
from easyllm_cli.limits import rate as rate_module
from easyllm_cli.limits import rate_file_path, rate_state
from easyllm_cli.limits.limiter import Limiter
from easyllm_cli.limits.rate import RateFile
from easyllm_cli.limits.rate_state import LONGEST_DEBT
from easyllm_cli.messages import Message
from easyllm_cli.secret import Secret
from tests.support.asking import (
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    notes,
    openai,
)
from tests.support.binary import chat_answer_script
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import StandIn

HELLO = chat_answer_script("Hello")
SLOW_RPM = 30  # one request in 2.04 s
BURST_RPM, BURST = 240, 7  # so many at once, then one in 0.255 s


def rate_of(server: StandIn, key: Secret | None = None) -> RateFile:
    return RateFile(rate_file_path(f"{server.url}/v1", key))


@pytest.fixture(name="server")
def answering_server() -> Iterator[StandIn]:
    with StandIn(script_handler(HELLO)) as server:
        yield server


def is_limited(server: StandIn, key: Secret | None = None) -> bool:
    return rate_of(server, key).read().next_slot > 0


async def test_profiles_with_one_origin_and_key_share_a_limit(server: StandIn) -> None:
    a, b = Secret("sk-test-aaaaaaaa"), Secret("sk-test-bbbbbbbb")
    await get_completion(openai(server, rpm=600, api_key=a))
    await get_completion(openai(server, rpm=600, api_key=a, model="other").replace_set(name="x"))
    shared = rate_of(server, a).read()
    assert not is_limited(server)
    assert not is_limited(server, b)
    assert shared.next_slot - shared.written_at == pytest.approx(0.2, abs=0.11)


async def test_every_attempt_takes_a_place() -> None:
    with StandIn(script_handler(Script(status=500), Script(status=500), HELLO)) as server:
        began = time.monotonic()
        await get_completion(openai(server, rpm=600))
        state = rate_of(server).read()
    assert state.next_slot - began > 0.3  # three places, 0.102 s each


async def test_the_next_request_waits(server: StandIn) -> None:
    limited = openai(server, rpm=240)  # 7 at once, then one in 0.255 s
    began = time.monotonic()
    await asyncio.gather(*(get_completion(limited) for _ in range(9)))
    waited = sorted(request.came_at - began for request in answer_requests(server))
    assert waited[7] > 0.25  # a busy machine makes requests late, never early
    assert waited[8] > 0.5


async def test_a_long_wait_is_announced(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter_module, "ANNOUNCED_WAIT_SECONDS", 0.1)
    limited = openai(server, rpm=180).replace_set(name="x")
    for _ in range(5):
        await rate_of(server).reserve(180)
    wait = "waiting 0 s for the rate limit (profile x: rpm = 180)"
    assert notes(await collect_events(limited)) == [wait]


async def test_a_wait_beyond_the_deadline_is_an_error_at_once(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "_deadline", time.monotonic() + 0.5)
    await rate_of(server).reserve(SLOW_RPM)
    error = await expect_error(BusyError, openai(server, rpm=SLOW_RPM))
    assert "--timeout" in str(error)
    assert not server.requests
    assert (await rate_of(server).reserve(SLOW_RPM)).start < time.monotonic() + 2.1  # given back


async def test_a_cancelled_wait_gives_its_place_back(server: StandIn) -> None:
    await rate_of(server).reserve(SLOW_RPM)
    waiting = asyncio.create_task(get_completion(openai(server, rpm=SLOW_RPM)))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert (await rate_of(server).reserve(SLOW_RPM)).start < time.monotonic() + 2.1
    assert not server.requests


async def test_limit_4_requests_at_once_over_tasks() -> None:
    running = most = 0

    async def handle(request: Request, reply: Reply) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await reply.sleep(0.03)
        await HELLO.play(reply)
        running -= 1

    with StandIn(handle) as server:
        await asyncio.gather(*(get_completion(openai(server, concurrency=3)) for _ in range(12)))
    assert most == 3


async def test_limit_5_one_429_stops_all_and_they_come_back_one_by_one() -> None:
    refused_at: list[float] = []

    async def handle(request: Request, reply: Reply) -> None:
        if len(server.requests) >= 25 and not refused_at:
            refused_at.append(time.monotonic())
            await Script(status=429, headers={"retry-after": "1"}).play(reply)
        else:
            await HELLO.play(reply)

    async def ask_forever(limited: Profile) -> None:
        while True:
            await get_completion(limited)

    with StandIn(handle) as server:
        asking = [asyncio.create_task(ask_forever(openai(server, rpm=1200))) for _ in range(20)]
        async with asyncio.timeout(5):
            while not refused_at:
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.8)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        arrived = sorted(request.came_at - refused_at[0] for request in server.requests)
    # Requests that were on their way when the 429 came back are not stopped.
    assert not [at for at in arrived if 0.2 < at < 0.95]
    later = [at for at in arrived if at >= 0.95]
    assert len(later) >= 5
    first_tenths = [sum(begin <= at < begin + 0.2 for at in later) for begin in (1.0, 1.2, 1.4)]
    assert max(first_tenths) <= 6  # one in 51 ms, and one late


async def test_limit_9_a_hundred_waiting_callers_are_served_in_order(tmp_path: Path) -> None:
    served: list[int] = []
    for _ in range(151):  # the burst of 6,000 a minute
        await rate_of_path().reserve(6000)

    async def call(number: int) -> None:
        limiter = Limiter("x", None, rpm=6000)
        await wait_for(limiter)
        served.append(number)
        await limiter.close()

    await asyncio.gather(*(call(number) for number in range(100)))
    assert all(abs(place - number) <= 1 for place, number in enumerate(served))


def rate_of_path() -> RateFile:
    return RateFile(rate_file_path("x", None))


async def test_auto_learns_the_servers_limit() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }  # fmt: skip
    with StandIn(script_handler(Script(*HELLO.steps, headers=headers))) as server:
        await get_completion(openai(server, rpm="auto"))
        assert rate_of(server).read().learned_rpm == 60
        await get_completion(openai(server, rpm="auto"))
        assert is_limited(server)


async def test_a_server_without_requests_left_is_not_asked_before_the_reset() -> None:
    headers = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}
    with StandIn(script_handler(Script(*HELLO.steps, headers=headers))) as server:
        await get_completion(openai(server, rpm=60))
        assert rate_of(server).is_paused()


async def test_tokens_are_settled_with_the_usage_reported() -> None:
    answer = Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(3000, 1000), DONE)
    with StandIn(script_handler(answer)) as server:
        await get_completion(openai(server, tpm=60_000, max_tokens=100))
        state = rate_of(server).read()
    # 4,000 tokens of 60,000 a minute, spaced by 2 %.
    assert state.next_token - state.written_at == pytest.approx(4.08, abs=0.5)


@pytest.mark.parametrize("tokens", [10**15, 10**400])
async def test_limit_3_a_senseless_usage_stops_nobody(tokens: int) -> None:
    answer = Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(tokens, tokens), DONE)
    with StandIn(script_handler(answer)) as server:
        for _ in range(2):
            await get_completion(openai(server, tpm=60_000, max_tokens=100))
        state = rate_of(server).read()
    # What was expected counts, since the server says nothing that can be true.
    assert state.next_token - state.written_at < 2


@pytest.mark.parametrize("tokens", [10**400, float("nan"), -5])
async def test_limit_3_a_senseless_usage_of_a_plugin_stops_nobody(tokens: Any) -> None:
    limiter = Limiter("x", None, tpm=60_000)
    await wait_for(limiter)
    await limiter.close(Usage(total_tokens=tokens))
    state = rate_of_path().read()
    assert state.next_token - state.written_at <= LONGEST_DEBT + 1


async def wait_for(limiter: Limiter) -> float:
    """Wait for the limit; returns when the request may be sent."""
    async for _ in limiter.wait([Message("user", ("hi",))], None):
        pass
    return time.monotonic()


async def test_limit_1_who_wakes_too_late_takes_a_new_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event loop is blocked when the time of a request comes, as if the process was stopped."""
    monkeypatch.setattr(rate_state, "BURST", 0)
    monkeypatch.setattr(rate_module, "LATE_SECONDS", 0.02)
    await rate_of_path().reserve(BURST_RPM)
    limiter = Limiter("x", None, rpm=BURST_RPM)
    waiting = asyncio.create_task(wait_for(limiter))
    await asyncio.sleep(0.1)
    time.sleep(0.3)
    others = [await rate_of_path().reserve(BURST_RPM) for _ in range(2)]
    # Its slot is over, so that it stands behind those that came meanwhile.
    assert await waiting > others[-1].start
    await limiter.close()


async def test_limit_11_a_call_that_waits_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for longer than a reservation lasts that is not renewed."""
    monkeypatch.setattr(rate_state, "BURST", 0)
    monkeypatch.setattr(rate_state, "UNRENEWED_WAIT", 0.05)
    for module in (rate_state, rate_module, limiter_module):
        monkeypatch.setattr(module, "EXPIRY", 0.2, raising=False)
        monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.05, raising=False)
    for _ in range(2):
        await rate_of_path().reserve(BURST_RPM)
    limiter = Limiter("x", None, rpm=BURST_RPM)
    waiting = asyncio.create_task(wait_for(limiter))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    other = await rate_of_path().reserve(BURST_RPM)
    assert other.start - await waiting > 0.2
    await limiter.close()


@pytest.mark.parametrize("setting", [{"rpm": 60}, {"concurrency": 1}])
async def test_files_that_cannot_be_used_are_noted_once(
    server: StandIn, home: Path, setting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter_module, "_noted", set())
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    (home / "file").write_text("not a folder")
    (note,) = notes(await collect_events(openai(server, **setting)))
    assert note.startswith("the rate limit cannot be shared: Not a directory (")
    assert not notes(await collect_events(openai(server, **setting)))
    await expect_error(OutputError, openai(server, strict=True, **setting))
    assert len(server.requests) == 2


async def test_a_server_that_is_gone_frees_its_slot() -> None:
    gone = Profile.of({"provider": "openai", "endpoint": "http://127.0.0.1:9/v1", "model": "m"})
    gone = gone.replace_set(concurrency=1, max_retries=0)
    async with asyncio.timeout(5):
        for _ in range(2):
            await expect_error(NetworkError, gone)


@pytest.mark.parametrize(
    ("settings", "schema", "tokens"),
    [
        ({"max_tokens": 5000}, None, 5000),
        ({"options": {"max_completion_tokens": 5000}}, None, 5000),
        ({"options": {"system": "word " * 4000}}, None, 4000),
        ({}, {"enum": ["word"] * 1000}, 1000),
    ],
    ids=["max_tokens", "option", "text of an option", "schema"],
)
async def test_tpm_counts_all_that_a_request_may_use(
    server: StandIn, settings: dict[str, Any], schema: dict[str, Any] | None, tokens: int
) -> None:
    """The answer reports no usage, so that the estimate stays."""
    limited = openai(server, tpm=600_000, **settings).replace_set(schema=schema)
    await get_completion(limited)
    state = rate_of(server).read()
    assert (state.next_token - state.written_at) * 10_000 > tokens
