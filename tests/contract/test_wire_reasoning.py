"""WIRE §11, traps 1-9, reasoning told from answer over a socket (other traps: test_traps_*.py;
the Anthropic halves of 11 and 27, and 32, wait for their adapters)."""

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


def streaming(*texts: str, finish: str = "stop") -> Script:
    """An answer whose deltas hold these texts."""
    return Script(*map(chunk, texts), chunk(finish=finish), DONE)


def whole(text: str, finish: str = "stop", **message: object) -> Json:
    """The body of a plain answer."""
    said = {"role": "assistant", "content": text} | message
    return {"choices": [{"index": 0, "message": said, "finish_reason": finish}]}


class Either:
    """Answers with the text in pieces when a stream is asked for, else with the whole of it."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.json["stream"]:
            await streaming(*self.texts).play(reply)
        else:
            await reply.json(whole("".join(self.texts)))


async def test_trap_01_split_tag_and_reasoning_before_the_close_tag() -> None:
    seen = threading.Event()

    async def handle(request: Request, reply: Reply) -> None:
        await reply.head(200, None, "text/event-stream", chunked=True)
        for text in ("<th", "ink>pla"):
            await reply.write(chunk(text))
        for _ in range(500):
            if not seen.is_set():
                await reply.sleep(0.01)
        assert seen.is_set(), "the reasoning was held back until its tag was closed"
        for piece in (*map(chunk, ("n</thi", "nk>\n\nans")), *END):
            await reply.write(piece)

    came = []
    with StandIn(handle) as server:
        async with open_provider(openai(server)) as provider:
            async for event in provider.stream([{"role": "user", "content": "hi"}]):
                came.append(event)
                if isinstance(event, Reasoning):
                    seen.set()
    assert "".join(one.text for one in came if isinstance(one, Reasoning)) == "plan"
    assert "".join(one.text for one in came if isinstance(one, Text)) == "ans"


async def test_trap_02_whole_block_in_one_delta() -> None:
    with StandIn(script_handler(streaming("<think>a</think>b"))) as server:
        done = await get_completion(openai(server))
    assert (done["reasoning"], done["text"]) == ("a", "b")


@pytest.mark.parametrize(
    "keys", [{"reasoning_tags": "implicit"}, {"think": True}, {"model": "deepseek-r1:7b"}, {}]
)
async def test_trap_03_lone_closer_streamed_equals_plain(keys: Json) -> None:
    with StandIn(Either("pl", "an…</th", "ink>", "ans").handle) as server:
        streamed = await get_completion(openai(server, **keys))
        plain = await get_completion(openai(server, **keys), stream=False)
    assert (streamed["reasoning"], streamed["text"]) == ("plan…", "ans")
    assert (plain["reasoning"], plain["text"]) == ("plan…", "ans")


async def test_trap_03_default_mode_reclassifies_and_prints_no_tag() -> None:
    with StandIn(Either("plan…</think>", "ans").handle) as server:
        came = await collect_events(openai(server))
    assert Reclassified() in came
    assert not [one for one in came if isinstance(one, Text) and "think" in one.text]


async def test_trap_03_implicit_shows_reasoning_live_and_needs_its_closer() -> None:
    with StandIn(script_handler(streaming("plan ", "and no end"))) as server:
        error = await expect_error(IncompleteAnswer, openai(server, reasoning_tags="implicit"))
    assert error.exit_code == 7
    assert error.partial is not None
    assert (error.partial["reasoning"], error.partial["text"]) == ("plan and no end", "")


async def test_trap_04_unclosed_block_at_the_token_limit() -> None:
    with StandIn(script_handler(streaming("<think>", "abc", finish="length"))) as server:
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
async def test_trap_05_tag_inside_the_answer_stays(text: str) -> None:
    with StandIn(script_handler(streaming(*text))) as server:  # one character a delta
        done = await get_completion(openai(server))
    assert (done["reasoning"], done["text"]) == (None, text)


async def test_trap_06_nested_tags_are_counted() -> None:
    with StandIn(Either("<think>a<thi", "nk>b</think", ">c</thi", "nk>d").handle) as server:
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
async def test_trap_07_mirrored_reasoning_is_shown_once(provider: str, mirrored: Json) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        if request.json["stream"]:
            choice = {"index": 0, "delta": {"content": ""} | mirrored, "finish_reason": None}
            await Script(sse({"choices": [choice]}), chunk("ans"), *END).play(reply)
        else:
            await reply.json(whole("ans", **mirrored))

    with StandIn(handle) as server:
        asked = profile(provider, server.url)
        for stream in (True, False):
            done = await get_completion(asked, stream=stream)
            assert (done["reasoning"], done["text"]) == ("plan", "ans")


async def test_trap_08_encrypted_reasoning_is_hidden() -> None:
    with StandIn(OpenRouterServer().handle) as server:
        asked = profile(
            "openrouter", f"{server.url}/api/v1", model="vendor/encrypted", api_key="k" * 8
        )
        came = await collect_events(asked)
        done = await get_completion(asked, stream=False)
        assert len(answer_requests(server)) == 2
    thoughts = [event for event in came if isinstance(event, Reasoning)]
    assert thoughts == [Reasoning("", hidden=True)]
    assert done["reasoning"] is None
    assert done["usage"]["reasoning_tokens"] == 5
    assert "gAAAA" not in done["text"]


@pytest.mark.parametrize("nothing", ["", None])
async def test_trap_09_empty_reasoning_beside_content_is_no_reasoning(nothing: str | None) -> None:
    delta = {"content": "ans", "reasoning_content": nothing, "reasoning": nothing}
    choice = {"index": 0, "delta": delta | {"reasoning_details": []}, "finish_reason": None}
    with StandIn(script_handler(Script(sse({"choices": [choice]}), *END))) as server:
        came = await collect_events(openai(server))
    assert not [event for event in came if isinstance(event, Reasoning)]
    assert [event.text for event in came if isinstance(event, Text)] == ["ans"]
