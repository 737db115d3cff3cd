"""Types of the public names: mypy reports an error here if one is wrong; the file is never run."""

import copy
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, assert_type

import easyllm_cli
from easyllm_cli import (
    BaseLLMProvider,
    Completion,
    Done,
    EasyLLMError,
    Event,
    HTTPProvider,
    Image,
    IncompleteAnswer,
    LLMService,
    Message,
    Model,
    OpenAIProvider,
    Profile,
    Reasoning,
    Retrying,
    Secret,
    Text,
    Timeout,
    Usage,
    collect,
    load_profile,
)

# An unknown name is an error, not Any: otherwise mypy reports this ignore comment as unused.
nonsense = easyllm_cli.Nonsense  # type: ignore[attr-defined]

CONFIG = {"provider": "openai", "model": "gpt-4o", "temperature": 0.7, "max_tokens": 10}
PROFILE = Profile(provider="openai", api_key=Secret("k"), timeout=Timeout(idle=5))
DICTS = [{"role": "user", "content": "hi"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


async def service_methods() -> None:
    async with LLMService() as service:
        assert_type(service, LLMService)
        assert_type(await service.chat(CONFIG, DICTS), Completion)
        assert_type(await service.chat(PROFILE, PARTS), Completion)
        assert_type(await service.chat(CONFIG, [Message("user", ("hi",))]), Completion)
        assert_type(service.chat_stream(CONFIG, DICTS), AsyncGenerator[str, None])
        async for text in service.chat_stream(CONFIG, DICTS):
            assert_type(text, str)
        assert_type(await service.vision_chat(CONFIG, "?", b"", mime_type="image/png"), Completion)
        assert_type(await service.get_response(CONFIG, "hi"), str)
        assert_type(await service.get_response(CONFIG, DICTS), str)
        assert_type(await service.get_response_with_cot(CONFIG, "hi"), dict[str, str])
        assert_type(service.extract_answer_and_cot("text"), dict[str, str])
        assert_type(service.list_supported_providers(), list[str])
        assert_type(await collect(service.stream(CONFIG, DICTS)), Completion)
    service.clear_cache()
    own = LLMService(trust_configs=True, provider_of={"1": "openai"}.get)
    assert_type(await own.chat(CONFIG, DICTS, fallbacks=[PROFILE]), Completion)
    assert_type(own.chat_stream(CONFIG, DICTS, fallbacks=[PROFILE]), AsyncGenerator[str, None])
    assert_type(await service.chat("r1", DICTS, fallbacks=["ollama:llama3.2"]), Completion)
    assert_type(load_profile("r1", model="m", path="profiles.toml"), Profile)
    await service.chat(7, DICTS)  # type: ignore[arg-type]
    await service.chat(CONFIG, None)  # type: ignore[arg-type]


async def stream_events(service: LLMService) -> None:
    async with aclosing(service.stream(CONFIG, DICTS, fallbacks=[PROFILE])) as events:
        async for event in events:
            assert_type(event, Event)
            match event:
                case Text(text):
                    assert_type(text, str)
                case Reasoning(text, hidden):
                    assert_type(hidden, bool)
                case Usage():
                    assert_type(event.prompt_tokens, int | None)
                    assert_type(event.cost_usd, float | None)
                case Retrying():
                    assert_type(event.wait, float)
                case Done():
                    assert_type(event.finish_reason, str | None)
                case _:
                    assert_type(event.kind, str)


async def provider_methods() -> None:
    provider = OpenAIProvider({"api_key": "k", "model": "gpt-4o"})
    base: BaseLLMProvider = provider
    assert_type(await base.chat(DICTS), Completion)
    assert_type(base.chat_stream(DICTS), AsyncGenerator[str, None])
    assert_type(await base.models(), list[Model])
    assert_type(await base.list_models(), list[str])
    assert_type(Image.of("picture.png"), Image)


def completion_keys(done: Completion) -> None:
    """A dict with known keys, and the same values as attributes."""
    assert_type(done["text"], str)
    assert_type(done["reasoning"], str | None)
    assert_type(done["finish_reason"], str | None)
    assert_type(done["complete"], bool)
    assert_type(done["model"], str)
    assert_type(done["usage"]["total_tokens"], int | None)
    assert_type(done["usage"]["estimated"], bool)
    assert_type(done["response"], Any)
    _ = done["usage"]["nonsense"]  # type: ignore[typeddict-item]
    assert_type(done.text, str)
    assert_type(done.reasoning, str | None)
    assert_type(done.usage["prompt_tokens"], int | None)
    assert_type(done.finish_reason, str | None)
    assert_type(done.complete, bool)
    assert_type(done.model, str)
    assert_type(done.provider, str)
    assert_type(done.id, str | None)
    assert_type(done["id"], str | None)
    assert_type(done.response_id, str | None)
    assert_type(done.response, Any)
    _ = done.nonsense  # type: ignore[attr-defined]
    plain_dict: dict[str, Any] = done
    assert_type({**done, "mine": 1}, dict[str, Any])
    assert_type(plain_dict | done, dict[str, Any])
    assert_type(copy.copy(done), Completion)


def error_attributes(error: EasyLLMError, cut: IncompleteAnswer) -> None:
    assert_type(error.partial, Completion | None)
    assert_type(error.kind, str)
    assert_type(error.retry_after, float | None)
    assert_type(cut.retryable, bool)
    completion: dict[str, Any] = Completion(text="", reasoning=None)
    assert_type(completion["text"], Any)


async def custom_provider(provider: HTTPProvider) -> None:
    base: BaseLLMProvider = provider
    assert_type(await base.models(), list[Model])
