"""Requests over the wire: images, OLLAMA_HOST, parameter names, refused parameters, keys."""

import base64
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.endpoints import resolve_endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, RefusedError, UsageError
from easyllm_cli.events import Note
from easyllm_cli.messages import Message
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.vendors import VENDORS
from tests.support.adapters import ADAPTERS, KEY, Adapter
from tests.support.asking import (
    Json,
    answer_requests,
    collect_events,
    expect_error,
    get_completion,
    open_provider,
    openai,
)
from tests.support.images import gif_1x1, png
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import DONE, Script, chunk, script_handler
from tests.support.standins.server import StandIn

PNG = png(8, 8, (200, 30, 30))
BMP = b"BM" + bytes(60)
HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)
every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)


def body_of(config: Profile) -> Json:
    """Return the body that would be sent, without a network."""
    provider = provider_for(config)
    assert isinstance(provider, HTTPProvider)
    body = provider.request([Message("user", ("hi",))], True).body
    assert body is not None
    return body


@every_adapter
async def test_png_named_jpg_is_sent_as_png(adapter: Adapter, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PNG)
    wrong_type_url = "data:image/jpeg;base64," + base64.b64encode(PNG).decode()
    with StandIn(adapter.server().handle) as server:
        async with open_provider(adapter.profile(server, model=adapter.vision_model)) as provider:
            for source in (str(photo), wrong_type_url, PNG):
                await provider.vision_chat("What is this?", source, "image/jpeg")
        for request in answer_requests(server):
            [(media_type, data)] = adapter.wire.images(request.json)
            assert media_type in ("image/png", "")
            assert data == PNG
        assert len(answer_requests(server)) == 3


@pytest.mark.parametrize(("picture", "kind"), [(gif_1x1(), "image/gif"), (BMP, "image/bmp")])
async def test_ollama_and_gemini_refuse_gif_and_bmp(picture: bytes, kind: str) -> None:
    for adapter in (each for each in ADAPTERS if each.provider in ("ollama", "gemini")):
        with StandIn(adapter.server().handle) as server:
            async with open_provider(
                adapter.profile(server, model=adapter.vision_model)
            ) as provider:
                with pytest.raises(UsageError) as caught:
                    await provider.vision_chat("What is this?", picture)
            assert answer_requests(server) == []
        assert kind in caught.value.message
        assert adapter.provider in caught.value.message.lower()
        assert "PNG" in caught.value.hint


HOSTS = {
    "0.0.0.0": "http://127.0.0.1:11434",
    " 'h' ": "http://h:11434",
    ":5": "http://127.0.0.1:5",
    "h:5/p/": "http://h:5/p",
    "http://h": "http://h",
    "https://h": "https://h",
    "https://api.example.com": "https://api.example.com",
    "https://api.example.com/api": "https://api.example.com",
    "https://example.com/v1/ollama": "https://example.com/v1/ollama",
    "http://h:11434/v1/": "http://h:11434",
    "[::1]": "http://[::1]:11434",
    "::": "http://127.0.0.1:11434",
    "h:99999": "http://h:11434",
    "ollama.com": "https://ollama.com",
}


@pytest.mark.parametrize(("written", "url"), HOSTS.items())
def test_every_form_of_ollama_host(written: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", written)
    endpoint = resolve_endpoint(Profile(provider="ollama"))
    assert (endpoint.url, endpoint.variable) == (url, "OLLAMA_HOST")


@pytest.mark.parametrize("form", ["0.0.0.0:{port}", "{url}/v1/", "{url}/api", "127.0.0.1:{port}"])
async def test_ollama_host_reaches_the_stand_in(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(OllamaServer().handle) as server:
        port = server.url.rpartition(":")[2]
        monkeypatch.setenv("OLLAMA_HOST", form.format(port=port, url=server.url))
        done = await get_completion(Profile.of({"provider": "ollama", "model": "llama3.2"}))
        assert [request.path for request in server.requests] == ["/api/chat"]
    assert done["complete"] is True


LIMITS = [
    ("openai", {}, "gpt-5", "max_completion_tokens"),
    ("openai", {}, "o3-mini", "max_completion_tokens"),
    ("openai", {}, "gpt-4o", "max_completion_tokens"),
    ("openai", {"endpoint": "http://127.0.0.1:9/v1"}, "gpt-5", "max_completion_tokens"),
    ("openai", {"endpoint": "http://127.0.0.1:9/v1"}, "o3", "max_completion_tokens"),
    ("openai", {"endpoint": "http://127.0.0.1:11434/v1"}, "llama3.2", "max_tokens"),
    ("openai", {"endpoint": "http://127.0.0.1:9/v1"}, "olmo-2", "max_tokens"),
    ("openai", {"api": "responses"}, "gpt-5", "max_output_tokens"),
    ("vllm", {"api": "responses"}, "gpt-oss", "max_output_tokens"),
    ("deepseek", {}, "deepseek-chat", "max_tokens"),
    ("llamacpp", {}, "smol", "max_tokens"),
    ("mistral", {}, "mistral-small", "max_tokens"),
    ("openrouter", {}, "openai/gpt-5", "max_tokens"),
    ("groq", {}, "llama-3.3", "max_completion_tokens"),
    ("ollama", {}, "llama3.2", "options.num_predict"),
    ("gemini", {}, "gemini-2.5-flash", "generationConfig.maxOutputTokens"),
    ("anthropic", {}, "claude-sonnet-4-5", "max_tokens"),
    ("cohere", {}, "command-a-03-2025", "max_tokens"),
    ("azure", {"endpoint": "https://res.openai.azure.com"}, "mine", "max_completion_tokens"),
    ("minimax", {}, "MiniMax-M2.7", "max_completion_tokens"),
    ("perplexity", {}, "perplexity/sonar", "max_output_tokens"),
]


@pytest.mark.parametrize(("provider", "keys", "model", "path"), LIMITS)
def test_token_limit_has_the_vendors_name(provider: str, keys: Json, model: str, path: str) -> None:
    config = {"provider": provider, "model": model, "api_key": KEY, "max_tokens": 77, **keys}
    body = body_of(Profile.of(config))
    names = [name for name in ("max_tokens", "max_completion_tokens") if name in body]
    assert names == [name for name in names if name == path]
    value: Any = body
    for name in path.split("."):
        value = value[name]
    assert value == 77


# Without litellm, which builds the body itself, and those whose host needs a variable.
@pytest.mark.parametrize("provider", sorted(name for name in VENDORS if VENDORS[name].hosts))
def test_profile_without_settings_sends_no_settings(provider: str) -> None:
    body = body_of(Profile.of({"provider": provider, "model": "m", "api_key": KEY}))
    allowed = {"model", "messages", "contents", "stream", "stream_options", "truncate"}
    allowed |= {"input", "store"}  # of Responses
    allowed |= {"max_tokens"} if provider == "anthropic" else set()  # Messages requires it
    assert set(body) <= allowed


async def test_refused_temperature_is_left_out_once() -> None:
    with StandIn(OpenAIServer(rejects={"temperature"}).handle) as server:
        config = openai(server, model="gpt-4o", temperature=0.2, seed=1)
        events = await collect_events(config)
        first, second = (request.json for request in server.requests)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert len(notes) == 1
    assert "temperature" in notes[0]
    assert "temperature" in first
    assert {**second, "temperature": 0.2} == first


async def test_refused_temperature_is_an_error_if_strict() -> None:
    with StandIn(OpenAIServer(rejects={"temperature"}).handle) as server:
        config = openai(server, model="gpt-4o", temperature=0.2, strict=True)
        error = await expect_error(RefusedError, config)
        assert len(server.requests) == 1
    assert error.exit_code == 4
    assert "temperature" in error.message


async def test_profiles_do_not_share_clients() -> None:
    with StandIn(script_handler(HELLO)) as first, StandIn(script_handler(HELLO)) as second:
        await get_completion(openai(first, api_key="key-of-one"))
        await get_completion(openai(first, api_key="another-key"))
        await get_completion(openai(second, api_key="key-of-one"))
        sent = [request.headers["authorization"] for request in first.requests]
        assert sent == ["Bearer key-of-one", "Bearer another-key"]
        assert len(second.requests) == 1


async def test_openai_variables_do_not_apply_to_a_profile_with_an_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-leak")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-leak")
    with StandIn(script_handler(HELLO)) as server:
        await get_completion(openai(server))
        await get_completion(openai(server, organization="org-mine", project="project-mine"))
        plain, named = (request.headers for request in server.requests)
    assert not [name for name in plain if name.startswith("openai-")]
    assert "leak" not in str(plain)
    assert named["openai-organization"] == "org-mine"
    assert named["openai-project"] == "project-mine"


async def test_openai_key_is_not_sent_to_other_servers_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-alone")
    with StandIn(script_handler(HELLO)) as server:
        assert (await get_completion(openai(server)))["text"] == "Hello"
        await get_completion(openai(server, api_key_env="OPENAI_API_KEY"))
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        await get_completion(Profile.of({"provider": "openai", "model": "m"}))
        keyless, named, with_base_url = (
            request.headers.get("authorization") for request in server.requests
        )
        assert "sk-of" not in str(server.requests[0].headers)
    assert keyless is None
    assert named == with_base_url == "Bearer sk-of-openai-alone"


@every_adapter
async def test_no_adapter_sends_another_vendors_key(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vendor in VENDORS.values():
        for name in vendor.key_variables:
            monkeypatch.setenv(name, f"secret-of-{name}")
    with StandIn(adapter.server().handle) as server:
        async with open_provider(adapter.profile(server, api_key=None)) as provider:
            for call in (provider.chat([{"role": "user", "content": "hi"}]), provider.models()):
                with suppress(AuthError):  # some of the stand-ins require a key
                    await call
        assert len(server.requests) >= 2
        for request in server.requests:
            assert "secret-of" not in str(request.headers) + str(request.body)
