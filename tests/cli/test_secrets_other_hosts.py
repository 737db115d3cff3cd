"""No key reaches another host: redirects, other endpoints, http://."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.vendors import VENDORS
from tests.support.adapters import AIOHTTP_ADAPTERS, HTTP_ADAPTERS, SDK_ADAPTERS, Adapter
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    run_concurrently,
    single_profile_toml,
    split_error_line,
)
from tests.support.hostile import find_key_fragments
from tests.support.standins.request import Request
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"
FAR = "http://models.example/v1"
# Every protocol, and every HTTP client once.
ADAPTERS = (*HTTP_ADAPTERS, SDK_ADAPTERS[0], AIOHTTP_ADAPTERS[0])
REDIRECTS = (301, 302, 303, 307, 308)


def dump_requests(server: StandIn) -> bytes:
    """All requests that a server got, as bytes."""
    return repr([vars(request) for request in server.requests]).encode()


@pytest.fixture
def elsewhere() -> Iterator[StandIn]:
    """A server on another address, which must never get the key."""
    with StandIn(script_handler(chat_answer_script("come to me")), host="127.0.0.2") as server:
        yield server


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_fault_57_no_redirect_is_followed(
    easyllm: Easyllm, elsewhere: StandIn, adapter: Adapter
) -> None:
    """No command follows any redirect status, over any protocol or transport."""
    keys = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
    commands = [("chat", "hi"), ("stream", "hi"), ("models",), ("doctor",), ("chat", "--json", "x")]

    def run_redirected(status: int, args: tuple[str, ...]) -> RunResult:
        moved = Script(status=status, headers={"Location": f"{elsewhere.url}/v1/chat"})
        with StandIn(script_handler(moved)) as server:
            profiles = single_profile_toml(
                server, adapter.provider, api_key=KEY, max_retries=0, **keys
            )
            ran = easyllm.with_new_home().run(*args, profiles=profiles, timeout=60)
            assert server.requests, "the request was sent"
        return ran

    for ran in run_concurrently(
        *[
            lambda status=status, args=args: run_redirected(status, args)
            for status, args in zip(REDIRECTS, commands, strict=True)
        ]
    ):
        assert ran.code == 4, ran.stderr
        assert f"redirects to {elsewhere.url}" in ran.stderr + ran.stdout.decode()
    assert elsewhere.requests == []


KEYED = {name: vendor.key_variables for name, vendor in VENDORS.items() if vendor.key_variables}


def test_fault_61_vendor_keys_do_not_reach_another_endpoint(
    easyllm: Easyllm, elsewhere: StandIn
) -> None:
    """Every vendor's variables are set, and every vendor has a profile with a foreign endpoint."""
    variables = {name for names in KEYED.values() for name in names}
    env = {name: f"{KEY}-{name}" for name in variables}
    for ran in run_concurrently(
        *[
            lambda name=name: easyllm.with_new_home().run(
                "chat",
                "--debug",
                "hi",
                profiles=single_profile_toml(elsewhere, name, max_retries=0),
                env=env,
            )
            for name in KEYED
        ]
    ):
        assert not find_key_fragments(KEY, ran.stdout + ran.stderr.encode())
    assert len(elsewhere.requests) >= len(KEYED), "every profile sent a request"
    assert not find_key_fragments(KEY, dump_requests(elsewhere))


def test_fallback_profile_gets_no_key(easyllm: Easyllm, elsewhere: StandIn) -> None:
    with StandIn(script_handler(Script(b"{}", status=503))) as busy:
        first = single_profile_toml(busy, api_key=KEY, fallback=["b"], max_retries=0)
        second = f'[profiles.b]\nprovider = "groq"\nendpoint = "{elsewhere.url}"\nmodel = "m"\n'
        ran = easyllm.run("chat", "hi", profiles=first + second)
        assert (ran.code, ran.stdout) == (0, b"come to me\n"), ran.stderr
        assert find_key_fragments(KEY, dump_requests(busy)), "its own server got the key"
    assert not find_key_fragments(KEY, dump_requests(elsewhere))


@pytest.fixture
def proxy() -> Iterator[StandIn]:
    """A proxy that gets every http:// request to another machine."""
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        yield server


SOURCES: dict[str, dict[str, Any]] = {
    "api_key": {"api_key": KEY},
    "api_key_env": {"api_key_env": "MY_KEY"},
    "api_key_file": {"api_key_file": "~/the key"},
    "api_key_cmd": {"api_key_cmd": "printenv MY_KEY"},
    "keyring": {"keyring": "work"},
    "header": {"headers": {"X-Team": "env:MY_KEY"}},
    "secret header": {"headers": {"api-key": KEY}},
    "sdk": {"api_key": KEY, "transport": "sdk"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_fault_60_no_key_goes_over_http(easyllm: Easyllm, proxy: StandIn, source: str) -> None:
    """A key for another machine is refused before sending, unless allow_http is set."""
    key_file = easyllm.home / "the key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    if source == "keyring":
        profiles = single_profile_toml(FAR, keyring="work")
        assert easyllm.run("keys", "set", "work", stdin=KEY, profiles=profiles).code == 0
    keys = {**SOURCES[source], "proxy": proxy.url}
    env = {"MY_KEY": KEY}
    # The others are refused by the same code, with any source.
    more = (("models",), ("doctor",)) if source in ("api_key", "header") else ()
    for args in (("chat", "hi"), *more):
        ran = easyllm.run(*args, profiles=single_profile_toml(FAR, **keys), env=env)
        assert ran.code == 2, ran.stderr
        assert "a key would go over http:// to models.example" in ran.stderr + ran.stdout.decode()
        assert "allow_http = true" in ran.stderr + ran.stdout.decode()
        for header in keys.get("headers", ()):
            assert f"in the header {header}" in ran.stderr + ran.stdout.decode()
    assert proxy.requests == []
    ran = easyllm.run(
        "chat", "hi", profiles=single_profile_toml(FAR, allow_http=True, **keys), env=env
    )
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert find_key_fragments(KEY, dump_requests(proxy))


def test_fault_60_no_key_goes_to_a_proxy_on_another_machine(
    easyllm: Easyllm, proxy: StandIn
) -> None:
    """Even if the server itself is on this machine."""
    far = proxy.url.replace("127.0.0.1", "proxy.example")
    ran = easyllm.run("chat", "hi", profiles=single_profile_toml(proxy, api_key=KEY, proxy=far))
    what, _, hint = split_error_line(ran.error_line)
    assert (ran.code, what) == (2, "a key would go over http:// to the proxy proxy.example")
    assert "allow_http" in hint
    assert proxy.requests == []


def test_fault_60_http_without_a_key_is_allowed(easyllm: Easyllm, proxy: StandIn) -> None:
    """A key that the profile does not name is not sent, even if its variable is set."""
    profiles = single_profile_toml(FAR, proxy=proxy.url, headers={"X-Team": "search"})
    ran = easyllm.run("chat", "hi", profiles=profiles, env={"OPENAI_API_KEY": KEY})
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert not find_key_fragments(KEY, dump_requests(proxy))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_key_is_not_in_the_url(easyllm: Easyllm, adapter: Adapter) -> None:
    """Keys are sent in headers only, over every protocol, for answers and for model lists."""
    with StandIn(adapter.server().handle) as server:
        keys = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
        key = "test-key"
        profiles = single_profile_toml(server, adapter.provider, api_key=key, **keys)
        easyllm.write_profiles(profiles)
        for ran in run_concurrently(
            *[
                lambda args=args: easyllm.run(*args, timeout=60)
                for args in (("chat", "hi"), ("models",))
            ]
        ):
            assert ran.code == 0, ran.stderr
        sent: list[Request] = server.requests
        assert len(sent) >= 2
        for request in sent:
            assert key in " ".join(request.headers.values())
            assert key not in f"{request.path} {request.query} {request.body!r}"


@pytest.mark.parametrize("secret", ["userinfo", "query", "fragment"])
def test_key_in_an_endpoint_is_refused(easyllm: Easyllm, proxy: StandIn, secret: str) -> None:
    host = proxy.url.removeprefix("http://")
    url = {
        "userinfo": f"http://me:{KEY}@{host}/v1",
        "query": f"http://{host}/v1?key={KEY}",
        "fragment": f"http://{host}/v1#{KEY}",
    }[secret]
    for ran in run_concurrently(
        lambda: easyllm.with_new_home().run(
            "chat", "--debug", "hi", profiles=single_profile_toml(url)
        ),
        lambda: easyllm.with_new_home().run("doctor", "--json", profiles=single_profile_toml(url)),
        lambda: easyllm.with_new_home().run(
            "chat", "-p", "openai:m", "x", env={"OPENAI_BASE_URL": url}
        ),
    ):
        assert ran.code == 2, ran.stderr
        assert not find_key_fragments(KEY, ran.stdout + ran.stderr.encode())
    assert proxy.requests == []


def test_process_list_shows_no_key(easyllm: Easyllm, tmp_path: Path) -> None:
    """Neither for easyllm nor for the processes it starts: `api_key_cmd` and the editor."""
    script = tmp_path / "look"
    script.write_text(
        f'#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline >> "{tmp_path}/seen"'
        f'\nprintf %s "$(cat "{tmp_path}/key")"\n'
    )
    script.chmod(0o755)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    assert easyllm.run("keys", "set", "groq", stdin=KEY).code == 0
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = (
            single_profile_toml(server, api_key_cmd=str(script))
            + f'[profiles.b]\napi_key = "{KEY}"\n'
        )
        ran = easyllm.run("chat", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
        assert find_key_fragments(KEY, dump_requests(server))
    assert easyllm.run("profiles", "edit", env={"EDITOR": str(script)}).code == 0
    seen = (tmp_path / "seen").read_bytes()
    assert seen.count(b"look\0") >= 2, "both processes were started"
    assert not find_key_fragments(KEY, seen)
