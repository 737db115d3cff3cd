"""The contract with real models on real servers: checks shapes, not wording."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from easyllm_cli.completion import Completion
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import IncompleteAnswer, NotFoundError, RefusedError, TooLargeError
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
from tests.support.images import png
from tests.support.servers.fixtures import RealServer

# Equal prompts give equal answers; llama.cpp's prompt cache changes the order of rounding.
DETERMINISTIC: Json = {
    "temperature": 0,
    "seed": 1,
    "max_tokens": 4,
    "options": {"cache_prompt": False},
}
# Short reasoning with few choices, so that a reasoning model answers in half a second.
THOUGHTS = r'root ::= "I" (" should" | " must") " say it." "\n</think>\n\n" answer'
ANSWER = r'answer ::= "A" (" language" | " snake") "."'
SHORT = {"grammar": f"{THOUGHTS}\n{ANSWER}", "cache_prompt": False}


@dataclass(frozen=True)
class ModelCase:
    """A provider, the fixture of its server, whether its model reasons, and the transport."""

    provider: str
    fixture: str
    thinks: bool = False
    api: str | None = None
    transport: str = "http"

    @property
    def id(self) -> str:
        sdk = "sdk" if self.transport == "sdk" else None
        return "-".join(filter(None, (self.provider, self.fixture, self.api, sdk)))


MODEL_CASES = (
    ModelCase("openai", "smol"),
    ModelCase("openai", "thinker", thinks=True),
    ModelCase("openai", "inline_thinker", thinks=True),
    ModelCase("openai", "smol", transport="sdk"),
    ModelCase("openai", "thinker", thinks=True, transport="sdk"),
    ModelCase("llamacpp", "smol"),
    ModelCase("openai", "smol", api="responses"),
    ModelCase("llamacpp", "thinker", thinks=True, api="responses"),
    ModelCase("ollama", "ollama"),
    ModelCase("anthropic", "thinker", thinks=True),
)
# Tags in an answer and a text of a vision model are decoded alike for every API and transport.
MORE_CASES = (
    ModelCase("openai", "eyes"),
    ModelCase("openai", "inline_thinker", thinks=True, transport="sdk"),
    ModelCase("openai", "eyes", transport="sdk"),
    ModelCase("openai", "inline_thinker", thinks=True, api="responses"),
    ModelCase("anthropic", "smol"),
)


@dataclass(frozen=True)
class Answers:
    """A streamed and a plain answer of a real model to one question."""

    case: ModelCase
    config: Profile
    events: list[Event]
    streamed: Completion
    plain: Completion


@pytest.fixture(
    scope="module",
    params=[*MODEL_CASES, *(pytest.param(case, marks=pytest.mark.full) for case in MORE_CASES)],
    ids=lambda case: case.id,
)
def answers(request: pytest.FixtureRequest) -> Answers:
    case: ModelCase = request.param
    server: RealServer = request.getfixturevalue(case.fixture)
    base = server.url if case.provider == "ollama" else f"{server.url}/v1"
    keys = DETERMINISTIC | ({"max_tokens": 100, "options": SHORT} if case.thinks else {})
    keys = {**keys, "model": server.model, "api": case.api, "transport": case.transport}
    config = profile(case.provider, base, **keys)

    async def ask() -> tuple[list[Event], Completion]:
        if case.provider == "anthropic":  # this API of llama.cpp ignores cache_prompt
            with suppress(IncompleteAnswer):
                await get_completion(config.replace_set(max_tokens=1), stream=False)
        return await collect_events(config), await get_completion(config, stream=False)

    events, plain = asyncio.run(ask())
    collector = Collector()
    for event in events:
        collector.feed(event)
    return Answers(case, config, events, collector.completion(), plain)


def test_streaming_equals_plain(answers: Answers) -> None:
    streamed, plain = answers.streamed, answers.plain
    for key in ("text", "reasoning", "finish_reason", "complete", "model", "provider"):
        assert streamed[key] == plain[key], key
    assert streamed["text"].strip()
    assert streamed["finish_reason"] in ("stop", "length")
    assert (streamed["reasoning"] is not None) == answers.case.thinks
    assert "think>" not in streamed["text"]


def test_usage_is_present(answers: Answers) -> None:
    for done in (answers.streamed, answers.plain):
        usage = done["usage"]
        sent, written = usage["prompt_tokens"] or 0, usage["completion_tokens"] or 0
        assert sent > 0
        assert written > 0
        assert usage["total_tokens"] == sent + written


def test_reasoning_comes_first_and_in_deltas(answers: Answers) -> None:
    kinds = [event.kind for event in answers.events if isinstance(event, Reasoning | Text)]
    assert kinds == sorted(kinds), "all reasoning comes before the answer"
    assert kinds.count("text") > 1
    assert (kinds.count("reasoning") > 3) == answers.case.thinks
    reasoning = "".join(event.text for event in answers.events if isinstance(event, Reasoning))
    assert "think>" not in reasoning


async def test_models_lists_the_running_model(answers: Answers) -> None:
    async with open_provider(answers.config) as provider:
        assert answers.config.model in await provider.list_models()


@pytest.mark.parametrize(
    ("fixture", "api"),
    [
        ("inline_thinker", "chat"),
        ("thinker", "responses"),
        pytest.param("thinker", "chat", marks=pytest.mark.full),
        pytest.param("inline_thinker", "responses", marks=pytest.mark.full),
    ],
)
async def test_think_gives_reasoning_and_text(
    fixture: str, api: str, request: pytest.FixtureRequest
) -> None:
    """With `think` text is held until the reasoning ends; it must not be lost."""
    server: RealServer = request.getfixturevalue(fixture)
    keys = {**DETERMINISTIC, "model": server.model, "max_tokens": 100, "options": SHORT}
    config = profile("openai", f"{server.url}/v1", think=True, api=api, **keys)
    done = await get_completion(config)
    assert done["reasoning"]
    assert done["text"]
    assert "think>" not in done["reasoning"] + done["text"]


@pytest.mark.parametrize(
    ("provider", "more", "colour", "rgb"),
    [
        pytest.param("openai", {}, "red", (255, 0, 0), marks=pytest.mark.full),
        ("openai", {}, "green", (0, 255, 0)),
        pytest.param("openai", {}, "blue", (0, 0, 255), marks=pytest.mark.full),
        ("llamacpp", {}, "green", (0, 255, 0)),
        ("openai", {"api": "responses"}, "green", (0, 255, 0)),
        ("openai", {"transport": "sdk"}, "blue", (0, 0, 255)),
        ("anthropic", {}, "blue", (0, 0, 255)),
    ],
)
async def test_an_image_is_seen(
    provider: str,
    more: dict[str, str],
    colour: str,
    rgb: tuple[int, int, int],
    eyes: RealServer,
) -> None:
    """Without the image the model says red."""
    keys = {**DETERMINISTIC, "model": eyes.model, "max_tokens": 16, **more}
    config = profile(provider, f"{eyes.url}/v1", **keys)
    async with open_provider(config) as provider_object:
        done = await provider_object.vision_chat("What color is this image?", png(56, 56, rgb))
    assert colour in done["text"].lower()


@pytest.mark.parametrize("transport", ["http", "sdk"])
@pytest.mark.parametrize("provider", ["openai", "llamacpp"])
async def test_image_for_a_text_only_model_is_refused(
    provider: str, transport: str, smol: RealServer
) -> None:
    """The server returns 500; with llama.cpp, /props shows it before anything is sent."""
    keys = {**DETERMINISTIC, "model": smol.model, "transport": transport}
    config = profile(provider, f"{smol.url}/v1", **keys)
    async with open_provider(config) as provider_object:
        with pytest.raises(RefusedError) as caught:
            await provider_object.vision_chat("What color is this image?", png(8, 8, (255, 0, 0)))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    "more",
    [{}, {"api": "responses"}, {"transport": "sdk"}, {"provider": "llamacpp", "api": "anthropic"}],
)
async def test_prompt_longer_than_the_context_is_too_large(
    more: dict[str, str], smol: RealServer
) -> None:
    keys = {**DETERMINISTIC, "model": smol.model, **more}
    config = profile(keys.pop("provider", "openai"), f"{smol.url}/v1", **keys)
    async with open_provider(config) as provider_object:
        with pytest.raises(TooLargeError) as caught:
            await provider_object.chat(messages("word " * 1500))
    assert "context" in str(caught.value)


async def test_unknown_path_is_not_found(smol: RealServer) -> None:
    config = profile("openai", f"{smol.url}/nowhere", model=smol.model)
    error = await expect_error(NotFoundError, config)
    assert error.exit_code == 4


async def test_first_listed_model_is_the_default(smol: RealServer) -> None:
    for provider in ("openai", "llamacpp"):
        done = await get_completion(
            profile(provider, f"{smol.url}/v1", model=None, **DETERMINISTIC)
        )
        assert done["model"] == smol.model


async def test_the_system_prompt_reaches_the_model(smol: RealServer) -> None:
    conversation: list[Json] = [{"role": "system", "content": "word " * 50}, *messages()]
    async with open_provider(
        profile("openai", f"{smol.url}/v1", model="smol", **DETERMINISTIC)
    ) as provider_object:
        longer = (await provider_object.chat(conversation))["usage"]["prompt_tokens"] or 0
        shorter = (await provider_object.chat(messages()))["usage"]["prompt_tokens"] or 0
    assert longer >= shorter + 30 > 30


async def test_a_stop_word_and_a_limit_are_obeyed(smol: RealServer) -> None:
    config = profile("openai", f"{smol.url}/v1", model="smol", **DETERMINISTIC | {"max_tokens": 5})
    done = await get_completion(config)
    assert (done["finish_reason"], done["usage"]["completion_tokens"]) == ("length", 5)
    assert done["complete"] is False
    word = done["text"].split()[-1]
    stopped = await get_completion(config.replace_set(stop=word))
    assert (stopped["finish_reason"], word in stopped["text"]) == ("stop", False)


async def test_responses_answer_cut_at_the_limit_is_incomplete(smol: RealServer) -> None:
    """llama.cpp sends `completed` for an answer that the limit cut."""
    keys = DETERMINISTIC | {"max_tokens": 5, "api": "responses"}
    config = profile("openai", f"{smol.url}/v1", model="smol", **keys)
    for stream in (True, False):
        done = await get_completion(config, stream)
        assert (done["usage"]["completion_tokens"], done["finish_reason"]) == (5, "length")
        assert done["complete"] is False


async def test_responses_answer_cut_by_the_context_is_incomplete(smol: RealServer) -> None:
    """Without a limit, llama.cpp sends `completed` here too."""
    keys: Json = {"temperature": 0, "api": "responses", "options": {"ignore_eos": True}}
    config = profile("llamacpp", f"{smol.url}/v1", model="smol", **keys)
    for stream in (True, False):  # the server has read the prompt only once
        done = await get_completion(config, stream, text="word " * 490)
        assert (done["finish_reason"], done["complete"]) == ("length", False)


@pytest.mark.parametrize("transport", ["http", "sdk"])
async def test_leaving_early_frees_the_server(transport: str, smol: RealServer) -> None:
    """A slot that kept generating would delay the next answer."""
    keys = {**DETERMINISTIC, "max_tokens": 900, "transport": transport}
    config = profile("openai", f"{smol.url}/v1", model="smol", **keys)
    async with open_provider(config.replace_set(options={"ignore_eos": True})) as provider:
        for _ in range(4):
            stream: Any = provider.chat_stream(messages("Tell a long story."))
            async with aclosing(stream) as texts:
                async for _ in texts:
                    break
    async with asyncio.timeout(10):
        assert (await get_completion(config.replace_set(max_tokens=4)))["text"].strip()
