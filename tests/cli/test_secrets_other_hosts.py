"""No key comes to a machine that it is not for: redirects, other endpoints, http://."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.vendors import VENDORS
from tests.support.adapters import ADAPTERS, Adapter
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
REDIRECTS = (301, 302, 303, 307, 308)


def log_of(server: StandIn) -> bytes:
    """Everything that came to a server."""
    return repr([vars(request) for request in server.requests]).encode()


@pytest.fixture
def elsewhere() -> Iterator[StandIn]:
    """A server on another address, which must not hear of anything."""
    with StandIn(script_handler(chat_answer_script("come to me")), host="127.0.0.2") as server:
        yield server


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_fault_57_no_redirect_is_followed(
    easyllm: Easyllm, elsewhere: StandIn, adapter: Adapter
) -> None:
    """By any command, over any protocol and transport, whatever kind it is."""
    keys = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
    commands = [("chat", "hi"), ("stream", "hi"), ("models",), ("doctor",), ("chat", "--json", "x")]

    def asked(status: int, args: tuple[str, ...]) -> RunResult:
        moved = Script(status=status, headers={"Location": f"{elsewhere.url}/v1/chat"})
        with StandIn(script_handler(moved)) as server:
            profiles = single_profile_toml(
                server, adapter.provider, api_key=KEY, max_retries=0, **keys
            )
            ran = easyllm.with_new_home().run(*args, profiles=profiles, timeout=60)
            assert server.requests, "it was asked"
        return ran

    for ran in run_concurrently(
        *[
            lambda status=status, args=args: asked(status, args)
            for status, args in zip(REDIRECTS, commands, strict=True)
        ]
    ):
        assert ran.code == 4, ran.stderr
        assert f"redirects to {elsewhere.url}" in ran.stderr + ran.stdout.decode()
    assert elsewhere.requests == []


KEYED = {name: vendor.key_variables for name, vendor in VENDORS.items() if vendor.key_variables}


def test_fault_61_no_variable_of_a_vendor_comes_to_another_endpoint(
    easyllm: Easyllm, elsewhere: StandIn
) -> None:
    """Every vendor's, all of them set, each as a profile with an endpoint of somebody else."""
    variables = {name for each in KEYED.values() for name in each}
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
    assert len(elsewhere.requests) >= len(KEYED), "every one was asked"
    assert not find_key_fragments(KEY, log_of(elsewhere))


def test_no_key_comes_to_what_a_profile_falls_back_to(easyllm: Easyllm, elsewhere: StandIn) -> None:
    with StandIn(script_handler(Script(b"{}", status=503))) as busy:
        first = single_profile_toml(busy, api_key=KEY, fallback=["b"], max_retries=0)
        second = f'[profiles.b]\nprovider = "groq"\nendpoint = "{elsewhere.url}"\nmodel = "m"\n'
        ran = easyllm.run("chat", "hi", profiles=first + second)
        assert (ran.code, ran.stdout) == (0, b"come to me\n"), ran.stderr
        assert find_key_fragments(KEY, log_of(busy)), "it came where it belongs"
    assert not find_key_fragments(KEY, log_of(elsewhere))


@pytest.fixture
def proxy() -> Iterator[StandIn]:
    """Hears whatever leaves for another machine over http://."""
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
    """To another machine: refused before anything is sent; allow_http is the only way."""
    held = easyllm.home / "the key"
    held.write_text(KEY)
    held.chmod(0o600)
    if source == "keyring":
        assert easyllm.run("keys", "set", "work", stdin=KEY).code == 0
    keys = {**SOURCES[source], "proxy": proxy.url}
    env = {"MY_KEY": KEY}
    for args in (("chat", "hi"), ("models",), ("doctor",)):
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
    assert find_key_fragments(KEY, log_of(proxy))


def test_fault_60_nor_to_a_proxy_on_another_machine(easyllm: Easyllm, proxy: StandIn) -> None:
    """A server of this machine does not help where the way to it leads through another one."""
    far = proxy.url.replace("127.0.0.1", "proxy.example")
    ran = easyllm.run("chat", "hi", profiles=single_profile_toml(proxy, api_key=KEY, proxy=far))
    what, _, hint = split_error_line(ran.error_line)
    assert (ran.code, what) == (2, "a key would go over http:// to the proxy proxy.example")
    assert "allow_http" in hint
    assert proxy.requests == []


def test_fault_60_without_a_key_http_is_fine(easyllm: Easyllm, proxy: StandIn) -> None:
    """And a key that nothing names is not sent, though its variable is set."""
    profiles = single_profile_toml(FAR, proxy=proxy.url, headers={"X-Team": "search"})
    ran = easyllm.run("chat", "hi", profiles=profiles, env={"OPENAI_API_KEY": KEY})
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
    assert not find_key_fragments(KEY, log_of(proxy))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.id)
def test_no_key_in_an_address(easyllm: Easyllm, adapter: Adapter) -> None:
    """It comes in a header alone, over every protocol, for answers and for lists."""
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
        for one in sent:
            assert key in " ".join(one.headers.values())
            assert key not in f"{one.path} {one.query} {one.body!r}"


@pytest.mark.parametrize("secret", ["userinfo", "query", "fragment"])
def test_a_key_in_an_endpoint_is_refused(easyllm: Easyllm, proxy: StandIn, secret: str) -> None:
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


def test_the_process_list_shows_no_key(easyllm: Easyllm, tmp_path: Path) -> None:
    """Neither ours nor that of what we start: `api_key_cmd` and the editor."""
    look = tmp_path / "look"
    look.write_text(
        f'#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline >> "{tmp_path}/seen"'
        f'\nprintf %s "$(cat "{tmp_path}/key")"\n'
    )
    look.chmod(0o755)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    easyllm.run("keys", "set", "work", stdin=KEY)
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = (
            single_profile_toml(server, api_key_cmd=str(look))
            + f'[profiles.b]\napi_key = "{KEY}"\n'
        )
        ran = easyllm.run("chat", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
        assert find_key_fragments(KEY, log_of(server))
    assert easyllm.run("profiles", "edit", env={"EDITOR": str(look)}).code == 0
    found = (tmp_path / "seen").read_bytes()
    assert found.count(b"look\0") >= 2, "both were started"
    assert not find_key_fragments(KEY, found)
