"""Errors over the wire: silence, errors inside a stream, quotas, refusals."""

import time
from typing import Any

import pytest

from easyllm_cli.errors import (
    BillingError,
    BusyError,
    FilteredError,
    FirstTokenTimeout,
    IncompleteAnswer,
    NotFoundError,
)
from easyllm_cli.events import Retrying
from tests.support.asking import Json, collect_events, expect_error, get_completion, openai, profile
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.script import (
    DONE,
    Script,
    Step,
    Wait,
    chunk,
    ndjson,
    script_handler,
    sse,
)
from tests.support.standins.server import Reply, Request, StandIn

PROCESSING = b": OPENROUTER PROCESSING\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = chunk(finish="stop")
NO_TOKENS: tuple[Step, ...] = (PROCESSING, KEEP_ALIVE, PING, b"\n\n", Wait(0.05)) * 60


async def test_comments_pings_and_blank_lines_are_ignored() -> None:
    noise = PROCESSING + KEEP_ALIVE + b"\n\n" + PING
    steps = (noise, chunk("Hel"), noise, chunk("lo"), noise, STOP, noise, DONE)
    with StandIn(script_handler(Script(*steps))) as server:
        done = await get_completion(openai(server))
    assert (done["text"], done["reasoning"]) == ("Hello", None)


async def test_blank_lines_before_a_plain_answer() -> None:
    body = b'{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}'
    slow = Script(b"\n\n", b"\n", Wait(0.05), b"\n", body, content_type="application/json")
    with StandIn(script_handler(slow)) as server:
        done = await get_completion(openai(server), stream=False)
    assert done["text"] == "Hello"


async def test_comments_do_not_extend_the_first_token_timeout() -> None:
    with StandIn(script_handler(Script(*NO_TOKENS))) as server:
        began = time.monotonic()
        config = openai(server, timeout={"first_token": 0.4}, max_retries=0)
        error = await expect_error(FirstTokenTimeout, config)
        waited = time.monotonic() - began
    assert error.exit_code == 6
    assert 0.4 <= waited < 2.0


async def test_comments_do_not_extend_the_idle_timeout() -> None:
    with StandIn(script_handler(Script(chunk("Hel"), *NO_TOKENS))) as server:
        began = time.monotonic()
        error = await expect_error(IncompleteAnswer, openai(server, timeout={"idle": 0.4}))
        waited = time.monotonic() - began
        assert len(server.requests) == 1
    assert error.partial is not None
    assert error.partial["text"] == "Hel"
    assert 0.4 <= waited < 2.0


FAILED = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
DISCONNECTED = {"code": 502, "message": "Provider disconnected"}
ERROR_FRAME = sse({"error": DISCONNECTED, "choices": [FAILED]})


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
@pytest.mark.parametrize("shown", [("text", "reasoning"), ()])
async def test_error_after_text_keeps_the_text_and_is_not_retried(
    provider: str, shown: tuple[str, ...]
) -> None:
    with StandIn(script_handler(Script(chunk("Hel"), ERROR_FRAME, DONE))) as server:
        error = await expect_error(BusyError, profile(provider, server.url), shown=shown)
        assert len(server.requests) == 1
    assert (error.status, error.message) == (502, "Provider disconnected")
    assert error.partial is not None
    assert error.partial["text"] == "Hel"


async def test_error_after_text_in_openrouter_frames() -> None:
    with StandIn(OpenRouterServer().handle) as server:
        keys: Json = {"model": "vendor/midstream", "api_key": "k" * 8}
        error = await expect_error(BusyError, profile("openrouter", f"{server.url}/api/v1", **keys))
    assert error.status == 502
    assert error.partial is not None
    assert error.partial["text"].startswith("Hello from vendor/mid")


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
async def test_error_before_text_is_retried(provider: str) -> None:
    good = Script(chunk("Hello"), STOP, DONE)
    with StandIn(script_handler(Script(PROCESSING, ERROR_FRAME, DONE), good)) as server:
        events = await collect_events(profile(provider, server.url))
        assert len(server.requests) == 2
    retries = [event for event in events if isinstance(event, Retrying)]
    assert [(event.attempt, "Provider disconnected" in event.why) for event in retries] == [
        (2, True)
    ]


OLD_VLLM = {"object": "error", "message": "engine died", "type": "Internal", "code": 500}


async def test_error_frame_without_an_error_key() -> None:
    with StandIn(script_handler(Script(chunk("Hel"), sse(OLD_VLLM), DONE))) as server:
        error = await expect_error(BusyError, openai(server))
    assert (error.status, error.message) == (500, "engine died")
    missing = {"object": "error", "message": "no such model", "code": 404}
    with StandIn(script_handler(Script(sse(missing), DONE))) as server:
        await expect_error(NotFoundError, openai(server))


async def test_missing_model_without_a_status_is_looked_up_once() -> None:
    missing = Script(sse({"error": {"code": "model_not_found"}}), DONE)
    with StandIn(script_handler(missing)) as server:
        await expect_error(NotFoundError, openai(server))
        assert [request.method for request in server.requests] == ["POST", "GET"]


def ollama_line(text: str, **more: object) -> bytes:
    return ndjson({"model": "m", "message": {"role": "assistant", "content": text}} | more)


async def test_ollama_done_and_done_reason_decide_completeness() -> None:
    with StandIn(script_handler(Script(ollama_line("Hel", done=False)))) as server:
        error = await expect_error(IncompleteAnswer, profile("ollama", server.url))
    assert error.partial is not None
    assert error.partial["text"] == "Hel"
    with StandIn(
        script_handler(Script(ollama_line("Hel", done=True, done_reason="length")))
    ) as server:
        done = await get_completion(profile("ollama", server.url))
    assert (done["finish_reason"], done["complete"]) == ("length", False)
    with StandIn(script_handler(Script(ollama_line("Hel", done_reason="stop")))) as server:
        assert (await get_completion(profile("ollama", server.url)))["complete"] is True


def rate_limited(message: str, code: str, **headers: str) -> Script:
    body = b'{"error": {"message": "%b", "type": "%b", "code": "%b"}}'
    filled = body % (message.encode(), code.encode(), code.encode())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(filled, status=429, headers=named, content_type="application/json")


async def test_used_up_quota_is_a_billing_error_without_retry() -> None:
    quota_used_up = rate_limited(
        "You exceeded your current quota.", "insufficient_quota", retry_after="1"
    )
    with StandIn(script_handler(quota_used_up)) as server:
        error = await expect_error(BillingError, openai(server))
        assert len(server.requests) == 1
    assert error.exit_code == 3
    assert "billing" in str(error)
    assert "quota" in str(error)


async def test_gemini_daily_quota_is_a_billing_error_without_retry() -> None:
    with StandIn(GeminiServer().handle) as server:
        config = profile("gemini", f"{server.url}/v1beta", model="perday", api_key="test-key")
        error = await expect_error(BillingError, config)
        assert len(server.requests) == 1
    assert "quota" in str(error)


async def test_retry_delay_in_the_body_is_waited_or_reported() -> None:
    keys: Json = {"model": "busy", "api_key": "test-key"}
    with StandIn(GeminiServer(retry_delay="0.3s").handle) as server:
        config = profile("gemini", f"{server.url}/v1beta", **keys)
        events = await collect_events(config)
        first, second = server.requests
    assert [event.wait for event in events if isinstance(event, Retrying)] == [0.3]
    assert 0.3 <= second.at - first.at < 1.5
    with StandIn(GeminiServer(retry_delay="34s").handle) as server:
        config = profile("gemini", f"{server.url}/v1beta", max_retry_delay=10, **keys)
        error = await expect_error(BusyError, config)
        assert len(server.requests) == 1
    assert "34 s" in error.hint
    assert error.retry_after == 34.0


@pytest.mark.parametrize("stream", [True, False])
async def test_gemini_without_candidates_or_parts(stream: bool) -> None:
    with StandIn(GeminiServer().handle) as server:
        keys: Json = {"api_key": "test-key", "model": "blocked"}
        blocked = profile("gemini", f"{server.url}/v1beta", **keys)
        assert "SAFETY" in (await expect_error(FilteredError, blocked, stream)).message
        all_reasoning = profile(
            "gemini", f"{server.url}/v1beta", **keys | {"model": "all-thoughts"}
        )
        error = await expect_error(IncompleteAnswer, all_reasoning, stream)
        assert len(server.requests) == 2
    assert "all tokens" in error.message
    assert "thinking" in error.hint
    assert error.partial is not None
    assert error.partial["usage"]["reasoning_tokens"] == 42


@pytest.mark.parametrize("content", ["Well, ", [{"type": "text", "text": "Well, "}]])
async def test_refusal_after_text_is_finish_reason_content_filter(content: Any) -> None:
    """Mistral sends the text as a list of parts."""
    deltas = [{"content": content}, {"refusal": "no."}]
    frames = [sse({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    with StandIn(script_handler(Script(*frames, STOP, DONE))) as server:
        done = await get_completion(openai(server))
    assert done["text"] == "Well, "
    assert (done["finish_reason"], done["complete"]) == ("content_filter", False)


@pytest.mark.parametrize("stream", [True, False])
async def test_refusal_is_a_filtered_error_that_quotes_it(stream: bool) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        deltas = [{"refusal": "I cannot "}, {"refusal": "help."}, {"content": None}]
        if request.json["stream"]:
            frames = [sse({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
            await Script(*frames, STOP, DONE).play(reply)
        else:
            message = {"content": None, "refusal": "I cannot help."}
            await reply.json({"choices": [{"message": message, "finish_reason": "stop"}]})

    with StandIn(handle) as server:
        error = await expect_error(FilteredError, openai(server), stream)
        assert len(server.requests) == 1
    assert "I cannot help." in error.message
    assert error.exit_code == 4
