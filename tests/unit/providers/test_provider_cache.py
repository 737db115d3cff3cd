"""Providers are kept by their whole configuration and event loop, and by nothing less."""

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import httpx2
import pytest

from easyllm_cli import AuthError, LLMService, OpenAIProvider, Profile
from easyllm_cli.config.profile import SETTING_FIELDS
from easyllm_cli.providers.provider_cache import MAX_PROVIDERS_PER_LOOP, profile_cache_key
from tests.support.asking import messages
from tests.support.binary import wait_until
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Json
from tests.support.standins.server import Reply, Request, StandIn

BASE: Json = {"provider": "openai", "endpoint": "http://127.0.0.1:9/v1", "model": "gpt-4o"}
# For every key of a profile a value that BASE has not.
OTHERS: Json = {
    "provider": "llamacpp", "endpoint": "http://127.0.0.1:10/v1", "model": "gpt-4",
    "extends": "openai", "system": "Be brief.", "api": "chat", "transport": "sdk",
    "api_key_env": "A", "api_key_cmd": "pass x", "api_key_file": "/x", "keyring": "x",
    "api_key": "sk-1", "headers": {"X-A": "1"}, "ca_bundle": "/x.pem", "proxy": "http://p:1",
    "allow_http": True, "organization": "o", "project": "p", "temperature": 0.1,
    "max_tokens": 9, "top_p": 0.5, "top_k": 4, "seed": 1, "stop": "x", "reasoning": "low",
    "reasoning_tags": "off", "max_retries": 1, "initial_retry_delay": 0.5,
    "max_retry_delay": 9.0, "retry_multiplier": 3.0, "retry_budget": 9.0,
    "timeout": {"idle": 5}, "fallback": ["x"], "fallback_models": ["x"], "num_ctx": 9,
    "keep_alive": "1m", "mmproj": "/x", "send_defaults": True, "strict": True,
    "options": {"a": 1},
}  # fmt: skip


def config(server: StandIn, **keys: Any) -> Json:
    return {**BASE, "endpoint": f"{server.url}/v1", **keys}


def clients() -> set[int]:
    """Every HTTP client in this process."""
    return {id(one) for one in gc.get_objects() if type(one) is httpx2.AsyncClient}


def test_every_key_is_tried() -> None:
    assert set(OTHERS) == set(SETTING_FIELDS)


@pytest.mark.parametrize("key", SETTING_FIELDS)
def test_each_key_makes_another_identity(key: str) -> None:
    asked = Profile.of(BASE)
    assert profile_cache_key(asked) == profile_cache_key(Profile.of(BASE))
    assert profile_cache_key(Profile.of(BASE | {key: OTHERS[key]})) != profile_cache_key(asked)


def test_the_order_of_keys_makes_no_other_identity() -> None:
    one = {"options": {"a": 1, "b": {"c": 2, "d": 3}}, **BASE}
    other = {**dict(reversed(BASE.items())), "options": {"b": {"d": 3, "c": 2}, "a": 1}}
    assert profile_cache_key(Profile.of(one)) == profile_cache_key(Profile.of(other))


def test_an_identity_holds_no_key() -> None:
    identities = {
        profile_cache_key(Profile.of(BASE | {"api_key": f"sk-secret-{n}"})) for n in range(3)
    }
    assert len(identities) == 3
    assert not any("sk-secret" in identity for identity in identities)


def test_the_address_that_the_environment_names_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Profile.of({"provider": "openai"})
    before = profile_cache_key(asked)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:10/v1")
    assert profile_cache_key(asked) != before
    assert profile_cache_key(Profile.of(BASE)) == profile_cache_key(Profile.of(BASE))


async def test_two_keys_never_share_a_client() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for key in ("first", "second", "first"):
                await service.chat(config(server, api_key=key), messages())
            assert len(clients() - before) == 2
        sent = [one.headers["authorization"] for one in server.requests]
    assert sent == ["Bearer first", "Bearer second", "Bearer first"]


async def test_a_hundred_first_uses_make_one_client() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            asking = [service.chat(config(server), messages(str(n))) for n in range(100)]
            texts = [done["text"] for done in await asyncio.gather(*asking)]
            assert len(clients() - before) == 1
    assert texts == [f"Hello from gpt-4o: {n}" for n in range(100)]


async def test_one_connection_serves_one_call_after_the_other() -> None:
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for _ in range(3):
                await service.chat(config(server), messages())
            assert server.connections == 1


def test_two_runs_leave_nothing_behind() -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    service = LLMService()

    async def ask(server: StandIn) -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await service.chat(config(server), messages())
        await OpenAIProvider(config(server)).chat(messages())

    with StandIn(OpenAIServer().handle) as server:
        before = clients()
        for _ in range(3):
            asyncio.run(ask(server))
            wait_until(lambda: server.connections == 0)
        gc.collect()
        # Only the newest run's provider is still known, its client closed.
        assert [loop() is None for loop in loops] == [True, True, False]
        service.clear_cache()
        gc.collect()
        assert [loop() is None for loop in loops] == [True, True, True]
        assert clients() <= before


def test_threads_have_clients_of_their_own() -> None:
    service, texts = LLMService(), []

    async def ask(server: StandIn) -> None:
        for _ in range(5):
            texts.append((await service.chat(config(server), messages("hi")))["text"])

    with StandIn(OpenAIServer().handle) as server:
        threads = [threading.Thread(target=lambda: asyncio.run(ask(server))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == ["Hello from gpt-4o: hi"] * 20


def test_a_provider_serves_one_loop_after_the_other() -> None:
    with StandIn(OpenAIServer().handle) as server:
        provider = OpenAIProvider(config(server))
        for _ in range(2):
            done = asyncio.run(provider.chat(messages("hi")))
            assert done["text"] == "Hello from gpt-4o: hi"
            wait_until(lambda: server.connections == 0)


async def test_the_cache_is_bounded() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for seed in range(MAX_PROVIDERS_PER_LOOP + 20):
                await service.chat(config(server, seed=seed), messages())
                await service.chat(config(server), messages())  # used again and again: kept
            assert len(clients() - before) <= MAX_PROVIDERS_PER_LOOP
            assert server.connections <= MAX_PROVIDERS_PER_LOOP + 1


async def test_a_model_that_was_chosen_is_chosen_anew() -> None:
    stand_in = OllamaServer(models={"first": ("completion",)})
    with StandIn(stand_in.handle) as server:
        asked = {"provider": "ollama", "endpoint": server.url}
        async with LLMService() as service:
            assert (await service.chat(asked, messages()))["model"] == "first:latest"
            stand_in.models = {"second": ("completion",)}
            assert (await service.chat(asked, messages()))["model"] == "second:latest"


async def test_a_key_that_changed_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server, api_key_env="ROTATING")
        provider = OpenAIProvider(asked, trust_configs=True)
        async with LLMService(trust_configs=True) as service:
            for key in ("one", "two"):
                monkeypatch.setenv("ROTATING", key)
                await service.chat(asked, messages())
                await provider.list_models()
                await provider.chat(messages())
        chats = [one for one in server.requests if one.method == "POST"]
        sent = [one.headers["authorization"] for one in chats]
    assert sent == ["Bearer one", "Bearer one", "Bearer two", "Bearer two"]


@pytest.mark.parametrize(
    ("stand_in", "keys"),
    [
        (OpenAIServer(key="key-1"), {}),  # refuses a key with 401, Google with 400
        (GeminiServer(key="key-1"), {"provider": "gemini", "model": "gemini-2.0-flash"}),
    ],
    ids=["openai", "gemini"],
)
async def test_a_keys_command_runs_once_until_its_key_is_refused(
    stand_in: OpenAIServer | GeminiServer, keys: Json, tmp_path: Path
) -> None:
    """It may take seconds, and what it prints may run out."""
    counter = tmp_path / "runs"
    command = ["sh", "-c", f"echo >> {counter}; echo key-$(wc -l < {counter})"]
    with StandIn(stand_in.handle) as server:
        base = "/v1beta" if keys else "/v1"
        asked = config(server, api_key_cmd=command, **keys, endpoint=server.url + base)
        async with LLMService(trust_configs=True) as service:
            for _ in range(3):
                await service.chat(asked, messages())
            assert counter.read_text() == "\n"
            stand_in.key = "key-2"
            with pytest.raises(AuthError, match="check the key from api_key_cmd"):
                await service.chat(asked, messages())
            await service.chat(asked, messages())
    assert counter.read_text() == "\n\n"


async def test_nobody_waits_for_a_turn() -> None:
    """More answers at once than an HTTP client usually allows: each is waiting for all others."""
    many = 150

    class Together(OpenAIServer):
        async def handle(self, request: Request, reply: Reply) -> None:
            while len(server.requests) < many:
                await reply.sleep(0.01)
            await super().handle(request, reply)

    with StandIn(Together().handle) as server:
        asked = config(server, timeout={"first_token": 20}, max_retries=0)
        async with LLMService() as service:
            asking = [service.get_response(asked, str(n)) for n in range(many)]
            texts = await asyncio.gather(*asking)
    assert len(set(texts)) == many
