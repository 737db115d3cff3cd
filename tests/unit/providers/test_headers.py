"""Headers that a profile names: what HTTP cannot send is refused before anything is sent."""

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
from easyllm_cli.transport import transport_for
from easyllm_cli.transport.base import Request
from easyllm_cli.transport.timeouts import ResponseTimer
from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.profile_files import PROFILE_A, write_and_read_profiles
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

NO_NAMES = ["", "a b", "a:b", " a", "a\r\nX-B", "a\n", "x\t", "é", "(x)", "a/b", "a\x00", "x-\x7f"]
OF_THE_CONNECTION = [
    "content-length", "Content-Length", "TRANSFER-ENCODING", "Host", "connection", "Keep-Alive",
    "te", "Trailer", "Upgrade", "Proxy-Connection", "expect", "HTTP2-Settings",
    "proxy-authorization",
]  # fmt: skip
NO_VALUES = ["a\r\nX-B: 1", "a\nb", "a\tb", "é", "a\x00", "\x7f", "a\x1b[0m"]
# Every protocol and transport that sends a profile's headers.
WAYS = [
    ("openai", {}), ("openai", {"api": "responses"}), ("openai", {"transport": "sdk"}),
    ("ollama", {}), ("openrouter", {}), ("gemini", {}), ("groq", {}),
]  # fmt: skip


def provider(name: str, server: StandIn, **keys: Any) -> BaseLLMProvider:
    """Made of a Profile that nobody has checked, as a program may make one."""
    known: dict[str, Any] = {"model": "m", "max_retries": 3, "initial_retry_delay": 0.01}
    return provider_for(Profile(name=name, provider=name, endpoint=server.url, **(known | keys)))


async def ask(one: BaseLLMProvider) -> str:
    try:
        async for _ in one.stream([Message("user", ("hi",))]):
            pass
    finally:
        await one.aclose()
    return "answered"


@pytest.mark.parametrize(("name", "keys"), WAYS, ids=str)
def test_no_protocol_sends_what_is_no_header(
    name: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the profile or from a variable: one error that is not tried again, and no request."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    wrong = [{header: "v"} for header in NO_NAMES + OF_THE_CONNECTION]
    wrong += [{"x-a": value} for value in NO_VALUES]
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for headers in wrong:
            with pytest.raises(ConfigError) as caught:
                asyncio.run(ask(provider(name, server, headers=headers, **keys)))
            assert not caught.value.retryable
        for value in NO_VALUES:
            if "\0" in value:
                continue
            monkeypatch.setenv("MY_HEADER", value)
            with pytest.raises(ConfigError, match="characters that headers cannot contain"):
                asyncio.run(ask(provider(name, server, headers={"x-a": "env:MY_HEADER"}, **keys)))
        assert server.requests == []


@pytest.mark.parametrize("setting", ["organization", "project"])
@pytest.mark.parametrize("keys", [{}, {"api": "responses"}, {"transport": "sdk"}], ids=str)
def test_organization_and_project_are_values_of_headers(setting: str, keys: dict[str, Any]) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        for value in NO_VALUES:
            with pytest.raises(ConfigError, match=f"{setting} has characters"):
                asyncio.run(ask(provider("openai", server, **{setting: value}, **keys)))
        assert server.requests == []


@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_what_is_a_header_arrives(transport: str) -> None:
    headers = {"X-Team": " a team\t", "x_1.~!#$%&'*+-^`|": "", "X-Long": "v" * 4000}
    keys: Any = {"headers": headers, "organization": " org-1 ", "transport": transport}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        assert asyncio.run(ask(provider("openai", server, **keys))) == "answered"
        found = server.requests[0].headers
    assert (found["x-team"], found["openai-organization"]) == ("a team", "org-1")
    assert found["x_1.~!#$%&'*+-^`|"] == ""
    assert found["x-long"] == "v" * 4000


def test_a_wrong_header_is_found_where_it_stands_in_the_file(path: Path) -> None:
    for header in [*NO_NAMES, *OF_THE_CONNECTION]:
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
def test_a_dict_is_checked_like_a_profile(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is not a valid header name"):
        Profile.of({"provider": "openai", **config})


@pytest.mark.parametrize("transport", ["http", "sdk"])
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
def test_a_header_that_the_client_refuses_is_no_network_failure(
    transport: str, headers: dict[str, str]
) -> None:
    """Whatever has got past our own checks."""

    async def send(url: str) -> None:
        profile = Profile(provider="openai", transport=transport)
        carrier = transport_for(profile, Endpoint(url), "openai")
        request = Request("POST", f"{url}/chat/completions", dict(headers), {"model": "m"})
        try:
            async with carrier.open(request, ResponseTimer(10.0, 10.0)):
                pass
        finally:
            await carrier.aclose()

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
def test_the_command_says_it_once(easyllm: Easyllm, keys: dict[str, Any]) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        easyllm.write_profiles(single_profile_toml(server, **keys))
        for command in ("chat", "stream", "models", "doctor"):
            words = ["hi"] if command in ("chat", "stream") else []
            ran = easyllm.run(command, *words, env={"MY_HEADER": "a\r\nX-B: 1"})
            assert ran.code == 2, ran.stderr
            told = ran.stdout.decode() if command == "doctor" else ran.error_line
            assert "header" in told
            assert "retrying" not in told
        assert server.requests == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profiles.toml"
