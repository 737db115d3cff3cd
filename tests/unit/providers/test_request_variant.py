"""A request that is refused for its form is sent in the other form, which is remembered."""

from typing import Any

import pytest

from easyllm_cli.errors import RefusedError
from easyllm_cli.pipeline.collector import collect
from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.asking import (
    collect_events,
    expect_error,
    get_completion,
    messages,
    notes,
    open_provider,
    openai,
    request_bodies,
)
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk
from tests.support.standins.server import Reply, StandIn

every_adapter = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda one: one.name)


def streams(request: Request) -> bool:
    """Whether a request asks for a stream; Gemini says it in the path."""
    if "enerateContent" in request.path:
        return "stream" in request.path
    return request.json.get("stream") is True


def taking(adapter: Adapter, stream: bool, words: str, status: int = 400) -> Any:
    """The adapter's stand-in, which answers one of the two ways and refuses the other."""
    good = adapter.server()

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "POST" and streams(request) != stream:
            await reply.json(adapter.wire.error(status, words), status)
        else:
            await good.handle(request, reply)

    return handle


NO_STREAM = [
    "Your organization must be verified to stream this model.",
    "Streaming is not supported for this model",
    "stream=true is unsupported",
    "only non-streaming requests are supported",
]
ONLY_STREAM = [
    "This model only support stream mode, please enable the stream parameter.",
    "Non-streaming calls are not supported",
    "enable_thinking must be false for non-streaming calls",
    "stream must be set to true",
    "Streaming is required for long requests",
]


@every_adapter
@pytest.mark.parametrize("words", NO_STREAM)
async def test_what_may_not_stream_is_asked_for_at_once(adapter: Adapter, words: str) -> None:
    with StandIn(taking(adapter, False, words)) as server:
        came = await collect_events(adapter.profile(server, strict=True))
        assert [streams(one) for one in server.requests] == [True, False]
    assert came[-1].kind == "done"
    (note,) = notes(came)
    assert words in note


@every_adapter
@pytest.mark.parametrize("words", ONLY_STREAM)
async def test_what_only_streams_is_streamed(adapter: Adapter, words: str) -> None:
    with StandIn(taking(adapter, True, words, 422)) as server:
        came = await collect_events(adapter.profile(server), stream=False)
        assert [streams(one) for one in server.requests] == [False, True]
    assert came[-1].kind == "done"
    assert words in notes(came)[0]


@every_adapter
async def test_the_way_is_remembered(adapter: Adapter) -> None:
    with StandIn(taking(adapter, False, NO_STREAM[0])) as server:
        async with open_provider(adapter.profile(server)) as provider:
            for _ in range(2):
                assert (await collect(provider.stream(messages())))["complete"]
        assert [streams(one) for one in server.requests] == [True, False, False]


async def test_neither_way_is_taken_is_the_servers_error() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        await reply.json(HTTP_ADAPTERS[0].wire.error(400, NO_STREAM[0]), 400)

    with StandIn(handle) as server:
        error = await expect_error(RefusedError, openai(server, model="gpt-4o"))
        assert len(server.requests) == 2
    assert error.message == NO_STREAM[0]


@pytest.mark.parametrize(
    "words",
    ["the upstream does not answer", "no such field: streaming_mode", "bad stream_options: not ok"],
)
async def test_other_words_change_nothing_of_the_way(words: str) -> None:
    with StandIn(taking(HTTP_ADAPTERS[0], False, words)) as server:
        await expect_error(RefusedError, openai(server, model="gpt-4o"))
        assert all(streams(one) for one in server.requests)


@pytest.mark.parametrize("ending", [DONE, b""])
async def test_a_server_that_always_streams_is_read(ending: bytes) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        await reply.head(200, None, "text/event-stream", chunked=True)
        for piece in (chunk("Hel"), chunk("lo"), chunk(finish="stop"), ending):
            await reply.write(piece)
        await reply.end()

    with StandIn(handle) as server:
        assert (await get_completion(openai(server), stream=False))["text"] == "Hello"


SYSTEM = [
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "System role not supported",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Only user and assistant roles are supported!",
    "systemInstruction is not supported here",
]


def without_system(adapter: Adapter, words: str, status: int = 400) -> Any:
    good = adapter.server()

    async def handle(request: Request, reply: Reply) -> None:
        if any(role == "system" for role, _ in adapter.wire.read_messages(request.json)):
            await reply.json(adapter.wire.error(status, words), status)
        else:
            await good.handle(request, reply)

    return handle


@every_adapter
@pytest.mark.parametrize("words", SYSTEM)
async def test_refused_system_text_goes_before_the_question(adapter: Adapter, words: str) -> None:
    with StandIn(without_system(adapter, words)) as server:
        async with open_provider(adapter.profile(server, system="Be brief.")) as provider:
            came = [event async for event in provider.stream(messages("Why?"))]
            again = [event async for event in provider.stream(messages("How?"))]
        sent = [adapter.wire.read_messages(body) for body in request_bodies(server)]
    assert sent[1:] == [[("user", "Be brief.\n\nWhy?")], [("user", "Be brief.\n\nHow?")]]
    assert words in notes(came)[0]
    assert notes(again) == []


async def test_refused_system_text_is_an_error_if_strict() -> None:
    with StandIn(without_system(HTTP_ADAPTERS[0], SYSTEM[1])) as server:
        await expect_error(RefusedError, openai(server, system="Be brief.", strict=True))
        assert len(server.requests) == 1


async def test_system_words_without_a_system_text_are_an_error() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        await reply.json(HTTP_ADAPTERS[0].wire.error(400, SYSTEM[1]), 400)

    with StandIn(handle) as server:
        await expect_error(RefusedError, openai(server))
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["seed", "top_p"])
async def test_a_422_names_a_parameter_as_a_400_does(name: str) -> None:
    good = OpenAIServer()

    async def handle(request: Request, reply: Reply) -> None:
        if name in request.json:
            detail = [{"loc": ["body", name], "msg": "Extra inputs are not permitted"}]
            await reply.json({"detail": detail}, 422)
        else:
            await good.handle(request, reply)

    with StandIn(handle) as server:
        came = await collect_events(openai(server, model="gpt-4o", seed=1, top_p=0.5))
        assert len(server.requests) == 2
        await expect_error(
            RefusedError, openai(server, model="gpt-4o", seed=1, top_p=0.5, strict=True)
        )
    assert name in notes(came)[0]
