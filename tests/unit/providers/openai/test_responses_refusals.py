"""Responses: request fields that the server refuses or that the protocol does not have."""

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


def responses_config(server: StandIn, **keys: Any) -> Profile:
    return openai(server, **{"model": "gpt-4o", "api": "responses", **keys})


def reasoning_events(events: list[Event]) -> list[Reasoning]:
    return [event for event in events if isinstance(event, Reasoning)]


@pytest.mark.parametrize("keys", [{"think": True}, {"reasoning": "high"}])
async def test_unverified_organization_gets_an_answer_without_a_summary(keys: Json) -> None:
    standin = ResponsesServer(summary=("a plan",), verified=False)
    with StandIn(standin.handle) as server:
        events = await collect_events(responses_config(server, **keys))
        first, second = (body.get("reasoning", {}) for body in request_bodies(server))
    assert (first.pop("summary"), first) == ("auto", second)
    assert [text for text in notes(events) if "must be verified" in text] == notes(events)
    assert len(notes(events)) == 1
    assert reasoning_events(events) == [Reasoning("", hidden=True)]
    assert events[-1].kind == "done"


async def test_unverified_organization_is_an_error_if_strict() -> None:
    with StandIn(ResponsesServer(summary=("a plan",), verified=False).handle) as server:
        error = await expect_error(RefusedError, responses_config(server, think=True, strict=True))
        assert len(server.requests) == 1
    assert "must be verified" in error.message


@pytest.mark.parametrize("strict", [True, False])
async def test_refused_store_is_left_out_without_a_note(strict: bool) -> None:
    with StandIn(ResponsesServer(rejects={"store"}).handle) as server:
        events = await collect_events(responses_config(server, strict=strict))
        assert ["store" in body for body in request_bodies(server)] == [True, False]
    assert notes(events) == []
    assert events[-1].kind == "done"


UNSUPPORTED: Json = {"stop": ["x"], "seed": 1, "top_k": 5}


async def test_unsupported_settings_are_left_out_with_one_note_per_answer() -> None:
    with StandIn(ResponsesServer().handle) as server:
        async with open_provider(
            responses_config(server, **UNSUPPORTED, temperature=0.2)
        ) as provider:
            events = [event async for event in provider.stream(messages())]
            second_events = [event async for event in provider.stream(messages())]
        assert [set(body) & set(UNSUPPORTED) for body in request_bodies(server)] == [set(), set()]
        assert request_bodies(server)[0]["temperature"] == 0.2
    [note] = notes(events)
    assert all(name in note for name in UNSUPPORTED)
    assert notes(second_events) == [note]


async def test_unsupported_setting_is_an_error_if_strict() -> None:
    with StandIn(ResponsesServer().handle) as server:
        error = await expect_error(RefusedError, responses_config(server, seed=1, strict=True))
        assert server.requests == []
    assert "seed" in error.message
    assert 'api = "chat"' in error.hint


async def test_unsupported_setting_can_be_sent_as_an_option() -> None:
    """A server may accept more than OpenAI does, and `-o` is the user's own field."""
    with StandIn(ResponsesServer().handle) as server:
        with suppress(EasyLLMError):
            await get_completion(responses_config(server, options={"top_k": 5}))
        assert request_bodies(server)[0]["top_k"] == 5


@pytest.mark.parametrize("model", ["gpt-4o", None])
async def test_server_without_responses_has_a_hint(model: str | None) -> None:
    with StandIn(OpenAIServer().handle) as server:
        error = await expect_error(NotFoundError, responses_config(server, model=model))
    assert 'api = "chat"' in error.hint


async def test_plain_body_instead_of_a_stream_is_read() -> None:
    body = response(
        [reasoning_item("rs", "a", "b"), message_item("m", "Hel", "lo"), message_item("n", "!")]
    )
    with StandIn(lambda _, reply: reply.json(body)) as server:
        streamed = await get_completion(responses_config(server))
        plain = await get_completion(responses_config(server), stream=False)
    assert (streamed["reasoning"], streamed["text"]) == ("a\n\nb", "Hello!")
    assert plain["response"] == body
    assert {**streamed, "response": None} == {**plain, "response": None}


async def test_summary_parts_are_streamed() -> None:
    with StandIn(ResponsesServer(summary=("First this.", "Then that.")).handle) as server:
        events = await collect_events(responses_config(server, think=True))
        assert len(answer_requests(server)) == 1
    assert len(reasoning_events(events)) > 2
    assert "".join(event.text for event in reasoning_events(events)) == "First this.\n\nThen that."
