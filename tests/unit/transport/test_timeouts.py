"""Timeouts of one answer: what counts as waiting for the server, and what does not."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError, FirstTokenTimeout, IncompleteAnswer, NetworkError
from easyllm_cli.events import Event, Text, Usage
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.transport.timeouts import ResponseTimer, timeout_with_grace
from tests.support.adapters import ADAPTERS, HTTP_ADAPTERS, KEY, Adapter
from tests.support.asking import get_completion, messages, open_provider, profile
from tests.support.flooding import ENCRYPTED, FLOODS, serve_flood
from tests.support.over_tls import SlowToConnect, serve_tls
from tests.support.proxying import slow_proxy
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler, sse
from tests.support.standins.server import StandIn

LIMIT = 0.15  # seconds, for a timeout that must end something
ENOUGH = 1.0  # seconds, for a timeout that must not
LATEST = 10.0  # seconds in which a timeout must have ended everything, even on a slow machine
over_every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
# The first adapter of each transport, and the one whose frames are lines.
FIRST = {
    *map([adapter.transport for adapter in ADAPTERS].index, ("http", "sdk", "aiohttp")),
    [adapter.name for adapter in ADAPTERS].index("ollama"),
}
over_each = pytest.mark.parametrize("transport", ["http", "aiohttp", "sdk"])


async def ended(request_profile: Profile, stream: bool = True) -> tuple[EasyLLMError, float]:
    """The error that ended the answer, and the seconds until it came."""
    began = time.monotonic()
    async with asyncio.timeout(LATEST):
        with pytest.raises(EasyLLMError) as caught:
            await get_completion(request_profile, stream)
    return caught.value, time.monotonic() - began


def profile_of(adapter: Adapter, url: str, **keys: Any) -> Profile:
    """A profile without retries for the adapter's protocol."""
    return profile(
        adapter.provider, url + adapter.base, model=adapter.model, api=adapter.api,
        api_key=KEY, transport=adapter.transport, max_retries=0, **keys,
    )  # fmt: skip


@over_every_adapter
async def test_flood_of_empty_frames_ends_at_first_token(adapter: Adapter) -> None:
    with serve_flood(FLOODS[adapter.name], adapter.wire.content_type) as url:
        error, took = await ended(profile_of(adapter, url, timeout={"first_token": LIMIT}))
    assert type(error) is FirstTokenTimeout
    assert f"no token came within {LIMIT:g} s" in str(error)
    assert took >= LIMIT


@over_every_adapter
async def test_flood_of_empty_frames_after_text_ends_at_idle(adapter: Adapter) -> None:
    first = adapter.wire.text("Hello")
    with serve_flood(FLOODS[adapter.name], adapter.wire.content_type, first) as url:
        error, took = await ended(profile_of(adapter, url, timeout={"idle": LIMIT}))
    assert type(error) is IncompleteAnswer
    assert f"nothing came for {LIMIT:g} s" in str(error)
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
    assert took >= LIMIT


async def test_flood_of_encrypted_reasoning_ends_at_idle() -> None:
    with serve_flood(ENCRYPTED, "text/event-stream") as url:
        request_profile = profile("openrouter", url, timeout={"idle": LIMIT}, max_retries=0)
        error, _ = await ended(request_profile)
    assert f"nothing came for {LIMIT:g} s" in str(error)


@pytest.mark.parametrize(
    "adapter",
    [
        pytest.param(adapter, id=adapter.id, marks=[] if number in FIRST else pytest.mark.full)
        for number, adapter in enumerate(ADAPTERS)
    ],
)
@pytest.mark.parametrize("text", ["", "x"])
async def test_a_flood_ends_at_total(adapter: Adapter, text: str) -> None:
    """A flood of empty frames, or of an answer that does not end.

    `total` looks at no event, so one protocol over each transport is enough, and one of NDJSON.
    """
    flood = adapter.wire.text(text) if text else FLOODS[adapter.name]
    with serve_flood(flood, adapter.wire.content_type) as url:
        error, took = await ended(profile_of(adapter, url, timeout={"total": LIMIT}))
    assert type(error) is (IncompleteAnswer if text else FirstTokenTimeout)
    assert f"timeout.total = {LIMIT:g} s" in str(error)
    assert took >= LIMIT


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.id)
async def test_flood_of_white_space_ends_a_buffered_request(adapter: Adapter) -> None:
    with serve_flood(b" \r\n", "application/json") as url:
        request_profile = profile_of(adapter, url, timeout={"total": LIMIT})
        error, took = await ended(request_profile, stream=False)
    assert type(error) is FirstTokenTimeout
    assert took >= LIMIT


async def test_flood_of_white_space_ends_a_model_list() -> None:
    with serve_flood(b"\n", "application/json") as url:
        async with (
            open_provider(profile("openai", f"{url}/v1")) as provider,
            asyncio.timeout(LATEST),
        ):
            provider.metadata_timeout = LIMIT
            with pytest.raises(FirstTokenTimeout):
                await provider.list_models()


@over_each
async def test_flood_after_the_end_loses_nothing(transport: str) -> None:
    first = chunk("Hello") + chunk(finish="stop") + DONE
    async with asyncio.timeout(LATEST):
        with serve_flood(b": ping\n\n", "text/event-stream", first) as url:
            completion = await get_completion(profile("openai", f"{url}/v1", transport=transport))
    assert (completion["text"], completion["complete"]) == ("Hello", True)


@pytest.mark.parametrize("slow_with", [Text, Usage])
async def test_slow_reader_does_not_count_as_a_silent_server(slow_with: type[Event]) -> None:
    """Whichever event the reader is slow with, and whichever timeout is short."""
    counts = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    usage = sse({"choices": [], "usage": counts})
    script = Script(chunk("a"), usage, chunk("b"), chunk(finish="stop"), usage, DONE)
    limits = {"first_token": ENOUGH, "idle": ENOUGH, "total": ENOUGH}
    events = []
    with StandIn(script_handler(script)) as server:
        async with open_provider(profile("openai", f"{server.url}/v1", timeout=limits)) as provider:
            async for event in provider.stream(messages(), True):
                events.append(event)
                if isinstance(event, slow_with):
                    await asyncio.sleep(1.2 * ENOUGH)
    assert [event.text for event in events if isinstance(event, Text)] == ["a", "b"]


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    authority = tmp_path / "authority.pem"
    with serve_tls(SlowToConnect, authority) as url:
        yield url, authority


def over_slow_tls(site: tuple[str, Path], **keys: Any) -> Profile:
    url, authority = site
    settings: dict[str, Any] = {"api_key": "k", "ca_bundle": str(authority), "max_retries": 0}
    return profile("openai", f"{url}/v1", **settings, **keys)


@over_each
@pytest.mark.parametrize("proxy", [False, True], ids=["direct", "proxy"])
async def test_connecting_does_not_use_up_first_token(
    slow: tuple[str, Path], transport: str, proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a slow TLS handshake nor a slow proxy tunnel does."""
    monkeypatch.setattr(SlowToConnect, "connecting", 0.3)
    waits = 0.3 * proxy
    with slow_proxy(waits) as tunnel:
        error, took = await ended(over_slow_tls(
            slow, transport=transport, proxy=tunnel if proxy else None,
            timeout={"connect": 10, "first_token": LIMIT},
        ))  # fmt: skip
    assert type(error) is FirstTokenTimeout
    assert took >= 0.3 + waits + LIMIT
    assert f"no token came within {LIMIT:g} s" in str(error)


@over_each
@pytest.mark.parametrize("proxy", [False, True], ids=["direct", "proxy"])
async def test_connecting_may_take_longer_than_first_token(
    slow: tuple[str, Path], transport: str, proxy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SlowToConnect, "connecting", 1.5 * ENOUGH)
    monkeypatch.setattr(SlowToConnect, "sends", chunk("Hello") + chunk(finish="stop") + DONE)
    with slow_proxy(1.2 * ENOUGH) as tunnel:
        completion = await get_completion(over_slow_tls(
            slow, transport=transport, proxy=tunnel if proxy else None,
            timeout={"connect": 10, "first_token": ENOUGH},
        ))  # fmt: skip
    assert completion["text"] == "Hello"


@over_each
async def test_proxy_that_opens_no_tunnel_ends_at_connect(transport: str) -> None:
    """`connect` limits the wait, whatever `first_token` is."""
    with slow_proxy(30) as tunnel:
        error, took = await ended(profile(
            "openai", "https://far.invalid/v1", api_key="k", proxy=tunnel, max_retries=0,
            transport=transport, timeout={"connect": LIMIT},
        ))  # fmt: skip
    assert type(error) is NetworkError
    assert error.code == "connect"
    assert took >= LIMIT


async def test_first_token_starts_at_once_on_a_kept_connection() -> None:
    """The second answer needs no connection: its timeout starts when its request is sent."""
    hello = Script(chunk("Hello"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(hello, Script(Wait(20)))) as server:
        limits = {"connect": 10, "first_token": LIMIT}
        request_profile = profile("openai", f"{server.url}/v1", timeout=limits, max_retries=0)
        async with open_provider(request_profile) as provider, asyncio.timeout(LATEST):
            await collect(provider.stream(messages(), True))
            with pytest.raises(FirstTokenTimeout):
                await collect(provider.stream(messages(), True))


LIMITS = {"first_token": (0.2, 9.0, None), "idle": (9.0, 0.2, None), "total": (9.0, 9.0, 0.2)}


def block_loop(ours: socket.socket, data: bytes) -> None:
    """Send data, then block the event loop for longer than a timeout."""
    ours.sendall(data)
    time.sleep(0.5)


@pytest.mark.parametrize("limit", LIMITS)
async def test_late_timer_reads_available_data_first(limit: str) -> None:
    timer = ResponseTimer(*LIMITS[limit])
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours:
        reader, writer = await asyncio.open_connection(sock=theirs)
        if limit == "idle":
            ours.sendall(b"-")
            await timer.wait(reader.readexactly(1))
            timer.progress()
        loop.call_soon(block_loop, ours, b"a")
        assert await timer.wait(reader.readexactly(1)) == b"a"
        loop.call_later(0.01, ours.sendall, b"b")  # data that arrives just after is in time, too
        assert await timer.wait(reader.readexactly(1)) == b"b"
        with pytest.raises(EasyLLMError):
            await timer.wait(reader.readexactly(1))
        writer.close()


async def test_late_timeout_of_a_command_reads_available_data_first() -> None:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours:
        reader, writer = await asyncio.open_connection(sock=theirs)
        async with timeout_with_grace(0.2):
            loop.call_soon(block_loop, ours, b"a")
            assert await reader.readexactly(1) == b"a"
        with pytest.raises(TimeoutError):
            async with timeout_with_grace(0.2):
                await reader.readexactly(1)
        writer.close()


async def test_timer_fires_if_data_is_always_available() -> None:
    """Such data gives the event loop no turn, but the timer must end the answer all the same."""

    async def available() -> bytes:
        return b": ping"

    async def read_for_ever() -> None:
        while True:
            await timer.wait(available())

    timer = ResponseTimer(0.1, 9.0)
    with pytest.raises(FirstTokenTimeout):
        await read_for_ever()
