"""Refused parameters: the other name of the token limit, silent retries, what is remembered."""

import pytest

from easyllm_cli.errors import RefusedError
from easyllm_cli.pipeline.collector import collect
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.asking import (
    Json,
    collect_events,
    expect_error,
    messages,
    notes,
    open_provider,
    openai,
    profile,
    request_bodies,
)
from tests.support.standins.openai import OpenAIServer, refuse
from tests.support.standins.request import Request
from tests.support.standins.server import Reply, StandIn


@pytest.mark.parametrize(
    ("model", "old", "new"),
    [
        ("gpt-4o", "max_tokens", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens", "max_tokens"),
    ],
)
async def test_refused_limit_is_sent_under_its_other_name(model: str, old: str, new: str) -> None:
    with StandIn(OpenAIServer(models=[model], rejects={old}).handle) as server:
        events = await collect_events(openai(server, model=model, max_tokens=50, seed=1))
        first, second = request_bodies(server)
    assert (first.pop(old), second.pop(new)) == (50, 50)
    assert first == second
    assert notes(events) == []


async def test_limit_refused_under_both_names_is_left_out() -> None:
    names = {"max_tokens", "max_completion_tokens"}
    with StandIn(OpenAIServer(rejects=names).handle) as server:
        events = await collect_events(openai(server, model="gpt-4o", max_tokens=50))
        assert len(server.requests) == 3
        assert not names & set(request_bodies(server)[2])
    assert len(notes(events)) == 1


@pytest.mark.parametrize("strict", [False, True])
async def test_refused_stream_options_are_left_out_without_a_note(strict: bool) -> None:
    with StandIn(OpenAIServer(rejects={"stream_options"}).handle) as server:
        events = await collect_events(openai(server, model="gpt-4o", strict=strict))
        assert ["stream_options" in body for body in request_bodies(server)] == [True, False]
    assert notes(events) == []
    assert events[-1].kind == "done"


async def test_two_refused_parameters_are_both_left_out() -> None:
    with StandIn(OpenAIServer(rejects={"temperature", "stream_options"}).handle) as server:
        events = await collect_events(openai(server, model="gpt-4o", temperature=0.1))
        assert len(server.requests) == 3
    assert len(notes(events)) == 1


@pytest.mark.parametrize(
    "keys", [{"temperature": 0.1}, {"send_defaults": True}, {"max_tokens": 50}]
)
async def test_refused_parameters_are_remembered(keys: Json) -> None:
    refused = {"temperature", "max_tokens", "stream_options"}
    with StandIn(OpenAIServer(rejects=refused).handle) as server:
        async with open_provider(openai(server, model="gpt-4o", **keys)) as provider:
            await collect(provider.stream(messages()))
            before = len(server.requests)
            assert before > 1
            completion = await collect(provider.stream(messages()))
            assert len(server.requests) == before + 1
            assert request_bodies(server)[-1] == request_bodies(server)[-2]
        assert completion["complete"] is True


async def test_both_refused_names_of_the_limit_are_remembered() -> None:
    names = {"max_tokens", "max_completion_tokens"}
    with StandIn(OpenAIServer(rejects=names).handle) as server:
        async with open_provider(openai(server, model="gpt-4o", max_tokens=50)) as provider:
            for wanted in (3, 4):
                await collect(provider.stream(messages()))
                assert len(server.requests) == wanted


async def test_another_provider_object_remembers_nothing() -> None:
    with StandIn(OpenAIServer(rejects={"temperature"}).handle) as server:
        for _ in range(2):
            await collect_events(openai(server, model="gpt-4o", temperature=0.1))
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "words", ["The messages are malformed.", "no such thing as a templerature"]
)
async def test_refusal_without_a_parameter_name_changes_nothing(words: str) -> None:
    async def handle(request: Request, reply: Reply) -> None:
        raise refuse(400, words, code="invalid_value")

    with StandIn(handle) as server:
        await expect_error(RefusedError, openai(server, model="gpt-4o", temperature=0.1, seed=1))
        assert len(server.requests) == 1


async def test_a_parameter_named_by_param_alone_is_left_out() -> None:
    """OpenAI names the parameter in the error's `param`, whatever the message says."""

    async def handle(request: Request, reply: Reply) -> None:
        if "temperature" in request.json:
            raise refuse(
                400, "Only the default is allowed.", code="unsupported_value", param="temperature"
            )
        await OpenAIServer().handle(request, reply)

    with StandIn(handle) as server:
        events = await collect_events(openai(server, model="gpt-4o", temperature=0.1))
        assert len(server.requests) == 2
    assert len(notes(events)) == 1


async def test_an_option_of_the_user_is_never_left_out() -> None:
    """`-o` sends the user's own field, which is never changed."""

    async def handle(request: Request, reply: Reply) -> None:
        raise refuse(400, "Unknown parameter: 'mirostat'.", code="unknown_parameter")

    with StandIn(handle) as server:
        await expect_error(RefusedError, openai(server, model="gpt-4o", mirostat=2))
        assert len(server.requests) == 1


REASONING_FIELDS: list[tuple[str, Json, str]] = [
    ("siliconflow", {"think": True}, "enable_thinking"),
    ("deepseek", {"think": True}, "thinking"),
    ("deepseek", {"reasoning": "high"}, "thinking"),
    ("vllm", {"think": True}, "chat_template_kwargs"),
    ("groq", {"think": True}, "reasoning_format"),
]


@pytest.mark.parametrize(("provider", "keys", "name"), REASONING_FIELDS)
async def test_a_refused_thinking_switch_is_left_out(provider: str, keys: Json, name: str) -> None:
    with StandIn(OpenAIServer(rejects={name}).handle) as server:
        config = profile(provider, f"{server.url}/v1", model="gpt-4o", **keys)
        events = await collect_events(config)
        assert name not in request_bodies(server)[-1]
    assert len(notes(events)) == 1


REFUSED_REASONING: list[tuple[str, str, Json]] = [
    ("ollama", "llama3.2", {"think": True}),
    ("gemini", "gemini-2.0-flash", {"think": True}),
    ("gemini", "gemini-2.5-pro", {"reasoning": "off"}),
    ("openrouter", "vendor/encrypted", {"reasoning": "off"}),
]


@pytest.mark.parametrize(("provider", "model", "keys"), REFUSED_REASONING)
async def test_reasoning_refused_without_a_parameter_name_is_left_out(
    provider: str, model: str, keys: Json
) -> None:
    """Such as Ollama's `"llama3.2" does not support thinking`."""
    adapter = next(each for each in HTTP_ADAPTERS if each.provider == provider)
    with StandIn(adapter.server().handle) as server:
        events = await collect_events(adapter.profile(server, model=model, **keys))
        assert len(server.requests) == 2
    assert len(notes(events)) == 1
    assert events[-1].kind == "done"
