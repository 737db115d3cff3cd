"""A config dict may be a stranger's words: it reaches no file, command, variable or other key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import (
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
from easyllm_cli.images import Image
from easyllm_cli.providers.local.provider import LocalProvider
from easyllm_cli.providers.openai.responses import ResponsesProvider
from tests.support.asking import Json, messages
from tests.support.pictures import png
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

PNG = png(2, 2, (255, 0, 0))
# Each of them alone, beside what a dict may say.
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
]
PROVIDERS = [
    OpenAIProvider, ResponsesProvider, OllamaProvider, OpenRouterProvider, GeminiProvider,
    LocalProvider,
]  # fmt: skip


def config(server: StandIn, **keys: Any) -> Json:
    return {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "gpt-4o", **keys}


def refused(make: Callable[[], Any]) -> str:
    """The line of a ConfigError."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert "trust_configs=True" in caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize("keys", REACHING, ids=str)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_takes_nothing_that_reaches_out_from_a_dict(provider: Any, keys: Json) -> None:
    usual = {"model": "m"} if provider is LocalProvider else {"endpoint": "http://127.0.0.1:9/v1"}
    said = refused(lambda: provider({**usual, **keys}))
    assert next(iter(keys)) in said
    profile = Profile.of({"provider": provider.provider, **usual, **keys})
    assert provider(profile).profile.untrusted is False
    assert provider({**usual, **keys}, trust_configs=True).profile.untrusted is False


@pytest.mark.parametrize("keys", REACHING, ids=str)
async def test_the_service_asks_nobody_for_such_a_dict(keys: Json) -> None:
    with StandIn(OpenAIServer().handle) as server:
        asked, plain = config(server, **keys), config(server)
        service = LLMService()
        for ask in (
            lambda: service.chat(asked, messages()),
            lambda: service.get_response(asked, "hi"),
            lambda: service.vision_chat(asked, "hi", PNG),
            lambda: service.chat(plain, messages(), fallbacks=[asked]),
            lambda: collect(service.stream(plain, messages(), fallbacks=[asked])),
        ):
            with pytest.raises(ConfigError, match="is not allowed in an untrusted config dict"):
                await ask()
        with pytest.raises(ConfigError, match="is not allowed in an untrusted config dict"):
            _ = [text async for text in service.chat_stream(asked, messages())]
        assert server.requests == []


async def test_a_command_of_a_dict_runs_only_where_dicts_are_trusted(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    keys = {"api_key_cmd": ["sh", "-c", f"touch {ran}; echo key"]}
    with StandIn(OpenAIServer().handle) as server:
        with pytest.raises(ConfigError):
            await LLMService().chat(config(server, **keys), messages())
        assert not ran.exists()
        async with LLMService(trust_configs=True) as service:
            await service.chat(config(server, **keys), messages())
            ran.unlink()
        async with LLMService() as service:  # a Profile is the developer's own word
            await service.chat(Profile.of(config(server, **keys)), messages())
        assert ran.exists()
        assert [one.headers["authorization"] for one in server.requests] == ["Bearer key"] * 2


async def test_other_spellings_are_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is nested, or spelled otherwise, is never followed: at most it is sent as it is."""
    monkeypatch.setenv("HIDDEN", "hidden-value")
    with StandIn(OpenAIServer().handle) as server:
        asked = {
            "provider": "openai", "base_url": f"{server.url}/v1", "model": "gpt-4o",
            "options": {"api_key_env": "HIDDEN", "headers": {"X": "env:HIDDEN"}, "proxy": "x"},
            "API_KEY_ENV": "HIDDEN", "extends": "mine", "fallback": ["mine"],
            "api_key": "env:HIDDEN", "untrusted": False, "trust_configs": True,
        }  # fmt: skip
        async with LLMService() as service:
            await service.chat(asked, messages())
        [request] = server.requests
        assert "hidden-value" not in f"{request.headers} {request.json}"
        assert request.json["api_key_env"] == "HIDDEN"
    with pytest.raises(ConfigError, match="api_key_cmd"):
        await LLMService().chat({**asked, "api_key": "", "api_key_cmd": " touch x "}, messages())


@pytest.mark.parametrize("model", ["/srv/secret.gguf", "secret.gguf", "../secret", "~/x/y"])
def test_a_dict_names_no_file_as_an_embedded_model(model: str) -> None:
    assert "model" in refused(lambda: LocalProvider({"model": model}))
    for trusted in (Profile(model=model), Profile(provider="local", model=model)):
        assert LocalProvider(trusted).model_path.name.startswith(("secret", "y"))
    LocalProvider({"model": model}, trust_configs=True)
    assert LocalProvider({"model": "mine"}).model_path.parent.name == "models"


async def test_a_picture_given_as_text_is_no_path_beside_a_dict(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with StandIn(OpenAIServer().handle) as server:
        asked = config(server)
        with pytest.raises(UsageError, match="a path given as text is not read"):
            await LLMService().vision_chat(asked, "What is this?", str(path))
        with pytest.raises(UsageError, match="a path given as text is not read"):
            await OpenAIProvider(asked).vision_chat("What is this?", str(path))
        assert server.requests == []
        async with LLMService() as service, LLMService(trust_configs=True) as trusting:
            await service.vision_chat(asked, "What is this?", path)
            await service.vision_chat(Profile.of(asked), "What is this?", str(path))
            await trusting.vision_chat(asked, "What is this?", str(path))
        for provider in (
            OpenAIProvider(Profile.of(asked)), OpenAIProvider(asked, trust_configs=True),
        ):  # fmt: skip
            await provider.vision_chat("What is this?", str(path))
            await provider.aclose()
        url = Image.of(PNG).as_url()
        seen = [
            one.json["messages"][0]["content"][1]["image_url"]["url"] for one in server.requests
        ]
    assert seen == [url] * 5


async def test_a_trusted_and_a_strange_config_never_share_a_provider() -> None:
    with StandIn(OpenAIServer().handle) as server:
        service, asked = LLMService(), config(server, send_defaults=False)
        await service.chat(Profile.of(asked), messages())
        with pytest.raises(UsageError):
            await service.vision_chat(asked, "What is this?", "a.png")
        await service.aclose()
