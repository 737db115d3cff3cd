"""Gemini with google-generativeai's low-level client (`transport = "sdk"`): answers and errors."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    AuthError,
    BillingError,
    ConfigError,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    RefusedError,
)
from easyllm_cli.events import Retrying, Text
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from tests.support.adapters import HTTP_ADAPTERS, KEY, google_images, read_gemini_messages
from tests.support.asking import (
    QUESTION,
    Json,
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    messages,
    notes,
    open_provider,
)
from tests.support.binary import wait_until
from tests.support.images import png
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.script import Cut, Reset, Script, Step, Wait, compact, script_handler
from tests.support.standins.server import StandIn, unreachable_server

GEMINI = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "gemini")
PNG = png(8, 8, (200, 30, 30))


def sdk_profile(server: StandIn, **keys: Any) -> Profile:
    return GEMINI.profile(server, **{"transport": "sdk", **keys})


def frame(text: str, **more: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, **more}
    return compact({"candidates": [candidate]})


def json_array(*steps: Step) -> Script:
    """Return a stream as Google's REST API sends it without `alt=sse`: one JSON array."""
    return Script(*steps, content_type="application/json; charset=UTF-8")


FIRST_FRAMES = (b"[" + frame("Hel"), b",\r\n" + frame("lo"))


@pytest.fixture
def gemini() -> Iterator[StandIn]:
    with StandIn(GeminiServer(key=KEY).handle) as server:
        yield server


async def test_streaming_equals_plain(gemini: StandIn) -> None:
    streamed = await get_completion(sdk_profile(gemini))
    plain = await get_completion(sdk_profile(gemini), stream=False)
    for key in ("text", "reasoning", "finish_reason", "complete", "usage", "model", "provider"):
        assert streamed[key] == plain[key], key
    assert streamed["text"] == f"Hello from {GEMINI.model}: {QUESTION}"
    assert (streamed["finish_reason"], streamed["complete"]) == ("stop", True)
    usage = streamed["usage"]
    assert (usage["total_tokens"] or 0) > (usage["prompt_tokens"] or 0) > 0
    for request in gemini.requests:
        assert request.headers["x-goog-api-key"] == KEY
        assert "authorization" not in request.headers
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["user-agent"].startswith("easyllm/")


async def test_the_service_class_and_the_models_are_reached(gemini: StandIn) -> None:
    async with open_provider(sdk_profile(gemini)) as provider:
        assert await provider.list_models() == list(GEMINI.listed)
    assert [request.path for request in gemini.requests] == ["/v1beta/models"] * 3


async def test_pieces_come_when_they_are_sent() -> None:
    slow = json_array(
        FIRST_FRAMES[0],
        Wait(0.4),
        FIRST_FRAMES[1],
        Wait(0.4),
        b"," + frame("!", finishReason="STOP"),
    )
    with StandIn(
        script_handler(Script(*slow.steps, b"]", content_type=slow.content_type))
    ) as server:
        texts = []
        async with open_provider(sdk_profile(server)) as provider:
            async for event in provider.stream(messages()):
                if isinstance(event, Text):
                    texts.append((event.text, time.monotonic()))
    assert [text for text, _ in texts] == ["Hel", "lo", "!"]
    for (_, before), (_, after) in pairwise(texts):
        assert after - before >= 0.3


@pytest.mark.parametrize("stream", [True, False])
async def test_pictures_system_prompt_and_turns_arrive(gemini: StandIn, stream: bool) -> None:
    talk = [
        Message("system", ("Be brief.",)),
        Message("user", ("one",)),
        Message("assistant", ("two",)),
        Message("user", ("three", Image.of(PNG))),
    ]
    keys: Json = {"temperature": 0.5, "max_tokens": 7, "top_k": 3, "stop": "END"}
    async with open_provider(sdk_profile(gemini, model=GEMINI.vision_model, **keys)) as provider:
        [event async for event in provider.stream(talk, stream)]
    body = answer_requests(gemini)[-1].json
    assert [data for _, data in google_images(body)] == [PNG]
    turns = [("system", "Be brief."), ("user", "one"), ("assistant", "two"), ("user", "three")]
    assert read_gemini_messages(body) == turns
    config = body["generationConfig"]
    assert (config["temperature"], config["maxOutputTokens"], config["topK"]) == (0.5, 7, 3)
    assert config["stopSequences"] == ["END"]


async def test_a_note_says_that_reasoning_is_missing(gemini: StandIn) -> None:
    for keys in ({"think": True}, {"reasoning": "high"}):
        events = await collect_events(sdk_profile(gemini, model=GEMINI.thinker, **keys))
        assert ["no reasoning through this transport" in note for note in notes(events)] == [True]
        assert events[-1].kind == "done"
    assert "thinkingConfig" not in json.dumps(answer_requests(gemini)[-1].json)
    assert notes(await collect_events(sdk_profile(gemini))) == []


async def test_settings_unknown_to_the_client_are_refused(gemini: StandIn) -> None:
    error = await expect_error(ConfigError, sdk_profile(gemini, seed=1))
    assert "seed" in error.message
    assert 'transport = "http"' in error.hint
    assert gemini.requests == []


REFUSALS: list[tuple[int, type[EasyLLMError]]] = [
    (401, AuthError),
    (403, AuthError),
    (404, NotFoundError),
    (422, RefusedError),
]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_sent_once(status: int, kind: type[Any], stream: bool) -> None:
    """google-auth's own session would send a request three times if the status is 401."""
    with StandIn(script_handler(GEMINI.refusal(status, "not for you"))) as server:
        error = await expect_error(kind, sdk_profile(server), stream)
        assert len(answer_requests(server)) == 1
    assert (error.status, error.message) == (status, "not for you")
    assert error.exit_code == kind.exit_code


@pytest.mark.parametrize("rest", [b'up", "status": "NOT_FOUND"}}', Cut()], ids=["whole", "cut"])
async def test_an_error_body_in_pieces_and_one_that_is_cut(
    rest: bytes | Cut,
) -> None:
    pieces = (b'{"error": {"code": 404, ', b'"message": "look it ', rest)
    with StandIn(
        script_handler(Script(*pieces, status=404, content_type="application/json"))
    ) as server:
        error = await expect_error(NotFoundError, sdk_profile(server))
    assert error.status == 404
    assert isinstance(rest, Cut) or error.message == "look it up"


async def test_an_endless_error_body_is_not_read_to_its_end() -> None:
    written = 0

    async def handle(_: Any, reply: Any) -> None:
        nonlocal written
        await reply.head(403, chunked=True)
        for _ in range(1024):
            await reply.write(b"x" * 65536)
            written += 65536

    with StandIn(handle) as server:
        assert (await expect_error(AuthError, sdk_profile(server))).status == 403
    assert written < 32 * 1024 * 1024, "64 MiB were on offer"


async def test_a_wrong_key_is_a_key_error(gemini: StandIn) -> None:
    error = await expect_error(AuthError, sdk_profile(gemini, api_key="sk-wrong-and-secret"))
    assert error.status == 400
    assert "sk-wrong" not in str(error)
    assert len(gemini.requests) == 1


async def test_the_retry_delay_in_the_body_is_respected() -> None:
    with StandIn(GeminiServer(key=KEY, retry_delay="0.3s").handle) as server:
        events = await collect_events(sdk_profile(server, model="busy"))
        first, second = server.requests
    assert [event.wait for event in events if isinstance(event, Retrying)] == [0.3]
    assert 0.3 <= second.at - first.at < 1.5


async def test_a_daily_quota_is_not_retried(gemini: StandIn) -> None:
    await expect_error(BillingError, sdk_profile(gemini, model="perday"))
    assert len(gemini.requests) == 1


@pytest.mark.parametrize("end", [(), (b"]",), (Cut(),), (Reset(),)],
                         ids=["eof", "end", "cut", "reset"])  # fmt: skip
async def test_a_cut_keeps_the_partial_text(end: tuple[Step, ...]) -> None:
    with StandIn(script_handler(json_array(*FIRST_FRAMES, *end))) as server:
        error = await expect_error(IncompleteAnswer, sdk_profile(server))
        assert len(server.requests) == 1
    assert error.partial is not None
    assert (error.partial["text"], error.partial["complete"]) == ("Hello", False)


@pytest.mark.parametrize("end", [(), (Cut(),), (Reset(),)], ids=["eof", "cut", "reset"])
async def test_a_cut_after_text_with_stop_is_incomplete(end: tuple[Step, ...]) -> None:
    """Some models send STOP in every frame."""
    first = b"[" + frame("Hel", finishReason="STOP")
    with StandIn(script_handler(json_array(first, *end))) as server:
        error = await expect_error(IncompleteAnswer, sdk_profile(server, max_retries=0))
    assert error.partial is not None
    assert error.partial["text"] == "Hel"


async def test_stop_in_every_frame_is_no_end() -> None:
    first, last = (frame(text, finishReason="STOP") for text in ("Hel", "lo"))
    with StandIn(script_handler(json_array(b"[" + first, b"," + last, b"]"))) as server:
        completion = await get_completion(sdk_profile(server))
    assert (completion["text"], completion["complete"]) == ("Hello", True)


async def test_a_dropped_connection_is_retried_and_a_plain_answer_may_be_cut() -> None:
    with StandIn(script_handler(Script(Cut()))) as server:
        await expect_error(NetworkError, sdk_profile(server, max_retries=1))
        assert len(server.requests) == 2

    async def handle(_: Any, reply: Any) -> None:
        await reply.head(length=1000)
        await reply.write(frame("Hel"))
        await reply.cut()

    with StandIn(handle) as server:
        await expect_error(NetworkError, sdk_profile(server, max_retries=0), stream=False)


PAGE = Script(b"<html><title>Hi</title>", content_type="text/html")


@pytest.mark.parametrize(
    "body", [PAGE, json_array(), json_array(b'{"error": {"code": 500}}'), json_array(b"[x]")]
)
@pytest.mark.parametrize("stream", [True, False])
async def test_body_without_an_answer_is_malformed(body: Script, stream: bool) -> None:
    with StandIn(script_handler(body)) as server:
        error = await expect_error(MalformedAnswer, sdk_profile(server), stream)
        assert len(server.requests) == 1
        wait_until(lambda: server.connections == 0)
        assert error.__traceback__, "whoever keeps it keeps no connection"


async def test_a_redirect_is_not_followed(gemini: StandIn) -> None:
    headers = {"location": f"{gemini.url}/v1beta/models/x:streamGenerateContent"}
    with StandIn(script_handler(Script(status=307, headers=headers))) as server:
        error = await expect_error(RefusedError, sdk_profile(server))
    assert error.location == headers["location"]
    assert gemini.requests == []


async def test_silence_is_a_timeout_and_nobody_there_a_refusal() -> None:
    with StandIn(script_handler(json_array(Wait(5)))) as server:
        started_at = time.monotonic()
        await expect_error(
            FirstTokenTimeout, sdk_profile(server, timeout={"first_token": 0.3}, max_retries=0)
        )
        assert 0.3 <= time.monotonic() - started_at < 5
    with unreachable_server() as server:
        error = await expect_error(NetworkError, sdk_profile(server))
    assert (error.code, error.retryable) == ("refused", False)


async def test_an_idle_timeout_is_incomplete() -> None:
    with StandIn(script_handler(json_array(*FIRST_FRAMES, Wait(5)))) as server:
        error = await expect_error(IncompleteAnswer, sdk_profile(server, timeout={"idle": 0.3}))
    assert error.partial is not None
    assert error.partial["text"] == "Hello"


async def test_leaving_hangs_up() -> None:
    with StandIn(script_handler(json_array(*FIRST_FRAMES, Wait(30)))) as server:
        async with open_provider(sdk_profile(server)) as provider:
            stream: Any = provider.chat_stream(messages())
            async with aclosing(stream) as texts:
                async for _ in texts:
                    break
        async with asyncio.timeout(5):
            while server.requests[0].closed_at is None:
                await asyncio.sleep(0.01)
        assert len(server.requests) == 1


async def test_headers_and_proxy_of_the_profile_are_used(gemini: StandIn) -> None:
    keys: Json = {"endpoint": "http://gemini.invalid/v1beta", "proxy": gemini.url}
    more: Json = {"headers": {"X-Gate": "open"}, "allow_http": True}
    assert (await get_completion(sdk_profile(gemini, **keys, **more)))["complete"] is True
    assert gemini.requests[0].headers["x-gate"] == "open"
    assert gemini.requests[0].headers["host"] == "gemini.invalid"


async def test_another_version_of_the_api_is_refused(gemini: StandIn) -> None:
    error = await expect_error(ConfigError, sdk_profile(gemini, endpoint=f"{gemini.url}/v1"))
    assert "v1beta" in error.message
    assert gemini.requests == []
