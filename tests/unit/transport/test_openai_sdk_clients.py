"""Azure through the SDK, and SDK clients that a user of the library passes in."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from easyllm_cli import OpenAIProvider, OpenRouterProvider
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import (
    AuthError,
    BusyError,
    ConfigError,
    EasyLLMError,
    IncompleteAnswer,
    NetworkError,
    NotFoundError,
    RefusedError,
)
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.asking import Json, answer_requests, expect_error, get_completion, messages
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import DONE, Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn

VERSION = "2024-10-21"
AZURE: Json = {"provider": "openai", "model": "my-deployment", "transport": "sdk"}
HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)
HOSTS = ["r.openai.azure.com", "r.cognitiveservices.azure.com", "r.services.ai.azure.com"]


@pytest.fixture
def server() -> Iterator[StandIn]:
    """Stands for Azure: a proxy that answers for every host name."""
    with StandIn(script_handler(HELLO)) as standin:
        yield standin


def azure(server: StandIn, host: str = HOSTS[0], path: str = "", **keys: Any) -> Profile:
    connection = {"endpoint": f"http://{host}{path}", "proxy": server.url, "allow_http": True}
    return Profile.of({**AZURE, **connection, **keys})


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["", "/openai", "/openai/deployments/my-deployment"])
async def test_azure_gets_its_url_version_and_key(
    server: StandIn, host: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "not-to-be-sent")
    keys: Json = {"api_key": "sk-azure", "options": {"api_version": VERSION, "user": "me"}}
    assert (await get_completion(azure(server, host, path, **keys)))["text"] == "Hello"
    [request] = server.requests
    assert request.headers["host"] == host
    assert request.path == "/openai/deployments/my-deployment/chat/completions"
    assert request.query == {"api-version": VERSION}
    assert request.headers["api-key"] == "sk-azure"
    assert "authorization" not in request.headers
    assert "api_version" not in request.json
    assert request.json["user"] == "me"


async def test_azures_version_may_come_from_the_sdks_own_variable(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_VERSION", VERSION)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "nobody-named-it")
    await get_completion(azure(server))
    assert server.requests[0].query == {"api-version": VERSION}
    assert "api-key" not in server.requests[0].headers


async def test_azure_without_a_version_says_what_to_do(server: StandIn) -> None:
    error = await expect_error(ConfigError, azure(server, api_key="k"))
    assert error.exit_code == 2
    assert "api_version" in error.hint
    assert "OPENAI_API_VERSION" in error.hint
    assert server.requests == []


async def test_azures_newer_address_is_plain_openai(server: StandIn) -> None:
    await get_completion(azure(server, path="/openai/v1", api_key="sk-azure"))
    [request] = server.requests
    assert (request.path, request.query) == ("/openai/v1/chat/completions", {})
    assert request.headers["authorization"] == "Bearer sk-azure"


def async_client(server: StandIn, **options: Any) -> Any:
    """Return a client of the SDK, which takes a second to import: not while tests are collected."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(**{"api_key": "k", "base_url": f"{server.url}/v1", **options})


async def test_entra_tokens_come_from_a_passed_client(server: StandIn) -> None:
    from openai import AsyncAzureOpenAI

    async def token() -> str:
        return "entra-token"

    async with AsyncAzureOpenAI(
        azure_endpoint=server.url, api_version=VERSION, azure_ad_token_provider=token
    ) as client:
        provider = OpenAIProvider({"model": "my-deployment"}, client=client)
        assert [text async for text in provider.chat_stream(messages())] == ["Hello"]
    [request] = server.requests
    assert request.path == "/openai/deployments/my-deployment/chat/completions"
    assert request.query == {"api-version": VERSION}
    assert request.headers["authorization"] == "Bearer entra-token"


async def test_passed_client_sends_its_own_settings_and_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with StandIn(OpenAIServer(key="sk-theirs").handle) as server:
        theirs = {"X-Team": "blue"}
        async with async_client(server, api_key="sk-theirs", default_headers=theirs) as client:
            config = {"model": "gpt-4o", "endpoint": "http://ignored.invalid", "api_key": "mine"}
            provider = OpenAIProvider(config, client=client)
            assert await provider.list_models() == ["gpt-4o-mini", "gpt-4o"]
            pieces = [text async for text in provider.chat_stream(messages())]
            assert len(pieces) > 1
            assert server.url in provider.where
            await provider.aclose()
            assert not client.is_closed()
            assert (await provider.chat(messages()))["complete"] is True
        for request in server.requests:
            assert request.headers["x-team"] == "blue"
            assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("provider", ["openai", "openrouter"])
@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthError), (429, BusyError), (500, BusyError), (404, NotFoundError)]
)
async def test_errors_of_a_passed_client_are_easyllm_errors(
    provider: str, status: int, kind: type[EasyLLMError]
) -> None:
    refusal = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == provider).refusal
    provider_class = {"openai": OpenAIProvider, "openrouter": OpenRouterProvider}[provider]
    script = refusal(status, "not now", retry_after="0.2", x_request_id="req_7")
    with StandIn(script_handler(script)) as server:
        async with async_client(server) as client:
            instance = provider_class({"model": "m", "max_retries": 0}, client=client)
            with pytest.raises(kind) as caught:
                await instance.chat(messages())
        assert len(answer_requests(server)) == 1, "the SDK's own retries are off"
    error = caught.value
    assert (error.status, error.message, error.request_id) == (status, "not now", "req_7")
    assert error.retry_after == 0.2
    assert status != 401 or "client that you passed" in error.hint


async def test_redirect_and_cuts_through_a_passed_client() -> None:
    elsewhere = Script(status=307, headers={"location": "http://127.0.0.1:9/"})
    scripts = (elsewhere, Script(chunk("Hel"), Cut()), Script(Cut()))
    kinds: list[type[EasyLLMError]] = [RefusedError, IncompleteAnswer, NetworkError]
    with StandIn(script_handler(*scripts)) as server:
        async with async_client(server) as client:
            provider = OpenAIProvider({"model": "m", "max_retries": 0}, client=client)
            for kind in kinds:
                with pytest.raises(kind):
                    [event async for event in provider.stream(messages())]
        assert len(server.requests) == 3


async def test_leaving_a_stream_early_closes_its_connection() -> None:
    begun = Script(chunk("Hel"), chunk("lo"), *[chunk("!")] * 200_000)
    with StandIn(script_handler(begun)) as server:
        async with async_client(server) as client:
            provider = OpenAIProvider({"model": "m"}, client=client)
            texts: Any = provider.chat_stream(messages())
            assert await anext(texts) == "Hel"
            await texts.aclose()
            async with asyncio.timeout(5):
                while server.requests[0].closed_at is None:
                    await asyncio.sleep(0.01)


def test_another_kind_of_client_is_refused() -> None:
    from openai import OpenAI

    clients: list[Any] = [OpenAI(api_key="k"), object(), "sk-key"]
    for client in clients:
        with pytest.raises(ConfigError, match="must be an AsyncOpenAI") as caught:
            OpenAIProvider({"model": "m"}, client=client)
        assert "sk-key" not in str(caught.value)
