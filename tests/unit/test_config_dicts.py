"""A config dict may come from a stranger: it reaches no file, command, variable or profile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import (
    CohereProvider,
    ConfigError,
    GeminiProvider,
    LLMService,
    OllamaProvider,
    OpenAIProvider,
    OpenRouterProvider,
    Profile,
    UsageError,
    collect,
)
from easyllm_cli.config.settings import SETTINGS, TRUSTED_ONLY_SETTINGS
from easyllm_cli.images import Image
from easyllm_cli.providers.local.provider import LocalProvider
from easyllm_cli.providers.openai.responses import ResponsesProvider
from tests.support.asking import Json, messages
from tests.support.images import png
from tests.support.setting_examples import example_value
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

PNG = png(2, 2, (255, 0, 0))
# Settings that reach outside; each is tested on its own, added to allowed settings.
REACHING: list[Json] = [
    {"api_key_cmd": "pass show x"},
    {"api_key_cmd": ["pass", "show"]},
    {"api_key_file": "/etc/passwd"},
    {"api_key_env": "AWS_SECRET_ACCESS_KEY"},
    {"keyring": "openai"},
    {"headers": {"X-A": "1", "X-B": "env:AWS_SECRET_ACCESS_KEY"}},
    {"proxy": "http://127.0.0.1:9"},
    {"ca_bundle": "/tmp/ca.pem"},
    {"mmproj": "/tmp/mmproj.gguf"},
    {"extends": "mine"},
    {"fallback": ["mine"]},
]
REACHING += [
    {key: example_value(SETTINGS[key])}
    for key in TRUSTED_ONLY_SETTINGS
    if not any(key in each for each in REACHING)
]
PROVIDERS = [
    OpenAIProvider, ResponsesProvider, OllamaProvider, OpenRouterProvider, GeminiProvider,
    CohereProvider, LocalProvider,
]  # fmt: skip


def config(server: StandIn, **keys: Any) -> Json:
    return {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o", **keys}


def refused(make: Callable[[], Any]) -> str:
    """The text of the ConfigError that `make` raises."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert "trust_configs=True" in caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("keys", REACHING, ids=str)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_provider_refuses_each_setting_in_a_dict(provider: Any, keys: Json) -> None:
    allowed = {"model": "m"} if provider is LocalProvider else {"endpoint": "http://127.0.0.1:9/v1"}
    message = refused(lambda: provider({**allowed, **keys}))
    assert next(iter(keys)) in message
    profile = Profile.of({"provider": provider.provider, **allowed, **keys})
    assert provider(profile).profile.untrusted is False
    assert provider({**allowed, **keys}, trust_configs=True).profile.untrusted is False


@pytest.mark.parametrize("keys", REACHING, ids=str)
async def test_service_sends_no_request_for_such_a_dict(keys: Json) -> None:
    with StandIn(OpenAIServer().handle) as server:
        unsafe, plain = config(server, **keys), config(server)
        service = LLMService()
        for call in (
            lambda: service.chat(unsafe, messages()),
            lambda: service.get_response(unsafe, "hi"),
            lambda: service.vision_chat(unsafe, "hi", PNG),
            lambda: service.chat(plain, messages(), fallbacks=[unsafe]),
            lambda: collect(service.stream(plain, messages(), fallbacks=[unsafe])),
        ):
            with pytest.raises(ConfigError, match="is not allowed in an untrusted config dict"):
                await call()
        with pytest.raises(ConfigError, match="is not allowed in an untrusted config dict"):
            _ = [text async for text in service.chat_stream(unsafe, messages())]
        assert server.requests == []


async def test_key_command_in_a_dict_runs_only_with_trust_configs(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    keys = {"api_key_cmd": ["sh", "-c", f"touch {ran}; echo key"]}
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(ConfigError):
            await LLMService().chat(config(server, **keys), messages())
        assert not ran.exists()
        async with LLMService(trust_configs=True) as service:
            await service.chat(config(server, **keys), messages())
            ran.unlink()
        async with LLMService() as service:  # a Profile is the developer's, so trusted
            await service.chat(Profile.of(config(server, **keys)), messages())
        assert ran.exists()
        assert [request.headers["authorization"] for request in server.requests] == [
            "Bearer key"
        ] * 2


async def test_nested_or_respelled_settings_are_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A nested or differently spelled setting is at most sent to the server unchanged."""
    monkeypatch.setenv("HIDDEN", "hidden-value")
    with StandIn(OpenAIServer().handle) as server:
        settings = {
            "provider": "openai", "base_url": f"{server.url}/v1", "model": "gpt-4o",
            "options": {"api_key_env": "HIDDEN", "headers": {"X": "env:HIDDEN"}, "proxy": "x"},
            "API_KEY_ENV": "HIDDEN", "Extends": "mine", " fallback": ["mine"],
            "api_key": "env:HIDDEN", "untrusted": False, "trust_configs": True,
        }  # fmt: skip
        async with LLMService() as service:
            await service.chat(settings, messages())
        [request] = server.requests
        assert "hidden-value" not in f"{request.headers} {request.json}"
        assert request.json["api_key_env"] == "HIDDEN"
    with pytest.raises(ConfigError, match="api_key_cmd"):
        await LLMService().chat({**settings, "api_key": "", "api_key_cmd": " touch x "}, messages())


@pytest.mark.parametrize("model", ["/srv/secret.gguf", "secret.gguf", "../secret", "~/x/y"])
def test_dict_cannot_name_a_model_file(model: str) -> None:
    assert "model" in refused(lambda: LocalProvider({"model": model}))
    for trusted in (Profile(model=model), Profile(provider="local", model=model)):
        assert LocalProvider(trusted).model_path.name.startswith(("secret", "y"))
    LocalProvider({"model": model}, trust_configs=True)
    assert LocalProvider({"model": "mine"}).model_path.parent.name == "models"


async def test_image_path_as_text_is_not_read_with_a_dict(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with StandIn(OpenAIServer().handle) as server:
        settings = config(server)
        with pytest.raises(UsageError, match="a path given as text is not read"):
            await LLMService().vision_chat(settings, "What is this?", str(path))
        with pytest.raises(UsageError, match="a path given as text is not read"):
            await OpenAIProvider(settings).vision_chat("What is this?", str(path))
        assert server.requests == []
        async with LLMService() as service, LLMService(trust_configs=True) as trusting:
            await service.vision_chat(settings, "What is this?", path)
            await service.vision_chat(Profile.of(settings), "What is this?", str(path))
            await trusting.vision_chat(settings, "What is this?", str(path))
        for provider in (
            OpenAIProvider(Profile.of(settings)), OpenAIProvider(settings, trust_configs=True),
        ):  # fmt: skip
            await provider.vision_chat("What is this?", str(path))
            await provider.aclose()
        url = Image.of(PNG).as_url()
        seen = [
            request.json["messages"][0]["content"][1]["image_url"]["url"]
            for request in server.requests
        ]
    assert seen == [url] * 5


async def test_trusted_and_untrusted_configs_never_share_a_provider() -> None:
    with StandIn(OpenAIServer().handle) as server:
        service, settings = LLMService(), config(server, send_defaults=False)
        await service.chat(Profile.of(settings), messages())
        with pytest.raises(UsageError):
            await service.vision_chat(settings, "What is this?", "a.png")
        await service.aclose()
