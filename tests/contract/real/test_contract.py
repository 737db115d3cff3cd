"""The contract once more, held against real models on real servers: shapes, never wording."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import NotFoundError, RefusedError, TooLargeError
from easyllm_cli.events import Event, Reasoning, Text
from easyllm_cli.pipeline.collector import Collector
from tests.support.asking import (
    Json,
    collect_events,
    expect_error,
    get_completion,
    messages,
    open_provider,
    profile,
)
from tests.support.pictures import png
from tests.support.servers.fixtures import RealServer

# The same prompt gives the same answer; with its cache llama.cpp rounds in another order.
STEADY: Json = {"temperature": 0, "seed": 1, "max_tokens": 16, "options": {"cache_prompt": False}}
# Shorter than the server's own, and of few choices: a thinker is done in half a second.
THOUGHTS = r'root ::= "I" (" should" | " must") " say what it is." "\n</think>\n\n" answer'
ANSWER = r'answer ::= "It is" (" a language" | " a snake") "."'
SHORT = {"grammar": f"{THOUGHTS}\n{ANSWER}", "cache_prompt": False}


@dataclass(frozen=True)
class Real:
    """A provider name, a fixture of tests/servers, whether its model thinks, and the transport."""

    provider: str
    fixture: str
    thinks: bool = False
    api: str | None = None
    transport: str = "http"

    @property
    def id(self) -> str:
        sdk = "sdk" if self.transport == "sdk" else None
        return "-".join(filter(None, (self.provider, self.fixture, self.api, sdk)))


REALS = (
    Real("openai", "smol"),
    Real("openai", "thinker", thinks=True),
    Real("openai", "inline_thinker", thinks=True),
    Real("openai", "eyes"),
    Real("openai", "smol", transport="sdk"),
    Real("openai", "thinker", thinks=True, transport="sdk"),
    Real("openai", "inline_thinker", thinks=True, transport="sdk"),
    Real("openai", "eyes", transport="sdk"),
    Real("llamacpp", "smol"),
    Real("openai", "smol", api="responses"),
    Real("llamacpp", "thinker", thinks=True, api="responses"),
    Real("openai", "inline_thinker", thinks=True, api="responses"),
    Real("ollama", "ollama"),
)


@dataclass(frozen=True)
class Answers:
    """One question to a real model, asked as a stream and plainly."""

    real: Real
    asked: Profile
    came: list[Event]
    streamed: Completion
    plain: Completion


@pytest.fixture(scope="module", params=REALS, ids=lambda real: real.id)
def answers(request: pytest.FixtureRequest) -> Answers:
    real: Real = request.param
    server: RealServer = request.getfixturevalue(real.fixture)
    base = server.url if real.provider == "ollama" else f"{server.url}/v1"
    keys = STEADY | ({"max_tokens": 100, "options": SHORT} if real.thinks else {})
    keys = {**keys, "model": server.model, "api": real.api, "transport": real.transport}
    asked = profile(real.provider, base, **keys)

    async def ask() -> tuple[list[Event], Completion]:
        return await collect_events(asked), await get_completion(asked, stream=False)

    came, plain = asyncio.run(ask())
    gathered = Collector()
    for event in came:
        gathered.feed(event)
    return Answers(real, asked, came, gathered.completion(), plain)


def test_streaming_equals_plain(answers: Answers) -> None:
    streamed, plain = answers.streamed, answers.plain
    for key in ("text", "reasoning", "finish_reason", "complete", "model", "provider"):
        assert streamed[key] == plain[key], key
    assert streamed["text"].strip()
    assert streamed["finish_reason"] in ("stop", "length")
    assert (streamed["reasoning"] is not None) == answers.real.thinks
    assert "think>" not in streamed["text"]


def test_usage_is_present(answers: Answers) -> None:
    for done in (answers.streamed, answers.plain):
        usage = done["usage"]
        sent, written = usage["prompt_tokens"] or 0, usage["completion_tokens"] or 0
        assert sent > 0
        assert written > 0
        assert usage["total_tokens"] == sent + written


def test_reasoning_comes_first_and_in_pieces(answers: Answers) -> None:
    kinds = [event.kind for event in answers.came if isinstance(event, Reasoning | Text)]
    assert kinds == sorted(kinds), "all reasoning stands before the answer"
    assert kinds.count("text") > 1
    assert (kinds.count("reasoning") > 3) == answers.real.thinks
    thoughts = "".join(event.text for event in answers.came if isinstance(event, Reasoning))
    assert "think>" not in thoughts


async def test_models_lists_what_runs(answers: Answers) -> None:
    async with open_provider(answers.asked) as provider:
        assert answers.asked.model in await provider.list_models()


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("fixture", ["thinker", "inline_thinker"])
async def test_asked_to_think_the_answer_is_the_same(
    fixture: str, api: str, request: pytest.FixtureRequest
) -> None:
    """Text that is held until the end of the reasoning is known is text all the same."""
    server: RealServer = request.getfixturevalue(fixture)
    keys = {**STEADY, "model": server.model, "max_tokens": 100, "options": SHORT}
    asked = profile("openai", f"{server.url}/v1", think=True, api=api, **keys)
    done = await get_completion(asked)
    assert done["reasoning"]
    assert done["text"]
    assert "think>" not in done["reasoning"] + done["text"]


@pytest.mark.parametrize(
    ("provider", "more"),
    [
        ("openai", {}),
        ("llamacpp", {}),
        ("openai", {"api": "responses"}),
        ("openai", {"transport": "sdk"}),
    ],
)
@pytest.mark.parametrize(
    ("colour", "rgb"), [("red", (255, 0, 0)), ("green", (0, 255, 0)), ("blue", (0, 0, 255))]
)
async def test_a_picture_is_seen(
    provider: str,
    more: dict[str, str],
    colour: str,
    rgb: tuple[int, int, int],
    eyes: RealServer,
) -> None:
    keys = {**STEADY, "model": eyes.model, **more}
    asked = profile(provider, f"{eyes.url}/v1", **keys)
    async with open_provider(asked) as reached:
        done = await reached.vision_chat("What color is this image?", png(56, 56, rgb))
    assert colour in done["text"].lower()


@pytest.mark.parametrize("transport", ["http", "sdk"])
@pytest.mark.parametrize("provider", ["openai", "llamacpp"])
async def test_a_blind_model_is_refused(provider: str, transport: str, smol: RealServer) -> None:
    """The server says 500; llama.cpp's /props says it before anything is sent."""
    keys = {**STEADY, "model": smol.model, "transport": transport}
    asked = profile(provider, f"{smol.url}/v1", **keys)
    async with open_provider(asked) as reached:
        with pytest.raises(RefusedError) as caught:
            await reached.vision_chat("What color is this image?", png(8, 8, (255, 0, 0)))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("more", [{}, {"api": "responses"}, {"transport": "sdk"}])
async def test_longer_than_the_context_is_too_large(more: dict[str, str], smol: RealServer) -> None:
    keys = {**STEADY, "model": smol.model, **more}
    asked = profile("openai", f"{smol.url}/v1", **keys)
    async with open_provider(asked) as reached:
        with pytest.raises(TooLargeError) as caught:
            await reached.chat(messages("word " * 9000))
    assert "context" in str(caught.value)


async def test_a_path_that_is_not_there(smol: RealServer) -> None:
    asked = profile("openai", f"{smol.url}/nowhere", model=smol.model)
    error = await expect_error(NotFoundError, asked)
    assert error.exit_code == 4


async def test_the_first_model_is_taken_where_none_is_named(smol: RealServer) -> None:
    for provider in ("openai", "llamacpp"):
        done = await get_completion(profile(provider, f"{smol.url}/v1", model=None, **STEADY))
        assert done["model"] == smol.model


async def test_the_system_prompt_reaches_the_model(smol: RealServer) -> None:
    talk: list[Json] = [{"role": "system", "content": "word " * 50}, *messages()]
    async with open_provider(
        profile("openai", f"{smol.url}/v1", model="smol", **STEADY)
    ) as reached:
        longer = (await reached.chat(talk))["usage"]["prompt_tokens"] or 0
        shorter = (await reached.chat(messages()))["usage"]["prompt_tokens"] or 0
    assert longer >= shorter + 30 > 30


async def test_a_stop_word_and_a_limit_are_obeyed(smol: RealServer) -> None:
    asked = profile("openai", f"{smol.url}/v1", model="smol", **STEADY | {"max_tokens": 5})
    done = await get_completion(asked)
    assert (done["finish_reason"], done["usage"]["completion_tokens"]) == ("length", 5)
    assert done["complete"] is False
    word = done["text"].split()[-1]
    stopped = await get_completion(asked.replace_set(stop=word))
    assert (stopped["finish_reason"], word in stopped["text"]) == ("stop", False)


async def test_responses_obeys_a_limit_and_a_cut_answer_is_not_whole(smol: RealServer) -> None:
    """The server says `completed` of an answer that it cut at the limit."""
    keys = STEADY | {"max_tokens": 5, "api": "responses"}
    asked = profile("openai", f"{smol.url}/v1", model="smol", **keys)
    for stream in (True, False):
        done = await get_completion(asked, stream)
        assert (done["usage"]["completion_tokens"], done["finish_reason"]) == (5, "length")
        assert done["complete"] is False


@pytest.mark.parametrize("stream", [True, False])
async def test_responses_cut_by_the_context_is_not_whole(stream: bool, smol: RealServer) -> None:
    """Nobody set a limit, and the server says `completed` here, too."""
    keys: Json = {"temperature": 0, "api": "responses", "options": {"ignore_eos": True}}
    asked = profile("llamacpp", f"{smol.url}/v1", model="smol", **keys)
    done = await get_completion(asked, stream, text="word " * 460)
    assert (done["finish_reason"], done["complete"]) == ("length", False)


@pytest.mark.parametrize("transport", ["http", "sdk"])
async def test_leaving_early_leaves_the_server_free(transport: str, smol: RealServer) -> None:
    """A slot that went on writing would hold the next answer up."""
    keys = {**STEADY, "max_tokens": 900, "transport": transport}
    asked = profile("openai", f"{smol.url}/v1", model="smol", **keys)
    async with open_provider(asked.replace_set(options={"ignore_eos": True})) as provider:
        for _ in range(4):
            chain: Any = provider.chat_stream(messages("Tell a long story."))
            async with aclosing(chain) as texts:
                async for _ in texts:
                    break
    async with asyncio.timeout(10):
        assert (await get_completion(asked.replace_set(max_tokens=4)))["text"].strip()
