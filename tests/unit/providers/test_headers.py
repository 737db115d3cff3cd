"""Headers in a profile: invalid ones are refused before a request is sent."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.endpoints import Endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import ConfigError
from easyllm_cli.messages import Message
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.base import BaseLLMProvider
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.transport import transport_for
from easyllm_cli.transport.base import Request
from easyllm_cli.transport.timeouts import ResponseTimer
from easyllm_cli.vendors import VENDORS
from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.profile_files import PROFILE_A, write_and_read_profiles
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

INVALID_NAMES = [
    "", "a b", "a:b", " a", "a\r\nX-B", "a\n", "x\t", "é", "(x)", "a/b", "a\x00", "x-\x7f",
]  # fmt: skip
CONNECTION_HEADERS = [
    "content-length", "Content-Length", "TRANSFER-ENCODING", "Host", "connection", "Keep-Alive",
    "te", "Trailer", "Upgrade", "Proxy-Connection", "expect", "HTTP2-Settings",
    "proxy-authorization",
]  # fmt: skip
INVALID_VALUES = ["a\r\nX-B: 1", "a\nb", "a\tb", "é", "a\x00", "\x7f", "a\x1b[0m"]
# Every protocol and transport that sends a profile's headers.
WAYS = [
    ("openai", {}), ("openai", {"api": "responses"}), ("openai", {"transport": "sdk"}),
    ("ollama", {}), ("openrouter", {}), ("gemini", {}), ("groq", {}),
    ("anthropic", {}),
]  # fmt: skip


def provider(name: str, server: StandIn, **keys: Any) -> BaseLLMProvider:
    """Return a provider of an unchecked Profile, as a program can create one."""
    defaults: dict[str, Any] = {"model": "m", "max_retries": 3, "initial_retry_delay": 0.01}
    return provider_for(Profile(name=name, provider=name, endpoint=server.url, **(defaults | keys)))


async def ask(llm: BaseLLMProvider) -> str:
    try:
        async for _ in llm.stream([Message("user", ("hi",))]):
            pass
    finally:
        await llm.aclose()
    return "answered"


@pytest.mark.parametrize(("name", "keys"), WAYS, ids=str)
def test_no_protocol_sends_an_invalid_header(
    name: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the profile or from a variable: an error without a retry, and no request."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    invalid = [{header: "v"} for header in INVALID_NAMES + CONNECTION_HEADERS]
    invalid += [{"x-a": value} for value in INVALID_VALUES]
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for headers in invalid:
            with pytest.raises(ConfigError) as caught:
                asyncio.run(ask(provider(name, server, headers=headers, **keys)))
            assert not caught.value.retryable
        for value in INVALID_VALUES:
            if "\0" in value:
                continue
            monkeypatch.setenv("MY_HEADER", value)
            with pytest.raises(ConfigError, match="characters that headers cannot contain"):
                asyncio.run(ask(provider(name, server, headers={"x-a": "env:MY_HEADER"}, **keys)))
        assert server.requests == []


KEY_HEADERS = ["authorization", "X-API-Key", "api-key", "x-goog-api-key"]


@pytest.mark.parametrize("provider_name", [*VENDORS])
def test_key_in_the_profiles_headers_replaces_the_other(
    provider_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request never has two keys, whatever the case of the names, at any vendor's host."""
    monkeypatch.setenv("OTHER", "other-key")
    vendor = VENDORS[provider_name]
    if vendor.adapter in ("litellm", "local"):
        return  # the key goes to the package, or never leaves the process
    monkeypatch.setenv(vendor.key_variables[0], "the-key")
    host = vendor.hosts[0] if vendor.hosts else "res.openai.azure.com"
    apis = [None, "anthropic"] if vendor.messages_url else [None]
    for header in KEY_HEADERS:
        for api in apis:
            config = {"provider": provider_name, "model": "m", "api": api, "api_key": "the-key",
                      "endpoint": f"https://{host}", "headers": {header: "env:OTHER"}}  # fmt: skip
            llm = provider_for(Profile.of({key: config[key] for key in config if config[key]}))
            assert isinstance(llm, HTTPProvider)
            sent = llm.request([Message("user", ("hi",))], True).reveal_headers()
            keys = {name: value for name, value in sent.items() if name.lower() in KEY_NAMES}
            assert keys == {header: "other-key"}


KEY_NAMES = [header.lower() for header in KEY_HEADERS]


@pytest.mark.parametrize("setting", ["organization", "project"])
@pytest.mark.parametrize("keys", [{}, {"api": "responses"}, {"transport": "sdk"}], ids=str)
def test_organization_and_project_must_be_valid_header_values(
    setting: str, keys: dict[str, Any]
) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for value in INVALID_VALUES:
            with pytest.raises(ConfigError, match=f"{setting} has characters"):
                asyncio.run(ask(provider("openai", server, **{setting: value}, **keys)))
        assert server.requests == []


@pytest.mark.parametrize("transport", ["http", "aiohttp", "sdk"])
def test_valid_headers_arrive(transport: str) -> None:
    headers = {"X-Team": " a team\t", "x_1.~!#$%&'*+-^`|": "", "X-Long": "v" * 4000}
    keys: Any = {"headers": headers, "organization": " org-1 ", "transport": transport}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        assert asyncio.run(ask(provider("openai", server, **keys))) == "answered"
        headers_sent = server.requests[0].headers
    assert (headers_sent["x-team"], headers_sent["openai-organization"]) == ("a team", "org-1")
    assert headers_sent["x_1.~!#$%&'*+-^`|"] == ""
    assert headers_sent["x-long"] == "v" * 4000


def test_invalid_header_error_names_its_place_in_the_file(path: Path) -> None:
    for header in [*INVALID_NAMES, *CONNECTION_HEADERS]:
        quoted = "".join(f"\\u{ord(char):04x}" for char in header)
        profiles = write_and_read_profiles(
            path, PROFILE_A + f'[profiles.a.headers]\n"{quoted}" = "v"\n'
        )
        with pytest.raises(ConfigError) as caught:
            profiles.resolve_profile("a")
        assert caught.value.where.startswith(f"{path}:")
    for setting in ("organization", "project"):
        with pytest.raises(ConfigError, match=f"{setting} has characters"):
            write_and_read_profiles(path, PROFILE_A + f'{setting} = "a\\r\\nb"\n').resolve_profile(
                "a"
            )


@pytest.mark.parametrize("config", [{"headers": {1: "v"}}, {"headers": {"a b": "v"}}])
def test_headers_in_a_dict_are_checked(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is not a valid header name"):
        Profile.of({"provider": "openai", **config})


@pytest.mark.parametrize("transport", ["http", "aiohttp", "sdk"])
@pytest.mark.parametrize(
    "headers",
    [
        {"a b": "v"},
        {"x-a": "a\r\nb"},
        {"content-length": "x"},
        {"content-length": "5"},
        {"x-a": " a"},
    ],
)
def test_header_refused_by_the_client_is_a_config_error(
    transport: str, headers: dict[str, str]
) -> None:
    """Such a header can get here only if our own checks missed it."""

    async def send(url: str) -> None:
        profile = Profile(provider="openai", transport=transport)
        transport_object = transport_for(profile, Endpoint(url), "openai")
        request = Request("POST", f"{url}/chat/completions", dict(headers), {"model": "m"})
        try:
            async with transport_object.open(request, ResponseTimer(10.0, 10.0)):
                pass
        finally:
            await transport_object.aclose()

    with (
        StandIn(script_handler(chat_answer_script("Hello"))) as server,
        pytest.raises(ConfigError, match="a header of the request") as caught,
    ):
        asyncio.run(send(server.url))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "keys",
    [{"headers": {"content-length": "5"}}, {"headers": {"x-a": "env:MY_HEADER"}},
     {"organization": "a\nb"}],
    ids=str,
)  # fmt: skip
def test_commands_report_an_invalid_header_once(easyllm: Easyllm, keys: dict[str, Any]) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        easyllm.write_profiles(single_profile_toml(server, **keys))
        for command in ("chat", "stream", "models", "doctor"):
            words = ["hi"] if command in ("chat", "stream") else []
            ran = easyllm.run(command, *words, env={"MY_HEADER": "a\r\nX-B: 1"})
            assert ran.code == 2, ran.stderr
            message = ran.stdout.decode() if command == "doctor" else ran.error_line
            assert "header" in message
            assert "retrying" not in message
        assert server.requests == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profiles.toml"
