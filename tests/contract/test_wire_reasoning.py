"""Reasoning over the wire: `<think>` tags, reasoning fields, hidden reasoning."""

import threading

import pytest

from easyllm_cli.errors import IncompleteAnswer
from easyllm_cli.events import Reasoning, Reclassified, Text
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    open_provider,
    openai,
    profile,
)
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.script import DONE, Script, chunk, script_handler, sse
from tests.support.standins.server import Reply, Request, StandIn

END = (chunk(finish="stop"), DONE)


def stream_script(*texts: str, finish: str = "stop") -> Script:
    """Return a streamed answer with these texts as deltas."""
    return Script(*map(chunk, texts), chunk(finish=finish), DONE)


def plain_body(text: str, finish: str = "stop", **message: object) -> Json:
    """Return the body of a plain answer."""
    answer = {"role": "assistant", "content": text} | message
    return {"choices": [{"index": 0, "message": answer, "finish_reason": finish}]}


class StreamOrPlain:
    """Answers with the texts as deltas if a stream is requested, else with all text at once."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.json["stream"]:
            await stream_script(*self.texts).play(reply)
        else:
            await reply.json(plain_body("".join(self.texts)))


async def test_split_tags_and_reasoning_shown_before_the_closing_tag() -> None:
    seen = threading.Event()

    async def handle(request: Request, reply: Reply) -> None:
        await reply.head(200, None, "text/event-stream", chunked=True)
        for text in ("<th", "ink>pla"):
            await reply.write(chunk(text))
        for _ in range(500):
            if not seen.is_set():
                await reply.sleep(0.01)
        assert seen.is_set(), "the reasoning was held back until its tag was closed"
        for frame in (*map(chunk, ("n</thi", "nk>\n\nans")), *END):
            await reply.write(frame)

    events = []
    with StandIn(handle) as server:
        async with open_provider(openai(server)) as provider:
            async for event in provider.stream([{"role": "user", "content": "hi"}]):
                events.append(event)
                if isinstance(event, Reasoning):
                    seen.set()
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == "plan"
    assert "".join(event.text for event in events if isinstance(event, Text)) == "ans"


async def test_whole_block_in_one_delta() -> None:
    with StandIn(script_handler(stream_script("<think>a</think>b"))) as server:
        done = await get_completion(openai(server))
    assert (done["reasoning"], done["text"]) == ("a", "b")


@pytest.mark.parametrize(
    "keys", [{"reasoning_tags": "implicit"}, {"think": True}, {"model": "deepseek-r1:7b"}, {}]
)
async def test_lone_closing_tag_streamed_equals_plain(keys: Json) -> None:
    with StandIn(StreamOrPlain("pl", "an…</th", "ink>", "ans").handle) as server:
        streamed = await get_completion(openai(server, **keys))
        plain = await get_completion(openai(server, **keys), stream=False)
    assert (streamed["reasoning"], streamed["text"]) == ("plan…", "ans")
    assert (plain["reasoning"], plain["text"]) == ("plan…", "ans")


async def test_default_mode_reclassifies_text_and_prints_no_tag() -> None:
    with StandIn(StreamOrPlain("plan…</think>", "ans").handle) as server:
        events = await collect_events(openai(server))
    assert Reclassified() in events
    assert not [event for event in events if isinstance(event, Text) and "think" in event.text]


async def test_implicit_mode_without_a_closing_tag_is_incomplete() -> None:
    with StandIn(script_handler(stream_script("plan ", "and no end"))) as server:
        error = await expect_error(IncompleteAnswer, openai(server, reasoning_tags="implicit"))
    assert error.exit_code == 7
    assert error.partial is not None
    assert (error.partial["reasoning"], error.partial["text"]) == ("plan and no end", "")


async def test_unclosed_block_at_the_token_limit() -> None:
    with StandIn(script_handler(stream_script("<think>", "abc", finish="length"))) as server:
        error = await expect_error(IncompleteAnswer, openai(server))
        assert len(server.requests) == 1
    assert "--max-tokens" in error.hint
    assert error.partial is not None
    partial = error.partial
    assert (partial["reasoning"], partial["text"]) == ("abc", "")
    assert partial["finish_reason"] == "length"


@pytest.mark.parametrize(
    "text", ["Use the `<think>` tag", "x\n```\n<think>\na</think>\n```\n", "a <think>b</think>"]
)
async def test_tag_inside_the_answer_stays(text: str) -> None:
    with StandIn(script_handler(stream_script(*text))) as server:  # one character per delta
        done = await get_completion(openai(server))
    assert (done["reasoning"], done["text"]) == (None, text)


async def test_nested_tags_are_counted() -> None:
    with StandIn(StreamOrPlain("<think>a<thi", "nk>b</think", ">c</thi", "nk>d").handle) as server:
        streamed = await get_completion(openai(server))
        plain = await get_completion(openai(server), stream=False)
    for done in (streamed, plain):
        assert (done["reasoning"], done["text"]) == ("a<think>b</think>c", "d")


DETAILS = [{"type": "reasoning.text", "text": "plan", "signature": None, "index": 0}]
SUMMARY = [{"type": "reasoning.summary", "summary": "plan", "index": 0}]


@pytest.mark.parametrize("provider", ["openai", "openrouter", "deepseek"])
@pytest.mark.parametrize(
    "mirrored",
    [
        {"reasoning": "plan", "reasoning_details": DETAILS},
        {"reasoning_content": "plan", "reasoning": "plan"},
        {"reasoning_content": "", "reasoning": "plan", "thinking": "plan"},
        {"reasoning": None, "reasoning_details": DETAILS},
        {"reasoning": "", "reasoning_details": SUMMARY},
    ],
)
async def test_mirrored_reasoning_is_shown_once(provider: str, mirrored: Json) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        if request.json["stream"]:
            choice = {"index": 0, "delta": {"content": ""} | mirrored, "finish_reason": None}
            await Script(sse({"choices": [choice]}), chunk("ans"), *END).play(reply)
        else:
            await reply.json(plain_body("ans", **mirrored))

    with StandIn(handle) as server:
        config = profile(provider, server.url)
        for stream in (True, False):
            done = await get_completion(config, stream=stream)
            assert (done["reasoning"], done["text"]) == ("plan", "ans")


async def test_encrypted_reasoning_is_hidden() -> None:
    with StandIn(OpenRouterServer().handle) as server:
        config = profile(
            "openrouter", f"{server.url}/api/v1", model="vendor/encrypted", api_key="k" * 8
        )
        events = await collect_events(config)
        done = await get_completion(config, stream=False)
        assert len(answer_requests(server)) == 2
    reasoning = [event for event in events if isinstance(event, Reasoning)]
    assert reasoning == [Reasoning("", hidden=True)]
    assert done["reasoning"] is None
    assert done["usage"]["reasoning_tokens"] == 5
    assert "gAAAA" not in done["text"]


@pytest.mark.parametrize("nothing", ["", None])
async def test_empty_reasoning_beside_content_is_ignored(nothing: str | None) -> None:
    delta = {"content": "ans", "reasoning_content": nothing, "reasoning": nothing}
    choice = {"index": 0, "delta": delta | {"reasoning_details": []}, "finish_reason": None}
    with StandIn(script_handler(Script(sse({"choices": [choice]}), *END))) as server:
        events = await collect_events(openai(server))
    assert not [event for event in events if isinstance(event, Reasoning)]
    assert [event.text for event in events if isinstance(event, Text)] == ["ans"]
