"""Provider objects are cached by their whole configuration and event loop."""

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import httpx2
import pytest

from easyllm_cli import AuthError, LLMService, OpenAIProvider, Profile
from easyllm_cli.config.settings import SETTINGS
from easyllm_cli.providers import provider_cache
from easyllm_cli.providers.provider_cache import MAX_PROVIDERS_PER_LOOP, ProviderCache
from easyllm_cli.providers.request_key import profile_cache_key
from tests.support.asking import messages
from tests.support.binary import wait_until
from tests.support.setting_examples import example_value
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import Json
from tests.support.standins.server import Reply, Request, StandIn

BASE: Json = {"provider": "openai", "endpoint": "http://127.0.0.1:9/v1", "model": "gpt-4o"}


def make_config(server: StandIn, **keys: Any) -> Json:
    return {**BASE, "endpoint": f"{server.url}/v1", **keys}


def clients() -> set[int]:
    """Return the ids of all HTTP clients in this process."""
    return {id(item) for item in gc.get_objects() if type(item) is httpx2.AsyncClient}


@pytest.mark.parametrize("key", SETTINGS)
def test_each_setting_changes_the_cache_key(key: str) -> None:
    config, value = Profile.of(BASE), example_value(SETTINGS[key])
    assert profile_cache_key(config) == profile_cache_key(Profile.of(BASE))
    assert profile_cache_key(Profile.of(BASE | {key: value})) != profile_cache_key(config)


def test_order_of_settings_does_not_change_the_cache_key() -> None:
    first = {"options": {"a": 1, "b": {"c": 2, "d": 3}}, **BASE}
    second = {**dict(reversed(BASE.items())), "options": {"b": {"d": 3, "c": 2}, "a": 1}}
    assert profile_cache_key(Profile.of(first)) == profile_cache_key(Profile.of(second))


def test_cache_key_contains_no_api_key() -> None:
    keys_found = {
        profile_cache_key(Profile.of(BASE | {"api_key": f"sk-secret-{n}"})) for n in range(3)
    }
    assert len(keys_found) == 3
    assert not any("sk-secret" in identity for identity in keys_found)


def test_base_url_variable_changes_the_cache_key(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Profile.of({"provider": "openai"})
    before = profile_cache_key(config)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:10/v1")
    assert profile_cache_key(config) != before
    assert profile_cache_key(Profile.of(BASE)) == profile_cache_key(Profile.of(BASE))


async def test_key_of_a_profile_object_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the variable of its endpoint changes."""
    made = []

    def make_key(profile: Profile) -> str:
        made.append(profile)
        return profile_cache_key(profile)

    monkeypatch.setattr(provider_cache, "profile_cache_key", make_key)
    cache, profile = ProviderCache(), Profile.of({"provider": "openai", "model": "m"})
    first = cache.get(profile)
    assert cache.get(profile) is first
    assert made == [profile]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:10/v1")
    assert cache.get(profile) is not first


async def test_another_object_at_the_same_address_is_another_profile() -> None:
    """A Profile that nobody keeps may be followed by another one in the same memory."""
    cache = ProviderCache()
    for number in range(20):
        for seed in (0, number):
            assert cache.get(Profile.of({**BASE, "seed": seed})).profile.seed == seed


async def test_api_keys_do_not_share_a_client() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for key in ("first", "second", "first"):
                await service.chat(make_config(server, api_key=key), messages())
            assert len(clients() - before) == 2
        sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer first", "Bearer second", "Bearer first"]


async def test_concurrent_first_uses_create_one_client() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            calls = [service.chat(make_config(server), messages(str(n))) for n in range(100)]
            texts = [done["text"] for done in await asyncio.gather(*calls)]
            assert len(clients() - before) == 1
    assert texts == [f"Hello from gpt-4o: {n}" for n in range(100)]


async def test_successive_calls_share_one_connection() -> None:
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for _ in range(3):
                await service.chat(make_config(server), messages())
            assert server.connections == 1


def test_finished_event_loops_are_released() -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []
    service = LLMService()

    async def ask(server: StandIn) -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await service.chat(make_config(server), messages())
        await OpenAIProvider(make_config(server)).chat(messages())

    with StandIn(OpenAIServer().handle) as server:
        before = clients()
        for _ in range(3):
            asyncio.run(ask(server))
            wait_until(lambda: server.connections == 0)
        gc.collect()
        # Only the last run's provider is still cached; its client is closed.
        assert [loop() is None for loop in loops] == [True, True, False]
        service.clear_cache()
        gc.collect()
        assert [loop() is None for loop in loops] == [True, True, True]
        assert clients() <= before


def test_threads_do_not_share_clients() -> None:
    service, texts = LLMService(), []

    async def ask(server: StandIn) -> None:
        for _ in range(5):
            texts.append((await service.chat(make_config(server), messages("hi")))["text"])

    with StandIn(OpenAIServer().handle) as server:
        threads = [threading.Thread(target=lambda: asyncio.run(ask(server))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == ["Hello from gpt-4o: hi"] * 20


def test_provider_works_in_successive_loops() -> None:
    with StandIn(OpenAIServer().handle) as server:
        provider = OpenAIProvider(make_config(server))
        for _ in range(2):
            done = asyncio.run(provider.chat(messages("hi")))
            assert done["text"] == "Hello from gpt-4o: hi"
            wait_until(lambda: server.connections == 0)


async def test_the_cache_is_bounded() -> None:
    before = clients()
    with StandIn(OpenAIServer().handle) as server:
        async with LLMService() as service:
            for seed in range(MAX_PROVIDERS_PER_LOOP + 4):
                await service.chat(make_config(server, seed=seed), messages())
                # Used often, so it stays cached.
                await service.chat(make_config(server), messages())
            assert len(clients() - before) <= MAX_PROVIDERS_PER_LOOP
            assert server.connections <= MAX_PROVIDERS_PER_LOOP + 1


async def test_default_model_is_chosen_for_each_call() -> None:
    stand_in = OllamaServer(models={"first": ("completion",)})
    with StandIn(stand_in.handle) as server:
        config = {"provider": "ollama", "endpoint": server.url}
        async with LLMService() as service:
            assert (await service.chat(config, messages()))["model"] == "first:latest"
            stand_in.models = {"second": ("completion",)}
            assert (await service.chat(config, messages()))["model"] == "second:latest"


async def test_changed_api_key_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(OpenAIServer().handle) as server:
        config = make_config(server, api_key_env="ROTATING")
        provider = OpenAIProvider(config, trust_configs=True)
        async with LLMService(trust_configs=True) as service:
            for key in ("one", "two"):
                monkeypatch.setenv("ROTATING", key)
                await service.chat(config, messages())
                await provider.list_models()
                await provider.chat(messages())
        chats = [request for request in server.requests if request.method == "POST"]
        sent = [request.headers["authorization"] for request in chats]
    assert sent == ["Bearer one", "Bearer one", "Bearer two", "Bearer two"]


@pytest.mark.parametrize(
    ("stand_in", "keys"),
    [
        (OpenAIServer(key="key-1"), {}),  # refuses a wrong key with 401, Gemini with 400
        (GeminiServer(key="key-1"), {"provider": "gemini", "model": "gemini-2.0-flash"}),
    ],
    ids=["openai", "gemini"],
)
async def test_key_command_runs_once_until_its_key_is_refused(
    stand_in: OpenAIServer | GeminiServer, keys: Json, tmp_path: Path
) -> None:
    """The command may take seconds, and the key that it prints may expire."""
    counter = tmp_path / "runs"
    key_command = ["sh", "-c", f"echo >> {counter}; echo key-$(wc -l < {counter})"]
    with StandIn(stand_in.handle) as server:
        base = "/v1beta" if keys else "/v1"
        config = make_config(server, api_key_cmd=key_command, **keys, endpoint=server.url + base)
        async with LLMService(trust_configs=True) as service:
            for _ in range(3):
                await service.chat(config, messages())
            assert counter.read_text() == "\n"
            stand_in.key = "key-2"
            with pytest.raises(AuthError, match="check the key from api_key_cmd"):
                await service.chat(config, messages())
            await service.chat(config, messages())
    assert counter.read_text() == "\n\n"


async def test_concurrent_calls_do_not_wait_for_a_connection() -> None:
    """More calls than an HTTP client's default limit; each answer waits until all have arrived."""
    count = 110

    class Together(OpenAIServer):
        async def handle(self, request: Request, reply: Reply) -> None:
            while len(server.requests) < count:
                await reply.sleep(0.01)
            await super().handle(request, reply)

    with StandIn(Together().handle) as server:
        config = make_config(server, timeout={"first_token": 20}, max_retries=0)
        async with LLMService() as service:
            calls = [service.get_response(config, str(n)) for n in range(count)]
            texts = await asyncio.gather(*calls)
    assert len(set(texts)) == count
