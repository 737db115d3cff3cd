"""Frames over the wire: usage, the end of an answer, web pages, line endings, long lines."""

import json

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, IncompleteAnswer, MalformedAnswer
from tests.support.asking import Json, expect_error, get_completion, openai, profile
from tests.support.standins.script import (
    DONE,
    Script,
    chunk,
    ndjson,
    script_handler,
    sse,
    usage,
    usage_chunk,
)
from tests.support.standins.server import Handler, Reply, Request, StandIn

STOP = chunk(finish="stop")
HELLO = (chunk("Hel"), chunk("lo"))
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def gemini(server: StandIn) -> Profile:
    return profile("gemini", f"{server.url}/v1beta", api_key="test-key")


def gemini_frame(text: str, finish: str | None = None, **more: object) -> bytes:
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    candidate |= {"finishReason": finish} if finish else {}
    return sse({"candidates": [candidate]} | more)


@pytest.mark.parametrize(
    "steps",
    [
        (*HELLO, STOP, usage_chunk(7, 3), DONE),
        (usage_chunk(7, 3), *HELLO, STOP, DONE),
        (*HELLO, usage_chunk(7, 3), STOP, DONE),
        (*HELLO, STOP, chunk(choices=None, usage=usage(7, 3)), DONE),
        (*HELLO, STOP, sse({"usage": usage(7, 3)}), DONE),
        (sse({"choices": [{"index": 0, "delta": None}]}), *HELLO, STOP, usage_chunk(7, 3), DONE),
        (chunk(choices=[], model=""), *HELLO, STOP, sse({"x_groq": {"usage": usage(7, 3)}}), DONE),
    ],
)  # fmt: skip
async def test_usage_in_any_frame(steps: tuple[bytes, ...]) -> None:
    with StandIn(script_handler(Script(*steps))) as server:
        done = await get_completion(openai(server))
    assert done["text"] == "Hello"
    assert done["usage"].items() >= COUNTS.items()


async def test_cumulative_usage_is_replaced_not_added() -> None:
    growing = [chunk(text, usage=usage(7, count)) for count, text in enumerate("abc", 1)]
    with StandIn(script_handler(Script(*growing, STOP, DONE))) as server:
        done = await get_completion(openai(server))
    assert done["usage"].items() >= COUNTS.items()


async def test_gemini_usage_is_cumulative_and_reasoning_is_added_once() -> None:
    counts = [
        {"promptTokenCount": 7, "thoughtsTokenCount": 5, "candidatesTokenCount": n} for n in (1, 2)
    ]
    first = gemini_frame("a", usageMetadata=counts[0])
    last = gemini_frame("b", "STOP", usageMetadata=counts[1] | {"totalTokenCount": 14})
    with StandIn(script_handler(Script(first, last))) as server:
        counted = (await get_completion(gemini(server)))["usage"]
    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (7, 7)
    assert (counted["total_tokens"], counted["reasoning_tokens"]) == (14, 5)


@pytest.mark.parametrize(
    "steps",
    [
        (*HELLO, DONE),
        (chunk("Hello", finish=""), DONE),
        (*HELLO, STOP),
        (*HELLO, STOP, b"data: [DONE]"),
    ],
)
async def test_finish_reason_or_done_is_enough(steps: tuple[bytes, ...]) -> None:
    with StandIn(script_handler(Script(*steps))) as server:
        done = await get_completion(openai(server))
    assert (done["text"], done["complete"]) == ("Hello", True)


@pytest.mark.parametrize("finish", [None, ""])
@pytest.mark.parametrize("stream", [True, False])
async def test_whole_body_without_finish_reason_is_complete(
    finish: str | None, stream: bool
) -> None:
    """Whole JSON needs no end marker, and some servers send none (pydantic-ai#6610)."""
    body = {"choices": [{"message": {"content": "Hello"}, "finish_reason": finish}]}
    with StandIn(lambda _, reply: reply.json(body)) as server:
        done = await get_completion(openai(server), stream)
    assert (done["text"], done["complete"]) == ("Hello", True)


async def test_empty_finish_reason_alone_is_incomplete() -> None:
    with StandIn(script_handler(Script(chunk("Hello", finish="")))) as server:
        await expect_error(IncompleteAnswer, openai(server))


async def test_stream_of_messages_without_an_end_is_incomplete() -> None:
    """Some servers stream `message` instead of `delta`: such a frame is not a whole body."""
    frame = sse({"choices": [{"index": 0, "message": {"content": "Hel"}, "finish_reason": None}]})
    with StandIn(script_handler(Script(frame, frame))) as server:
        await expect_error(IncompleteAnswer, openai(server))


@pytest.mark.parametrize("provider", ["openai", "openrouter", "ollama", "gemini"])
@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (200, b"\n <!doctype html><title>Home</title>", "text/html"),
        (201, b"\n <!doctype html><title>Home</title>", "text/plain"),
        (200, b"Please log in", "text/html; charset=utf-8"),
        (200, b"Please log in", "Text/HTML"),
    ],
)
async def test_web_page_has_a_hint_to_check_the_endpoint(
    provider: str, status: int, body: bytes, content_type: str
) -> None:
    """The first bytes or the content type alone show that the body is a web page."""
    page = Script(body, status=status, content_type=content_type)
    with StandIn(script_handler(page)) as server:
        config = profile(provider, server.url, api_key="test-key")
        for stream in (True, False):
            error = await expect_error(MalformedAnswer, config, stream)
            assert "returned a web page" in error.message
            assert "/v1" in error.hint
            assert "endpoint" in error.hint
        assert len(server.requests) == 2


async def test_plain_body_instead_of_a_stream_is_read() -> None:
    message = {"role": "assistant", "content": "<think>a</think>Hello"}
    body: Json = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    with StandIn(lambda _, reply: reply.json(body | {"usage": usage(7, 3)})) as server:
        done = await get_completion(openai(server))
    assert (done["reasoning"], done["text"]) == ("a", "Hello")
    assert (done["finish_reason"], done["usage"]["total_tokens"]) == ("stop", 10)


async def test_gemini_array_instead_of_a_stream_is_read() -> None:
    """Behind a gateway that drops alt=sse the stream is one JSON array (Gemini API)."""
    frames = [
        json.loads(gemini_frame(text, end)[6:]) for text, end in (("Hel", None), ("lo", "STOP"))
    ]
    with StandIn(lambda _, reply: reply.json(frames)) as server:
        done = await get_completion(gemini(server))
    assert (done["text"], done["finish_reason"]) == ("Hello", "stop")


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
async def test_error_with_status_200_is_an_error(content_type: str) -> None:
    body = json.dumps({"error": {"code": 502, "message": "Provider returned error"}}).encode()
    with StandIn(script_handler(Script(body, content_type=content_type))) as server:
        error = await expect_error(BusyError, openai(server, max_retries=0))
    assert (error.status, error.message) == (502, "Provider returned error")


LINE = "a\u2028b\u2029c\u0085d\x1c “é” 🎈"
FRAME = chunk(LINE).removesuffix(b"\n\n")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + FRAME + b"\n\n" + STOP + DONE,
        (FRAME + b"\n\n" + STOP + DONE).replace(b"\n", b"\r\n"),
        (FRAME + b"\n\n" + STOP + DONE).replace(b"\n", b"\r"),
        (FRAME + b"\n\n" + STOP + DONE).replace(b"data: ", b"data:"),
        FRAME.replace(b',"', b',\ndata: "') + b"\n\n" + STOP + DONE,
        b"id: 1\nretry: 5\n" + FRAME + b"\n\n" + STOP + DONE,
    ],
)
async def test_every_event_syntax_byte_by_byte(body: bytes) -> None:
    with StandIn(bytewise(Script(body))) as server:
        done = await get_completion(openai(server))
    assert done["text"] == LINE


async def test_ndjson_byte_by_byte() -> None:
    lines = ndjson({"message": {"content": LINE}}) + json_line({"message": {"content": LINE}})
    end = ndjson({"message": {"content": ""}, "done": True, "done_reason": "stop"})
    with StandIn(bytewise(Script(lines, b"\r\n", end.rstrip()))) as server:
        done = await get_completion(profile("ollama", server.url))
    assert done["text"] == LINE * 2


@pytest.mark.parametrize("provider", ["openai", "ollama", "gemini"])
async def test_line_of_a_megabyte(provider: str) -> None:
    text = "é" * 500_000 + "x" * 48_576
    frames = {
        "openai": (chunk(text), STOP, DONE),
        "ollama": (ndjson({"message": {"content": text}, "done": True, "done_reason": "stop"}),),
        "gemini": (gemini_frame(text, "STOP"),),
    }
    with StandIn(script_handler(Script(*frames[provider]))) as server:
        done = await get_completion(profile(provider, server.url, api_key="test-key"))
    assert done["text"] == text


def json_line(obj: object) -> bytes:
    """Return a line with U+2028 unescaped; Go's encoder (`ndjson`) escapes it."""
    return json.dumps(obj, ensure_ascii=False).encode() + b"\n"


def bytewise(script: Script) -> Handler:
    """Return a handler that plays a script one byte per write."""

    async def handler(request: Request, reply: Reply) -> None:
        reply.bytewise = True
        await script.play(reply)

    return handler
