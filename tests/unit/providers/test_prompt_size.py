"""A prompt that a server may have cut: a note; Ollama is asked to refuse it instead."""

import pytest

from easyllm_cli.errors import TooLargeError
from easyllm_cli.messages import Message
from easyllm_cli.providers.prompt_size import is_token_count_too_low
from tests.support.adapters import HTTP_ADAPTERS, OLLAMA_FORMAT
from tests.support.asking import (
    collect_events,
    expect_error,
    notes,
    openai,
    profile,
    request_bodies,
)
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, Script, chunk, ndjson, script_handler, usage_chunk
from tests.support.standins.server import Reply, StandIn

OLLAMA = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "ollama")


def ollama_counting(tokens: int) -> Script:
    end = {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 1}
    return Script(OLLAMA_FORMAT.text("Yes."), ndjson({**end, "prompt_eval_count": tokens}))


@pytest.mark.parametrize(
    "words",
    [
        "the input length exceeds the context length",
        "the request exceeds the available context size; set truncate to shorten it",
        "prompt too long; exceeded max context length by 9 tokens",
    ],
)
async def test_ollama_is_asked_to_refuse_long_prompts(words: str) -> None:
    with StandIn(script_handler(OLLAMA.refusal(400, words))) as server:
        error = await expect_error(TooLargeError, profile("ollama", server.url))
        assert [body["truncate"] for body in request_bodies(server)] == [False]
    assert "num_ctx" in error.hint
    assert error.message == words


async def test_refused_truncate_field_is_left_out_in_a_retry() -> None:
    stand_in = OllamaServer()

    async def handle(request: Request, reply: Reply) -> None:
        if "truncate" in request.json:
            await reply.json({"error": 'json: unknown field "truncate"'}, 400)
        else:
            await stand_in.handle(request, reply)

    with StandIn(handle) as server:
        events = await collect_events(profile("ollama", server.url, model="llama3.2", strict=True))
        assert len(server.requests) == 2
    assert notes(events) == []


async def test_the_users_own_truncate_is_sent() -> None:
    with StandIn(OllamaServer().handle) as server:
        await collect_events(profile("ollama", server.url, model="llama3.2", truncate=True))
        assert request_bodies(server)[0]["truncate"] is True


@pytest.mark.parametrize(
    ("tokens", "noted"), [(4096, True), (9100, False), (256, True), (0, False), (1, False)]
)
async def test_too_low_token_count_is_noted(tokens: int, noted: bool) -> None:
    with StandIn(script_handler(ollama_counting(tokens))) as server:
        events = await collect_events(profile("ollama", server.url), text="word " * 9000)
    assert [("num_ctx" in note, str(tokens) in note) for note in notes(events)] == [
        (True, True)
    ] * (noted)


async def test_too_low_token_count_is_noted_in_chat_completions() -> None:
    script = Script(chunk("Yes."), chunk(finish="stop"), usage_chunk(2048, 1), DONE)
    with StandIn(script_handler(script)) as server:
        events = await collect_events(openai(server), text="word\n" * 9000)
    assert "2048" in notes(events)[0]


@pytest.mark.parametrize(
    ("text", "tokens", "too_low"),
    [
        ("one two three four five six " * 100, 500, True),
        ("one two three four five six " * 100, 600, False),
        ("one two three four five six " * 100, 1, False),
        ("\u4e2d\u6587" * 9000, 4000, True),
        ("\u4e2d\u6587" * 9000, 9000, False),
        (" " * 100_000, 10, False),
        ("=" * 100_000, 10, False),
        ("a b " * 200_000, 399_000, True),
        ("a b " * 200_000, 400_000, False),
    ],
)
def test_is_token_count_too_low(text: str, tokens: int, too_low: bool) -> None:
    assert is_token_count_too_low(tokens, [Message("user", (text,))]) is too_low
