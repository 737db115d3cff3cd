"""Which key litellm sends where: several keys take turns, and endpoints get no variable's key."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    AuthError,
    BusyError,
    ConfigError,
    EasyLLMError,
    NotFoundError,
    RefusedError,
)
from easyllm_cli.events import Start
from easyllm_cli.limits import rate_file_path
from easyllm_cli.limits.rate import RateFile
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.litellm.provider import LiteLLMProvider
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS, LITELLM, litellm_profile
from tests.support.asking import collect_events, expect_error, get_completion, messages, notes
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Handler, Reply, Request, StandIn

pytestmark = IGNORE_LITELLM_WARNINGS
GOOD, OTHER, BAD = "sk-good-0123", "sk-other-0123", "sk-bad-0123"
# Variables that litellm, or the openai package under it, reads by itself.
VARIABLES = (
    "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID",
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_API_KEY", "AZURE_AD_TOKEN",
    "OPENROUTER_API_KEY", "OR_API_KEY", "GROQ_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY",
    "LITELLM_API_KEY", "LITELLM_PROXY_API_KEY", "OLLAMA_API_KEY", "HUGGINGFACE_API_KEY",
    "HF_TOKEN", "COHERE_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY", "HOSTED_VLLM_API_KEY",
)  # fmt: skip
VENDORS = (
    "openai/m", "m", "anthropic/claude-sonnet-4-5", "azure/gpt-4o", "openrouter/m", "groq/m",
    "gemini/gemini-2.5-flash", "litellm_proxy/m", "ollama_chat/m", "huggingface/a/b",
    "cohere_chat/command-r", "mistral/m", "deepseek/m", "hosted_vllm/m",
)  # fmt: skip


def key_of(request: Request) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


def refuse_bad_key(bad: Script) -> Handler:
    """Return a handler that plays `bad` for the key BAD, and answers every other key."""
    good = OpenAIServer(models=["m"])

    async def handle(request: Request, reply: Reply) -> None:
        await (bad.play(reply) if key_of(request) == BAD else good.handle(request, reply))

    return handle


@pytest.mark.parametrize("model", VENDORS)
async def test_no_variable_goes_to_an_endpoint_that_the_profile_names(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"SECRET-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-gate: SECRET-HEADER")
    refusal = LITELLM.refusal(400, "no")
    with StandIn(script_handler(refusal)) as server:
        await expect_error(RefusedError, litellm_profile(server, model=model))
        (request,) = server.requests
    sent = json.dumps([request.headers, request.query, request.path]) + request.body.decode()
    assert "SECRET" not in sent


async def test_configured_key_and_headers_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", GOOD)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-variable")
    with StandIn(OpenAIServer(key=GOOD, models=["m"]).handle) as server:
        await get_completion(
            litellm_profile(
                server, api_key_env="MINE", organization="org-mine", headers={"X-Gate": "open"}
            )
        )
        headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["x-gate"]) == ("org-mine", "open")


@pytest.mark.parametrize("name", ["Authorization", "authorization", "x-api-key"])
async def test_key_in_the_profiles_headers_replaces_the_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", GOOD)
    monkeypatch.setenv("THEIRS", f"Bearer {OTHER}")
    with StandIn(OpenAIServer(models=["m"]).handle) as server:
        await get_completion(
            litellm_profile(server, api_key_env="MINE", headers={name: "env:THEIRS"})
        )
        headers = server.requests[0].headers
    assert headers[name.lower()] == f"Bearer {OTHER}"
    assert GOOD not in str(headers)


INVALID_HEADERS: list[dict[str, Any]] = [
    {"headers": {"content-length": "5"}}, {"headers": {"Transfer-Encoding": "chunked"}},
    {"headers": {"a b": "v"}}, {"headers": {"x-a": "a\r\nX-B: 1"}}, {"organization": "a\nb"},
    {"project": "é"}, {"options": {"extra_headers": {"Host": "h"}}},
    {"options": {"extra_headers": {"x-a": "a\nb"}}},
]  # fmt: skip


@pytest.mark.parametrize("keys", INVALID_HEADERS, ids=str)
@pytest.mark.parametrize("model", ["openai/m", "anthropic/claude-sonnet-4-5"])
async def test_invalid_headers_are_refused_before_sending(model: str, keys: dict[str, Any]) -> None:
    with StandIn(OpenAIServer(models=["m"]).handle) as server:
        profile = replace(litellm_profile(server, model=model, api_key=GOOD), **keys)
        error = await expect_error(ConfigError, profile)
        assert not error.retryable
        assert server.requests == []


async def test_two_good_keys_are_both_used() -> None:
    with StandIn(OpenAIServer(models=["m"]).handle) as server:
        provider = provider_for(litellm_profile(server, model="m", api_key=[GOOD, OTHER]))
        for _ in range(24):
            assert (await provider.chat(messages()))["complete"]
        used = Counter(map(key_of, server.requests))
    assert set(used) == {GOOD, OTHER}, "one of 2^23 runs fails by chance"
    assert sum(used.values()) == 24


@pytest.mark.parametrize(
    ("status", "stream"),
    [
        (401, True),
        (429, False),
        *(
            pytest.param(*case, marks=pytest.mark.full)
            for case in ((401, False), (403, True), (403, False), (429, True))
        ),
    ],
)
async def test_a_failing_key_is_replaced_and_then_rested(status: int, stream: bool) -> None:
    with StandIn(refuse_bad_key(LITELLM.refusal(status, "not this one"))) as server:
        provider = provider_for(litellm_profile(server, api_key=[BAD, GOOD], max_retries=0))
        all_notes = []
        for _ in range(8):
            events = [event async for event in provider.stream(messages(), stream)]
            assert events[-1].kind == "done"
            all_notes += notes(events)
        used = Counter(map(key_of, server.requests))
    assert used[GOOD] == 8
    assert used[BAD] <= 1, "it rests after its first failure"
    note = f"key 1 of 2: not this one (HTTP {status}); trying another"
    assert all_notes == [note] * used[BAD]


async def test_when_every_key_fails_the_last_error_is_raised() -> None:
    with StandIn(script_handler(LITELLM.refusal(401, f"wrong key {BAD}"))) as server:
        profile = litellm_profile(server, api_key=[BAD, GOOD])
        error = await expect_error(AuthError, profile)
        assert len(server.requests) == 2
    assert BAD not in str(error)
    assert "check the key from api_key" in error.hint


async def test_a_server_failure_does_not_change_the_key() -> None:
    with StandIn(script_handler(LITELLM.refusal(503, "overloaded"))) as server:
        await expect_error(BusyError, litellm_profile(server, api_key=[BAD, GOOD], max_retries=1))
        assert len(server.requests) == 2, "two tries, not two keys in each"


async def test_a_busy_model_falls_back() -> None:
    good = OpenAIServer(models=["second"])

    async def handle(request: Request, reply: Reply) -> None:
        busy = request.json["model"] == "first"
        await (LITELLM.refusal(503, "full").play(reply) if busy else good.handle(request, reply))

    with StandIn(handle) as server:
        profile = litellm_profile(server, model="openai/first", fallback_models=["openai/second"])
        events = await collect_events(profile)
        assert len(server.requests) == 2
    assert notes(events) == ["openai/first: full (HTTP 503); asking openai/second"]
    assert [event.model for event in events if isinstance(event, Start)][-1] == "openai/second"


@pytest.mark.parametrize("change", ["key", "model"])
async def test_limit_10_another_key_and_another_model_wait_for_the_rate(change: str) -> None:
    keys: dict[str, Any] = {"key": {"api_key": [BAD, GOOD]}, "model": {"fallback_models": ["b"]}}
    refusals = [LITELLM.refusal({"key": 401, "model": 503}[change], "no")] * 2
    with StandIn(script_handler(*refusals)) as server:
        limits = {"rpm": 240, "max_retries": 0}  # 7 requests at once, then one in 0.255 s
        limited = litellm_profile(server, model="a", **keys[change], **limits)
        provider = provider_for(limited)
        assert isinstance(provider, LiteLLMProvider)
        rate = RateFile(rate_file_path(*provider.limit_scope()))
        begun = (await rate.reserve(240)).start
        for _ in range(5):
            await rate.reserve(240)
        with pytest.raises(EasyLLMError):
            await get_completion(limited)
        _, second = (request.came_at for request in server.requests)
    assert second - begun > 0.9 * 0.255


async def test_a_model_listed_twice_is_tried_once() -> None:
    with StandIn(script_handler(*[LITELLM.refusal(503, "full")] * 9)) as server:
        models = ["openai/second", "openai/first", "openai/second"]
        keys: Any = {"fallback_models": models, "max_retries": 0}
        await expect_error(BusyError, litellm_profile(server, model="openai/first", **keys))
        assert [request.json["model"] for request in server.requests] == ["first", "second"]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RefusedError), (401, AuthError), (404, NotFoundError)]
)
async def test_a_refusal_does_not_fall_back(status: int, kind: Any) -> None:
    with StandIn(script_handler(LITELLM.refusal(status, "no"))) as server:
        await expect_error(kind, litellm_profile(server, fallback_models=["openai/second"]))
        assert len(server.requests) == 1


def test_key_of_one_vendor_does_not_fall_back_to_another() -> None:
    config = {"model": "openai/gpt-4o", "api_key": GOOD,
              "fallback_models": ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"]}  # fmt: skip
    same, other = LiteLLMProvider(config).fallback_providers
    assert same.key is not None
    assert other.key is None
    gateway = LiteLLMProvider({**config, "endpoint": "http://127.0.0.1:9/v1"})
    assert all(provider.key is not None for provider in gateway.fallback_providers)


async def test_key_that_litellm_reads_itself_is_in_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an endpoint and a key litellm takes both from the vendor's variables."""
    refusal = LITELLM.refusal(401, f"wrong key {GOOD}")
    with StandIn(script_handler(refusal)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", GOOD)
        profile = Profile.of({"provider": "litellm", "model": "openai/m"})
        error = await expect_error(AuthError, profile)
        assert key_of(server.requests[0]) == GOOD
    assert GOOD not in str(error)
    assert error.message == "wrong key ***"
