"""Responses where a server refuses a part of the request, or where the protocol lacks it."""

from contextlib import suppress
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import EasyLLMError, NotFoundError, RefusedError
from easyllm_cli.events import Event, Reasoning
from tests.support.asking import (
    Json,
    answer_requests,
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
from tests.support.standins.responses import ResponsesServer, message_item, reasoning_item, response
from tests.support.standins.server import StandIn


def talking(server: StandIn, **keys: Any) -> Profile:
    return openai(server, **{"model": "gpt-4o", "api": "responses", **keys})


def thoughts(came: list[Event]) -> list[Reasoning]:
    return [event for event in came if isinstance(event, Reasoning)]


@pytest.mark.parametrize("keys", [{"think": True}, {"reasoning": "high"}])
async def test_an_organization_not_verified_gets_its_answer(keys: Json) -> None:
    standin = ResponsesServer(summary=("a plan",), verified=False)
    with StandIn(standin.handle) as server:
        came = await collect_events(talking(server, **keys))
        first, second = (body.get("reasoning", {}) for body in request_bodies(server))
    assert (first.pop("summary"), first) == ("auto", second)
    assert [text for text in notes(came) if "must be verified" in text] == notes(came)
    assert len(notes(came)) == 1
    assert thoughts(came) == [Reasoning("", hidden=True)]
    assert came[-1].kind == "done"


async def test_an_organization_not_verified_and_strict() -> None:
    with StandIn(ResponsesServer(summary=("a plan",), verified=False).handle) as server:
        error = await expect_error(RefusedError, talking(server, think=True, strict=True))
        assert len(server.requests) == 1
    assert "must be verified" in error.message


@pytest.mark.parametrize("strict", [True, False])
async def test_store_is_ours_and_left_out_in_silence(strict: bool) -> None:
    with StandIn(ResponsesServer(rejects={"store"}).handle) as server:
        came = await collect_events(talking(server, strict=strict))
        assert ["store" in body for body in request_bodies(server)] == [True, False]
    assert notes(came) == []
    assert came[-1].kind == "done"


LACKING: Json = {"stop": ["x"], "seed": 1, "top_k": 5}


async def test_what_the_protocol_lacks_is_left_out_and_told_once_an_answer() -> None:
    with StandIn(ResponsesServer().handle) as server:
        async with open_provider(talking(server, **LACKING, temperature=0.2)) as provider:
            came = [event async for event in provider.stream(messages())]
            again = [event async for event in provider.stream(messages())]
        assert [set(body) & set(LACKING) for body in request_bodies(server)] == [set(), set()]
        assert request_bodies(server)[0]["temperature"] == 0.2
    [note] = notes(came)
    assert all(name in note for name in LACKING)
    assert notes(again) == [note]


async def test_what_the_protocol_lacks_is_an_error_if_strict() -> None:
    with StandIn(ResponsesServer().handle) as server:
        error = await expect_error(RefusedError, talking(server, seed=1, strict=True))
        assert server.requests == []
    assert "seed" in error.message
    assert 'api = "chat"' in error.hint


async def test_what_the_protocol_lacks_goes_as_an_option() -> None:
    """A server may take more than OpenAI does, and `-o` is the user's own."""
    with StandIn(ResponsesServer().handle) as server:
        with suppress(EasyLLMError):
            await get_completion(talking(server, options={"top_k": 5}))
        assert request_bodies(server)[0]["top_k"] == 5


@pytest.mark.parametrize("model", ["gpt-4o", None])
async def test_a_server_without_responses_says_so(model: str | None) -> None:
    with StandIn(OpenAIServer().handle) as server:
        error = await expect_error(NotFoundError, talking(server, model=model))
    assert 'api = "chat"' in error.hint


async def test_a_whole_body_instead_of_a_stream_is_shown() -> None:
    body = response(
        [reasoning_item("rs", "a", "b"), message_item("m", "Hel", "lo"), message_item("n", "!")]
    )
    with StandIn(lambda _, reply: reply.json(body)) as server:
        streamed = await get_completion(talking(server))
        plain = await get_completion(talking(server), stream=False)
    assert (streamed["reasoning"], streamed["text"]) == ("a\n\nb", "Hello!")
    assert plain["response"] == body
    assert {**streamed, "response": None} == {**plain, "response": None}


async def test_a_summary_in_parts_is_shown_as_it_comes() -> None:
    with StandIn(ResponsesServer(summary=("First this.", "Then that.")).handle) as server:
        came = await collect_events(talking(server, think=True))
        assert len(answer_requests(server)) == 1
    assert len(thoughts(came)) > 2
    assert "".join(event.text for event in thoughts(came)) == "First this.\n\nThen that."
