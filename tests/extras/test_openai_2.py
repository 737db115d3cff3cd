"""`transport = "sdk"` with openai 2.x, which uses httpx: cases of the contract suite, and keys."""

import time
from importlib.metadata import version
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from easyllm_cli import OpenAIProvider
from easyllm_cli.errors import (
    AuthError,
    BusyError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
)
from easyllm_cli.events import Retrying, Text
from tests.support.adapters import KEY, REASONING_TEXT, SDK_ADAPTERS, Adapter
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    messages,
    open_provider,
)
from tests.support.images import png
from tests.support.standins.script import Cut, Reset, Script, Wait, script_handler
from tests.support.standins.server import StandIn, unreachable_server

PNG = png(8, 8, (200, 30, 30))
CHATS = [adapter for adapter in SDK_ADAPTERS if adapter.api is None]
pytestmark = pytest.mark.parametrize("adapter", CHATS, ids=lambda adapter: adapter.id)


def test_openai_is_version_2(adapter: Adapter) -> None:
    assert version("openai").startswith("2.")


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_with_its_reasoning(adapter: Adapter, stream: bool) -> None:
    with StandIn(adapter.server().handle) as server:
        events = await collect_events(
            adapter.profile(server, model=adapter.thinker, think=True), stream
        )
    done = events[-1]
    assert done.kind == "done"
    assert "".join(event.text for event in events if event.kind == "reasoning") == REASONING_TEXT  # type: ignore[union-attr]
    pieces = [event.text for event in events if isinstance(event, Text)]
    assert "".join(pieces).startswith(f"Hello from {adapter.thinker}")
    assert (len(pieces) > 1) == stream


@pytest.mark.parametrize("end", [None, Cut(), Reset()], ids=["eof", "cut", "reset"])
async def test_a_cut_keeps_the_partial_text(adapter: Adapter, end: Cut | Reset | None) -> None:
    beginning = adapter.script("Hel", "lo", ends=False)
    steps = (*beginning.steps, *([end] if end else ()))
    with StandIn(script_handler(Script(*steps))) as server:
        error = await expect_error(IncompleteAnswer, adapter.profile(server))
        assert len(server.requests) == 1
    assert error.partial is not None
    assert error.partial["text"] == "Hello"


async def test_401_is_a_key_error(adapter: Adapter) -> None:
    with StandIn(script_handler(adapter.refusal(401, "wrong key"))) as server:
        error = await expect_error(AuthError, adapter.profile(server))
        assert len(server.requests) == 1
    assert (error.status, error.message, error.exit_code) == (401, "wrong key", 3)


async def test_429_is_waited_out(adapter: Adapter) -> None:
    busy = adapter.refusal(429, "slow down", retry_after="0.2")
    with StandIn(script_handler(busy, adapter.script("Hello"))) as server:
        events = await collect_events(adapter.profile(server))
        assert [event.wait for event in events if isinstance(event, Retrying)] == [0.2]
        assert len(server.requests) == 2
    with StandIn(script_handler(busy)) as server:
        await expect_error(BusyError, adapter.profile(server, max_retries=1))
        assert len(server.requests) == 2


async def test_a_picture_arrives(adapter: Adapter) -> None:
    with StandIn(adapter.server().handle) as server:
        async with open_provider(adapter.profile(server, model=adapter.vision_model)) as provider:
            await provider.vision_chat("What is this?", PNG)
        assert adapter.wire.images(answer_requests(server)[-1].json) == [("image/png", PNG)]


async def test_no_answer_is_told_by_its_class(adapter: Adapter) -> None:
    with StandIn(script_handler(Script(b"<html>", content_type="text/html"))) as server:
        await expect_error(MalformedAnswer, adapter.profile(server))
    silent = {"timeout": {"first_token": 0.3}, "max_retries": 0}
    with StandIn(script_handler(Script(Wait(5)))) as server:
        started_at = time.monotonic()
        await expect_error(FirstTokenTimeout, adapter.profile(server, **silent))
        assert 0.3 <= time.monotonic() - started_at < 5
    with unreachable_server() as server:
        error = await expect_error(NetworkError, adapter.profile(server))
    assert (error.code, error.retryable) == ("refused", False)


async def test_the_sdks_variables_are_not_sent(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "leaked")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: leaked")
    with StandIn(script_handler(adapter.script("Hello"))) as server:
        await get_completion(adapter.profile(server, api_key=None))
        await get_completion(adapter.profile(server))
        first, second = server.requests
    assert "leaked" not in str([first.headers, second.headers])
    assert "authorization" not in first.headers
    assert second.headers["authorization"] == f"Bearer {KEY}"


async def test_azure_and_clients_passed_in(adapter: Adapter) -> None:
    with StandIn(script_handler(adapter.script("Hello"))) as server:
        keys: Json = {"endpoint": "http://r.openai.azure.com", "proxy": server.url}
        keys |= {"options": {"api_version": "2024-10-21"}, "allow_http": True}
        azure = adapter.profile(server, model="m", **keys)
        await get_completion(azure)
        clients: list[Any] = [
            AsyncOpenAI(api_key=KEY, base_url=f"{server.url}/v1"),
            AsyncAzureOpenAI(api_key=KEY, azure_endpoint=server.url, api_version="2024-10-21"),
        ]
        for client in clients:
            async with client:
                provider = OpenAIProvider({"model": "m"}, client=client)
                assert [text async for text in provider.chat_stream(messages())] == ["Hello"]
        paths = [request.path for request in server.requests]
        deployed = "/openai/deployments/m/chat/completions"
        assert paths == [deployed, "/v1/chat/completions", deployed]
        assert [request.headers.get("api-key") for request in server.requests] == [KEY, None, KEY]
