"""The contract that each adapter keeps with its stand-in: complete answers."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from easyllm_cli.events import Done, Event, Start, Text, Usage
from easyllm_cli.images import Image
from easyllm_cli.messages import Message, parse_messages
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.service import LLMService
from tests.support.adapters import ADAPTERS, KEY, REASONING_TEXT, Adapter
from tests.support.asking import (
    QUESTION,
    Json,
    answer_requests,
    collect_events,
    get_completion,
    messages,
    open_provider,
)
from tests.support.images import png
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

PNG = png(8, 8, (200, 30, 30))
TALK: list[Json] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


@dataclass(frozen=True)
class Bench:
    """An adapter and its running stand-in."""

    adapter: Adapter
    server: StandIn

    def profile(self, **keys: Any) -> Any:
        return self.adapter.profile(self.server, **keys)

    @property
    def sent(self) -> Json:
        """The body of the last request for an answer."""
        body: Json = answer_requests(self.server)[-1].json
        return body


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.id)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    adapter: Adapter = request.param
    with StandIn(adapter.server().handle) as server:
        yield Bench(adapter, server)


def shape(events: list[Event]) -> list[str]:
    """Return the kinds of the events, with equal neighbours merged."""
    kinds = [event.kind for event in events]
    return [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]


async def test_events_come_in_order(bench: Bench) -> None:
    events = await collect_events(bench.profile(model=bench.adapter.thinker, think=True))
    assert shape(events) == ["start", "reasoning", "text", "usage", "done"]
    assert events[0] == Start(bench.adapter.provider, bench.adapter.thinker, bench.adapter.provider)
    assert len([event for event in events if isinstance(event, Text)]) > 1


@pytest.mark.parametrize("think", [False, True])
async def test_streaming_equals_plain(bench: Bench, think: bool) -> None:
    model = bench.adapter.thinker if think else bench.adapter.model
    streamed = await get_completion(bench.profile(model=model, think=think))
    assert bench.sent.get("stream", True) is True
    plain = await get_completion(bench.profile(model=model, think=think), stream=False)
    assert bench.sent.get("stream", False) is False
    assert streamed["text"] == f"Hello from {model}: {QUESTION}"
    for key in ("text", "reasoning", "finish_reason", "complete", "usage", "model", "provider"):
        assert streamed[key] == plain[key], key
    assert (plain["finish_reason"], plain["complete"]) == ("stop", True)
    assert json.loads(json.dumps(plain)) == plain


async def test_usage_is_present(bench: Bench) -> None:
    events = await collect_events(bench.profile())
    usages = [event for event in events if isinstance(event, Usage)]
    assert len(usages) == 1
    assert (usages[0].prompt_tokens or 0) > 0
    assert (usages[0].completion_tokens or 0) > 0
    both = (usages[0].prompt_tokens or 0) + (usages[0].completion_tokens or 0)
    assert usages[0].total_tokens == both
    assert usages[0].estimated is False


@pytest.mark.parametrize("keys", [{"think": True}, {"reasoning": "high"}, {"reasoning": "max"}])
@pytest.mark.parametrize("stream", [True, False])
async def test_reasoning_when_asked(bench: Bench, keys: Json, stream: bool) -> None:
    done = await get_completion(bench.profile(model=bench.adapter.thinker, **keys), stream)
    assert done["reasoning"] == REASONING_TEXT
    assert done["text"] == f"Hello from {bench.adapter.thinker}: {QUESTION}"


async def test_no_reasoning_when_off(bench: Bench) -> None:
    done = await get_completion(bench.profile(model=bench.adapter.thinker, reasoning="off"))
    if bench.adapter.name == "openai":  # its stand-in always returns reasoning
        assert "reasoning_effort" in bench.sent
    else:
        assert done["reasoning"] is None
        assert done["usage"]["reasoning_tokens"] in (None, 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_images_reach_the_server_intact(bench: Bench, stream: bool) -> None:
    second = png(3, 3, (0, 0, 255))
    pictures = Message("user", (Image.of(PNG), "Which colours?", Image.of(second)))
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        await collect(provider.stream([pictures], stream))
    seen = bench.adapter.wire.images(bench.sent)
    assert [data for _, data in seen] == [PNG, second]
    assert bench.adapter.wire.read_messages(bench.sent) == [("user", "Which colours?")]


async def test_system_prompt_and_turns_are_placed(bench: Bench) -> None:
    async with open_provider(bench.profile()) as provider:
        await provider.chat(TALK)
    wanted = [(turn["role"], turn["content"]) for turn in TALK]
    assert bench.adapter.wire.read_messages(bench.sent) == wanted


async def test_models_lists(bench: Bench) -> None:
    async with open_provider(bench.profile()) as provider:
        models = await provider.models()
        assert [model.id for model in models] == list(bench.adapter.listed)
        assert await provider.list_models() == list(bench.adapter.listed)


async def test_the_specs_four_methods(bench: Bench) -> None:
    async with open_provider(bench.profile(model=bench.adapter.vision_model)) as provider:
        plain = await provider.chat(messages())
        assert bench.sent.get("stream", False) is False
        stream: Any = provider.chat_stream(messages())
        async with aclosing(stream) as texts:
            deltas = [text async for text in texts]
        assert (
            "".join(deltas)
            == plain["text"]
            == f"Hello from {bench.adapter.vision_model}: {QUESTION}"
        )
        assert len(deltas) > 1
        assert isinstance(plain["response"], dict)
        seen = await provider.vision_chat("What is this?", PNG)
        assert seen["complete"] is True
        assert bench.adapter.wire.images(bench.sent)[0][1] == PNG


async def test_the_service_gives_the_same_answer(bench: Bench) -> None:
    config = bench.profile()
    done = await collect(LLMService().stream(config, messages()))
    alone = await get_completion(config)
    assert {**done, "response": None} == {**alone, "response": None}
    assert done["response"]["frames"] > 1


async def test_the_frames_of_a_stream_are_counted(bench: Bench) -> None:
    with StandIn(script_handler(bench.adapter.script("Hel", "lo"))) as server:
        response = (await get_completion(bench.adapter.profile(server)))["response"]
    assert response["frames"] == 2 + bench.adapter.wire.end_frames, "two pieces of text and the end"


async def test_one_provider_object_answers_many_at_once(bench: Bench) -> None:
    async with open_provider(bench.profile()) as provider:
        calls = [provider.chat(messages(f"number {n}")) for n in range(8)]
        texts = [done["text"] for done in await asyncio.gather(*calls)]
    assert texts == [f"Hello from {bench.adapter.model}: number {n}" for n in range(8)]


async def test_a_provider_works_again_after_aclose(bench: Bench) -> None:
    provider = provider_for(bench.profile())
    for _ in range(2):
        assert (await provider.chat(messages()))["complete"] is True
        await provider.aclose()


@pytest.mark.parametrize("stream", [True, False])
def test_dry_run_holds_no_key(bench: Bench, stream: bool) -> None:
    provider = provider_for(bench.profile(headers={"X-Gate": "plain"}))
    assert isinstance(provider, HTTPProvider)
    sent = provider.dry_request(parse_messages(TALK), stream)
    headers = {name: str(value) for name, value in sent.headers.items()}
    assert KEY not in json.dumps([headers, sent.url, sent.body])
    assert "***" in headers.values()
    assert headers["X-Gate"] == "plain"
    assert sent.method == "POST"
    assert sent.url.startswith(bench.server.url)
    assert sent.body is not None
    assert bench.adapter.wire.read_messages(sent.body)[0] == ("system", "Be brief.")
    assert bench.server.requests == []


async def test_the_last_event_is_done(bench: Bench) -> None:
    for stream in (True, False):
        events = await collect_events(bench.profile(), stream)
        assert [event for event in events if isinstance(event, Done)] == events[-1:]
