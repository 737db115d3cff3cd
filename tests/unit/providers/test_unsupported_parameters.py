"""A request that is refused for one parameter is sent once more without it."""

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.config.settings import DEFAULT_SAMPLING, OUTPUT_LIMIT_KEYS
from easyllm_cli.errors import EasyLLMError, RefusedError, TooLargeError
from easyllm_cli.messages import Message
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.providers.openai.chat import OpenAIProvider
from easyllm_cli.transport.base import Request as HTTPRequest
from tests.support.adapters import HTTP_ADAPTERS, KEY, Adapter
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    expect_error,
    notes,
    openai,
    request_bodies,
)
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.request import Request
from tests.support.standins.server import Reply, StandIn

# Fields of the default sampling settings (`send_defaults`), by adapter; Anthropic's sends none.
SOFT = {
    "openai": ("temperature", "max_tokens", "top_p"),
    "openai-responses": ("temperature", "max_output_tokens", "top_p"),
    "openrouter": ("temperature", "max_tokens", "top_p"),
    "ollama": ("options",),
    "gemini": ("generationConfig",),
    "cohere": ("temperature", "max_tokens", "p"),
}


class Picky:
    """Answers like the adapter's stand-in, but refuses bodies that contain any of the names."""

    def __init__(self, adapter: Adapter, names: tuple[str, ...], status: int, words: str) -> None:
        self.adapter = adapter
        self.names = names
        self.status = status
        self.words = words
        self.good = adapter.server()

    async def handle(self, request: Request, reply: Reply) -> None:
        if any(b'"%b"' % name.encode() in request.body for name in self.names):
            await reply.json(self.adapter.wire.error(self.status, self.words), self.status)
        else:
            await self.good.handle(request, reply)


async def test_accepted_soft_defaults_are_sent() -> None:
    with StandIn(OpenAIServer().handle) as server:
        assert notes(await collect_events(openai(server, model="gpt-4o", send_defaults=True))) == []
        assert len(server.requests) == 1
        assert {key: request_bodies(server)[0][key] for key in DEFAULT_SAMPLING} == DEFAULT_SAMPLING


SOFT_CASES = [
    pytest.param(
        adapter, status, stream, id=f"{adapter.name}-{status}-{stream}",
        marks=pytest.mark.full if adapter.name != "openai" and (status, stream) != (400, True)
        else (),
    )
    for adapter in HTTP_ADAPTERS if adapter.name in SOFT
    for status in (400, 413, 422)
    for stream in (True, False)
]  # fmt: skip


@pytest.mark.parametrize(("adapter", "status", "stream"), SOFT_CASES)
async def test_soft_defaults_are_left_out_together_once(
    adapter: Adapter, status: int, stream: bool
) -> None:
    picky = Picky(adapter, SOFT[adapter.name], status, "something is too much here")
    with StandIn(picky.handle) as server:
        events = await collect_events(
            adapter.profile(server, send_defaults=True, strict=True), stream
        )
        first, second = request_bodies(server)
        assert events[-1].kind == "done"
        assert notes(events) == []
        assert all(name in first for name in SOFT[adapter.name])
        assert not set(SOFT[adapter.name]) & set(second)
        assert {**first, **second} == first


async def test_soft_defaults_stay_beside_what_the_user_set() -> None:
    picky = Picky(HTTP_ADAPTERS[0], ("temperature", "top_p"), 400, "no sampling please")
    with StandIn(picky.handle) as server:
        config = openai(server, model="gpt-4o", api_key=KEY, send_defaults=True, max_tokens=9)
        assert (await collect_events(config))[-1].kind == "done"
        assert [body["max_tokens"] for body in request_bodies(server)] == [9, 9]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_soft_defaults_are_not_left_out_for_other_errors(status: int) -> None:
    picky = Picky(HTTP_ADAPTERS[0], ("temperature",), status, "temperature")
    with StandIn(picky.handle) as server:
        config = openai(server, model="gpt-4o", api_key=KEY, send_defaults=True)
        with pytest.raises(Exception, match="temperature"):
            await collect_events(config)
        assert len([request for request in server.requests if request.method == "POST"]) == 1


async def test_refusal_without_the_soft_defaults_is_an_error() -> None:
    picky = Picky(HTTP_ADAPTERS[0], ("messages",), 413, "much too long")
    with StandIn(picky.handle) as server:
        await expect_error(TooLargeError, openai(server, model="gpt-4o", send_defaults=True))
        assert len(server.requests) == 2
        assert not set(DEFAULT_SAMPLING) & set(request_bodies(server)[1])


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("gpt-4o", {"temperature", "top_p", "max_completion_tokens"}),
        ("gpt-5", {"max_completion_tokens"}),
        ("o3", {"max_completion_tokens"}),
        ("o3-mini", {"max_completion_tokens"}),
        ("gpt-5.1-codex-mini", {"max_completion_tokens"}),
        ("gpt-5.5", {"max_completion_tokens"}),
        ("gpt-5.1", {"temperature", "top_p", "max_completion_tokens"}),
        ("gpt-5-chat-latest", {"temperature", "top_p", "max_completion_tokens"}),
    ],
)
def test_soft_defaults_by_family_on_openais_own_host(model: str, sent: set[str]) -> None:
    config = {"provider": "openai", "model": model, "api_key": KEY, "send_defaults": True}
    assert official_body(config) & {*DEFAULT_SAMPLING, "max_completion_tokens"} == sent


def test_effort_replaces_the_default_temperature() -> None:
    config = {"provider": "openai", "model": "gpt-5.1", "api_key": KEY, "send_defaults": True}
    assert "temperature" not in official_body(config | {"reasoning": "high"})
    assert "temperature" in official_body(config | {"model": "gpt-5.5", "reasoning": "off"})


def official_body(config: Json) -> set[str]:
    """Return the fields that would be sent to OpenAI's own host."""
    provider = provider_for(Profile.of(config))
    assert isinstance(provider, HTTPProvider)
    request = provider.request([Message("user", ("hi",))], True)
    assert request.url == "https://api.openai.com/v1/chat/completions"
    return set(request.body or {})


# Fields of settings that the user set, by adapter.
HARD = {
    "openai": ("temperature", "top_p", "seed", "stop", "top_k", "reasoning_effort"),
    "openai-responses": ("temperature", "top_p", "max_output_tokens", "effort", "summary"),
    "openrouter": ("temperature", "top_p", "seed", "stop", "top_k", "reasoning"),
    "ollama": ("temperature", "top_p", "seed", "stop", "top_k", "num_predict", "think"),
    "gemini": ("temperature", "topP", "seed", "stopSequences", "topK", "maxOutputTokens",
               "thinkingConfig"),
    "anthropic": ("temperature", "top_p", "top_k", "stop_sequences", "effort"),
    "cohere": ("temperature", "p", "seed", "stop_sequences", "k", "thinking"),
}  # fmt: skip
SET = {"temperature": 0.2, "top_p": 0.5, "seed": 1, "stop": ["x"], "top_k": 5, "max_tokens": 99}
CASES = [(adapter, name) for adapter in HTTP_ADAPTERS for name in HARD[adapter.name]]
hard_cases = pytest.mark.parametrize(
    ("adapter", "name"), CASES, ids=[f"{adapter.name}-{name}" for adapter, name in CASES]
)


def every_setting(adapter: Adapter) -> Json:
    """Return every sampling setting that the protocol has."""
    absent = {"openai-responses": ("seed", "stop", "top_k"), "anthropic": ("seed",)}.get(
        adapter.name, ()
    )
    return {key: value for key, value in SET.items() if key not in absent}


def picky_server(adapter: Adapter, name: str) -> Picky:
    words = {"gemini": f"Invalid value: {name} is not supported for this model."}
    usual = f"Unsupported parameter: '{name}' is not supported with this model."
    return Picky(adapter, (name,), 400, words.get(adapter.provider, usual))


@hard_cases
async def test_refused_setting_is_one_retry_and_a_note(adapter: Adapter, name: str) -> None:
    with StandIn(picky_server(adapter, name).handle) as server:
        config = adapter.profile(
            server, **every_setting(adapter), model=adapter.thinker, reasoning="high"
        )
        events = await collect_events(config)
        first, second = (request.body.decode() for request in answer_requests(server))
        assert f'"{name}"' in first
        assert f'"{name}"' not in second
        assert second.count('":') >= first.count('":') - 3, "nothing else was left out"
    assert len(notes(events)) == 1
    assert name in notes(events)[0]
    assert events[-1].kind == "done"


@pytest.mark.parametrize(
    ("adapter", "name"),
    [
        pytest.param(*case, id=f"{case[0].name}-{case[1]}",
                     marks=() if case[1] == HARD[case[0].name][0] else pytest.mark.full)
        for case in CASES
    ],
)  # fmt: skip
async def test_refused_setting_is_an_error_if_strict(adapter: Adapter, name: str) -> None:
    with StandIn(picky_server(adapter, name).handle) as server:
        keys: Json = {"model": adapter.thinker, "reasoning": "high", "strict": True}
        error = await expect_error(
            RefusedError, adapter.profile(server, **every_setting(adapter), **keys)
        )
        assert len(answer_requests(server)) == 1
    assert name in error.message


async def test_number_of_changed_requests_has_an_end() -> None:
    """A server can always find something new to refuse, and an adapter something new to try."""

    class Stubborn(OpenAIProvider):
        def repair(self, request: HTTPRequest, error: EasyLLMError) -> tuple[HTTPRequest, str]:
            return request, ""

    async def handle(request: Request, reply: Reply) -> None:
        await reply.json({"error": {"message": "no"}}, 400)

    with StandIn(handle) as server:
        provider = Stubborn(openai(server))
        with pytest.raises(RefusedError):
            await provider.chat([{"role": "user", "content": "hi"}])
        await provider.aclose()
        assert len(server.requests) == 21


@pytest.mark.parametrize("adapter", HTTP_ADAPTERS, ids=lambda adapter: adapter.name)
def test_only_the_users_limit_excuses_an_answer_that_it_cut(adapter: Adapter) -> None:
    with StandIn(adapter.server().handle) as server:
        for keys, is_own in (
            ({"send_defaults": True}, False),
            ({}, False),
            ({"max_tokens": 5, "send_defaults": True}, True),
            ({"options": dict.fromkeys(OUTPUT_LIMIT_KEYS, 5)}, True),
        ):
            provider = provider_for(adapter.profile(server, **keys))
            assert isinstance(provider, HTTPProvider)
            request = provider.request([Message("user", ("hi",))], True)
            assert provider.limits_output(request) is is_own
