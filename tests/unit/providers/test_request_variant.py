"""A request refused for its form is sent in the other form, which is remembered."""

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

every_adapter = pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.name)


def with_each(words: list[str]) -> pytest.MarkDecorator:
    """Parametrize with every adapter and all of the words.

    The words are recognized by code that no protocol has a part in: most products are `full`.
    """
    return pytest.mark.parametrize(
        ("adapter", "words"),
        [
            pytest.param(
                adapter, text, id=f"{adapter.name}-{number}",
                marks=pytest.mark.full if place and number else (),
            )
            for place, adapter in enumerate(HTTP_ADAPTERS)
            for number, text in enumerate(words)
        ],
    )  # fmt: skip


def streams(request: Request) -> bool:
    """Return whether a request asks for a stream; Gemini's path says it."""
    if "enerateContent" in request.path:
        return "stream" in request.path
    return request.json.get("stream") is True


def accepting_only(adapter: Adapter, stream: bool, words: str, status: int = 400) -> Any:
    """Return a handler that accepts streamed or plain requests, and refuses the others."""
    stand_in = adapter.server()

    async def handle(request: Request, reply: Reply) -> None:
        if request.method == "POST" and streams(request) != stream:
            await reply.json(adapter.wire.error(status, words), status)
        else:
            await stand_in.handle(request, reply)

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


@with_each(NO_STREAM)
async def test_refused_stream_is_repeated_without_streaming(adapter: Adapter, words: str) -> None:
    with StandIn(accepting_only(adapter, False, words)) as server:
        events = await collect_events(adapter.profile(server, strict=True))
        assert [streams(request) for request in server.requests] == [True, False]
    assert events[-1].kind == "done"
    (note,) = notes(events)
    assert words in note


@with_each(ONLY_STREAM)
async def test_refused_plain_request_is_repeated_as_a_stream(adapter: Adapter, words: str) -> None:
    with StandIn(accepting_only(adapter, True, words, 422)) as server:
        events = await collect_events(adapter.profile(server), stream=False)
        assert [streams(request) for request in server.requests] == [False, True]
    assert events[-1].kind == "done"
    assert words in notes(events)[0]


@every_adapter
async def test_accepted_form_is_remembered(adapter: Adapter) -> None:
    with StandIn(accepting_only(adapter, False, NO_STREAM[0])) as server:
        async with open_provider(adapter.profile(server)) as provider:
            for _ in range(2):
                assert (await collect(provider.stream(messages())))["complete"]
        assert [streams(request) for request in server.requests] == [True, False, False]


async def test_both_forms_refused_is_the_servers_error() -> None:
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
async def test_unrelated_refusal_does_not_change_the_form(words: str) -> None:
    with StandIn(accepting_only(HTTP_ADAPTERS[0], False, words)) as server:
        await expect_error(RefusedError, openai(server, model="gpt-4o"))
        assert all(streams(request) for request in server.requests)


@pytest.mark.parametrize("ending", [DONE, b""])
async def test_a_server_that_always_streams_is_read(ending: bytes) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        await reply.head(200, None, "text/event-stream", chunked=True)
        for frame in (chunk("Hel"), chunk("lo"), chunk(finish="stop"), ending):
            await reply.write(frame)
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
    stand_in = adapter.server()

    async def handle(request: Request, reply: Reply) -> None:
        if any(role == "system" for role, _ in adapter.wire.read_messages(request.json)):
            await reply.json(adapter.wire.error(status, words), status)
        else:
            await stand_in.handle(request, reply)

    return handle


@with_each(SYSTEM)
async def test_refused_system_text_moves_into_the_user_message(
    adapter: Adapter, words: str
) -> None:
    with StandIn(without_system(adapter, words)) as server:
        async with open_provider(adapter.profile(server, system="Be brief.")) as provider:
            events = [event async for event in provider.stream(messages("Why?"))]
            second_events = [event async for event in provider.stream(messages("How?"))]
        sent = [adapter.wire.read_messages(body) for body in request_bodies(server)]
    assert sent[1:] == [[("user", "Be brief.\n\nWhy?")], [("user", "Be brief.\n\nHow?")]]
    assert words in notes(events)[0]
    assert notes(second_events) == []


async def test_refused_system_text_is_an_error_if_strict() -> None:
    with StandIn(without_system(HTTP_ADAPTERS[0], SYSTEM[1])) as server:
        await expect_error(RefusedError, openai(server, system="Be brief.", strict=True))
        assert len(server.requests) == 1


async def test_system_refusal_without_a_system_text_is_an_error() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        await reply.json(HTTP_ADAPTERS[0].wire.error(400, SYSTEM[1]), 400)

    with StandIn(handle) as server:
        await expect_error(RefusedError, openai(server))
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["seed", "top_p"])
async def test_422_that_names_a_parameter_is_handled_like_400(name: str) -> None:
    stand_in = OpenAIServer()

    async def handle(request: Request, reply: Reply) -> None:
        if name in request.json:
            detail = [{"loc": ["body", name], "msg": "Extra inputs are not permitted"}]
            await reply.json({"detail": detail}, 422)
        else:
            await stand_in.handle(request, reply)

    with StandIn(handle) as server:
        events = await collect_events(openai(server, model="gpt-4o", seed=1, top_p=0.5))
        assert len(server.requests) == 2
        await expect_error(
            RefusedError, openai(server, model="gpt-4o", seed=1, top_p=0.5, strict=True)
        )
    assert name in notes(events)[0]
