"""The contract that each adapter keeps with its stand-in: errors, cuts and cancellation."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from easyllm_cli.errors import (
    AuthError,
    BusyError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    RefusedError,
)
from easyllm_cli.events import Retrying, Text
from easyllm_cli.providers.http import HTTPProvider
from tests.support.adapters import ADAPTERS, Adapter
from tests.support.asking import (
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    messages,
    open_provider,
)
from tests.support.standins.script import Cut, Reset, Script, Wait, script_handler
from tests.support.standins.server import StandIn, unreachable_server

pytestmark = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
both_ways = pytest.mark.parametrize("stream", [True, False])


async def test_unknown_model_is_not_found_with_close_names(adapter: Adapter) -> None:
    with StandIn(adapter.server().handle) as server:
        error = await expect_error(NotFoundError, adapter.profile(server, model=adapter.typo))
        assert len(answer_requests(server)) == 1
    assert error.exit_code == 4
    assert f'"{adapter.meant}"' in error.hint


@both_ways
async def test_401_is_a_key_error(adapter: Adapter, stream: bool) -> None:
    with StandIn(script_handler(adapter.refusal(401, "wrong key"))) as server:
        error = await expect_error(AuthError, adapter.profile(server), stream)
        assert len(server.requests) == 1
    assert (error.status, error.message, error.exit_code) == (401, "wrong key", 3)
    assert adapter.provider in error.where


@both_ways
async def test_429_is_retried_then_busy(adapter: Adapter, stream: bool) -> None:
    with StandIn(script_handler(adapter.refusal(429, "slow down"))) as server:
        error = await expect_error(BusyError, adapter.profile(server, max_retries=2), stream)
        assert len(server.requests) == 3
    assert (error.status, error.message, error.exit_code) == (429, "slow down", 5)


@both_ways
async def test_429_then_a_good_answer(adapter: Adapter, stream: bool) -> None:
    handler = adapter.server().handle
    refusals = iter([adapter.refusal(429, "slow down", retry_after="0.2")])

    async def handle(request: Any, reply: Any) -> None:
        script = next(refusals, None)
        await (script.play(reply) if script else handler(request, reply))

    with StandIn(handle) as server:
        events = await collect_events(adapter.profile(server), stream)
        first, second = answer_requests(server)
    assert 0.2 <= second.at - first.at < 1.0
    assert [event.wait for event in events if isinstance(event, Retrying)] == [0.2]
    assert events[-1].kind == "done"


@both_ways
@pytest.mark.parametrize("status", [400, 422])
async def test_400_is_refused_once(adapter: Adapter, status: int, stream: bool) -> None:
    with StandIn(script_handler(adapter.refusal(status, "bad request"))) as server:
        error = await expect_error(RefusedError, adapter.profile(server), stream)
        assert len(server.requests) == 1
    assert (error.status, error.message, error.exit_code) == (status, "bad request", 4)


@pytest.mark.parametrize("end", [None, Cut(), Reset()], ids=["eof", "cut", "reset"])
async def test_cut_keeps_the_partial_text(adapter: Adapter, end: Cut | Reset | None) -> None:
    partial = adapter.script("Hel", "lo", ends=False)
    steps = (*partial.steps, *([end] if end else ()))
    with StandIn(script_handler(Script(*steps, content_type=partial.content_type))) as server:
        error = await expect_error(IncompleteAnswer, adapter.profile(server))
        assert len(server.requests) == 1
    assert error.exit_code == 7
    assert error.partial is not None
    assert (error.partial["text"], error.partial["complete"]) == ("Hello", False)


async def test_cut_that_nobody_saw_is_tried_once_more(adapter: Adapter) -> None:
    cut = adapter.script("Hel", ends=False)
    with StandIn(script_handler(cut)) as server:
        error = await expect_error(IncompleteAnswer, adapter.profile(server), shown=())
        assert len(server.requests) == 2
    assert error.partial is not None
    assert error.partial["text"] == "Hel"
    with StandIn(script_handler(cut, adapter.script("Hello"))) as server:
        assert (await get_completion(adapter.profile(server), shown=()))["text"] == "Hello"


async def test_cut_plain_answer_is_an_error(adapter: Adapter) -> None:
    async def handle(_: Any, reply: Any) -> None:
        await reply.head(length=1000)
        await reply.write(b'{"choices": [{"message": {"content": "Hel')
        await reply.cut()

    with StandIn(handle) as server:
        await expect_error(NetworkError, adapter.profile(server, max_retries=1), stream=False)
        assert len(server.requests) == 2


async def test_empty_body_is_malformed(adapter: Adapter) -> None:
    with StandIn(script_handler(Script(content_type=adapter.wire.content_type))) as server:
        for stream in (True, False):
            await expect_error(MalformedAnswer, adapter.profile(server), stream)
        assert len(server.requests) == 2


async def test_silence_is_a_timeout(adapter: Adapter) -> None:
    silent = Script(Wait(5), content_type=adapter.wire.content_type)
    with StandIn(script_handler(silent)) as server:
        config = adapter.profile(server, timeout={"first_token": 0.2}, max_retries=1)
        await expect_error(FirstTokenTimeout, config)
        assert len(server.requests) == 2


async def test_nothing_listens(adapter: Adapter) -> None:
    with unreachable_server() as server:
        error = await expect_error(NetworkError, adapter.profile(server))
    assert (error.exit_code, error.retryable) == (6, False)
    assert ("ollama serve" in error.hint) == (adapter.provider == "ollama")


async def leave_by_timeout(texts: AsyncIterator[str]) -> None:
    async with asyncio.timeout(0.3):
        async for _ in texts:
            pass


async def leave_by_cancel(texts: AsyncIterator[str]) -> None:
    started = asyncio.Event()

    async def read() -> None:
        async for _ in texts:
            started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    await task


async def leave_by_error(texts: AsyncIterator[str]) -> None:
    stream: Any = texts
    try:
        async for _ in texts:
            raise asyncio.CancelledError
    finally:
        await stream.aclose()


@pytest.mark.parametrize("leave", [leave_by_timeout, leave_by_cancel, leave_by_error])
async def test_leaving_closes_the_connection(adapter: Adapter, leave: Any) -> None:
    partial = adapter.script("Hel", "lo", ends=False)
    slow = Script(*partial.steps, Wait(10), content_type=partial.content_type)
    with StandIn(script_handler(slow)) as server:
        async with open_provider(adapter.profile(server)) as provider:
            with pytest.raises((TimeoutError, asyncio.CancelledError)):
                await leave(provider.chat_stream(messages()))
            left_at = time.monotonic()
            await wait_until_closed(server)
        assert (server.requests[0].closed_at or 0) - left_at < 5
        assert len(server.requests) == 1


async def test_timeout_while_a_plain_answer_is_awaited(adapter: Adapter) -> None:
    with StandIn(script_handler(Script(Wait(10)))) as server:
        async with open_provider(adapter.profile(server)) as provider:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await provider.chat(messages())
            await wait_until_closed(server)


async def test_a_provider_answers_after_a_failure(adapter: Adapter) -> None:
    broken = Script(Reset())
    with StandIn(
        script_handler(broken, adapter.script("Hel", ends=False), adapter.script("Hello"))
    ) as server:
        async with open_provider(adapter.profile(server, max_retries=0)) as provider:
            assert isinstance(provider, HTTPProvider)
            for kind in (NetworkError, IncompleteAnswer):
                with pytest.raises(kind):
                    [event async for event in provider.stream(messages())]
            events = [event async for event in provider.stream(messages())]
    assert [event.text for event in events if isinstance(event, Text)] == ["Hello"]


async def wait_until_closed(server: StandIn) -> None:
    """Wait until the server has seen the connection of its first request close."""
    async with asyncio.timeout(10):
        while server.requests[0].closed_at is None:
            await asyncio.sleep(0.01)
