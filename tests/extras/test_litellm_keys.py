"""Which key litellm sends where: several balanced, none of a variable's to a foreign endpoint."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, BusyError, ConfigError, NotFoundError, RefusedError
from easyllm_cli.events import Start
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.litellm.provider import LiteLLMProvider
from tests.extras.litellm_row import ITS_OWN_WARNINGS, LITELLM, litellm_profile
from tests.support.asking import collect_events, expect_error, get_completion, messages, notes
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Handler, Reply, Request, StandIn

pytestmark = ITS_OWN_WARNINGS
GOOD, OTHER, BAD = "sk-good-0123", "sk-other-0123", "sk-bad-0123"
# Variables that litellm, or the openai package under it, reads by itself.
READ = (
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


def failing(bad: Script) -> Handler:
    """Turns the key BAD away, and answers every other."""
    good = OpenAIServer(models=["m"])

    async def handle(request: Request, reply: Reply) -> None:
        await (bad.play(reply) if key_of(request) == BAD else good.handle(request, reply))

    return handle


@pytest.mark.parametrize("model", VENDORS)
async def test_no_variable_goes_to_an_endpoint_that_the_profile_names(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in READ:
        monkeypatch.setenv(name, f"SECRET-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-gate: SECRET-HEADER")
    refusal = LITELLM.refusal(400, "no")
    with StandIn(script_handler(refusal)) as server:
        await expect_error(RefusedError, litellm_profile(server, model=model))
        (request,) = server.requests
    sent = json.dumps([request.headers, request.query, request.path]) + request.body.decode()
    assert "SECRET" not in sent


async def test_named_key_and_headers_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
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


NO_HEADERS: list[dict[str, Any]] = [
    {"headers": {"content-length": "5"}}, {"headers": {"Transfer-Encoding": "chunked"}},
    {"headers": {"a b": "v"}}, {"headers": {"x-a": "a\r\nX-B: 1"}}, {"organization": "a\nb"},
    {"project": "é"}, {"options": {"extra_headers": {"Host": "h"}}},
    {"options": {"extra_headers": {"x-a": "a\nb"}}},
]  # fmt: skip


@pytest.mark.parametrize("keys", NO_HEADERS, ids=str)
@pytest.mark.parametrize("model", ["openai/m", "anthropic/claude-sonnet-4-5"])
async def test_what_is_no_header_is_refused_before_it_is_sent(
    model: str, keys: dict[str, Any]
) -> None:
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


@pytest.mark.parametrize("status", [401, 403, 429])
@pytest.mark.parametrize("stream", [True, False])
async def test_key_that_fails_gives_way_and_rests(status: int, stream: bool) -> None:
    with StandIn(failing(LITELLM.refusal(status, "not this one"))) as server:
        provider = provider_for(litellm_profile(server, api_key=[BAD, GOOD], max_retries=0))
        told = []
        for _ in range(8):
            came = [event async for event in provider.stream(messages(), stream)]
            assert came[-1].kind == "done"
            told += notes(came)
        used = Counter(map(key_of, server.requests))
    assert used[GOOD] == 8
    assert used[BAD] <= 1, "it rests after its first failure"
    why = f"key 1 of 2: not this one (HTTP {status}); trying another"
    assert told == [why] * used[BAD]


async def test_when_every_key_fails_the_last_error_is_told() -> None:
    with StandIn(script_handler(LITELLM.refusal(401, f"wrong key {BAD}"))) as server:
        asked = litellm_profile(server, api_key=[BAD, GOOD])
        error = await expect_error(AuthError, asked)
        assert len(server.requests) == 2
    assert BAD not in str(error)
    assert "check the key from api_key" in error.hint


async def test_failing_server_is_not_the_keys_fault() -> None:
    with StandIn(script_handler(LITELLM.refusal(503, "overloaded"))) as server:
        await expect_error(BusyError, litellm_profile(server, api_key=[BAD, GOOD], max_retries=1))
        assert len(server.requests) == 2, "two tries, not two keys in each"


async def test_a_busy_model_falls_back() -> None:
    good = OpenAIServer(models=["second"])

    async def handle(request: Request, reply: Reply) -> None:
        busy = request.json["model"] == "first"
        await (LITELLM.refusal(503, "full").play(reply) if busy else good.handle(request, reply))

    with StandIn(handle) as server:
        asked = litellm_profile(server, model="openai/first", fallback_models=["openai/second"])
        came = await collect_events(asked)
        assert len(server.requests) == 2
    assert notes(came) == ["openai/first: full (HTTP 503); asking openai/second"]
    assert [event.model for event in came if isinstance(event, Start)][-1] == "openai/second"


async def test_a_model_that_is_named_twice_is_asked_once() -> None:
    with StandIn(script_handler(*[LITELLM.refusal(503, "full")] * 9)) as server:
        models = ["openai/second", "openai/first", "openai/second"]
        keys: Any = {"fallback_models": models, "max_retries": 0}
        await expect_error(BusyError, litellm_profile(server, model="openai/first", **keys))
        assert [request.json["model"] for request in server.requests] == ["first", "second"]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RefusedError), (401, AuthError), (404, NotFoundError)]
)
async def test_trap_32_what_is_refused_falls_back_to_nothing(status: int, kind: Any) -> None:
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
    assert all(one.key is not None for one in gateway.fallback_providers)


async def test_key_that_litellm_reads_itself_is_in_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No endpoint and no key is named: litellm takes both from the vendor's variables."""
    refusal = LITELLM.refusal(401, f"wrong key {GOOD}")
    with StandIn(script_handler(refusal)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", GOOD)
        asked = Profile.of({"provider": "litellm", "model": "openai/m"})
        error = await expect_error(AuthError, asked)
        assert key_of(server.requests[0]) == GOOD
    assert GOOD not in str(error)
    assert error.message == "wrong key ***"
