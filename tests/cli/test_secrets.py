"""FAULT-58: no part of a key leaves the process, whatever the server does with it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.adapters import (
    ANTHROPIC_FORMAT,
    CHAT_FORMAT,
    GEMINI_FORMAT,
    OLLAMA_FORMAT,
    OPENROUTER_FORMAT,
    RESPONSES_FORMAT,
    Wire,
)
from tests.support.binary import Easyllm, RunResult, single_profile_toml
from tests.support.hostile import STATUSES, KeyLeakingServer, find_key_fragments
from tests.support.over_tls import serve_tls
from tests.support.standins.server import StandIn

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"
AZURE = "http://mine.openai.azure.com"
FAR = "http://models.example"


@dataclass(frozen=True)
class Style:
    """One way to send a key. `through`: endpoint behind a proxy; `login`: the proxy's login."""

    id: str
    provider: str = "openai"
    wire: Wire = CHAT_FORMAT
    keys: dict[str, Any] = field(default_factory=lambda: {"api_key": KEY})
    through: str = ""
    login: str = ""


STYLES = [
    Style("bearer"),
    Style("bearer-sdk", keys={"api_key": KEY, "transport": "sdk"}),
    Style("responses", wire=RESPONSES_FORMAT, keys={"api_key": KEY, "api": "responses"}),
    Style("openrouter", "openrouter", OPENROUTER_FORMAT),
    Style("gemini", "gemini", GEMINI_FORMAT),
    Style("anthropic", "anthropic", ANTHROPIC_FORMAT),
    Style("ollama", "ollama", OLLAMA_FORMAT),
    Style("azure-sdk", keys={
        "api_key": KEY, "transport": "sdk", "allow_http": True, "options": {"api_version": "1"},
    }, through=AZURE),
    Style("headers", keys={"headers": {"X-Team": "env:MY_KEY", "api-key": "env:MY_KEY"}}),
    Style("variable", keys={"api_key_env": "MY_KEY"}),
    Style("command", keys={"api_key_cmd": "printenv MY_KEY"}),
    Style("file", keys={"api_key_file": "~/the key"}),
    Style("proxy", keys={}, through=FAR, login=f"me:{KEY}@"),
    Style("proxy-sdk", keys={"transport": "sdk"}, through=FAR, login=f"me:{KEY}@"),
]  # fmt: skip
CASES = {str(status): 3 if status in (401, 402, 403) else 4 for status in STATUSES}
CASES |= {"429": 5, "500": 5, "code": 4, "page": 5, "portal": 7, "redirect": 4, "cut": 7}
CASES |= {"frame": 5, "bad-json": 7, "compressed": 7, "no-http": 6, "refused": 6, "timeout": 6}
CASES |= {"tls": 6}
# Errors that easyllm finds behind the transport. They are left out for the SDK, which has no part
# in them and takes half a second to import.
NOT_THE_SDKS = {"402", "code", "portal", "compressed", "no-http"}


class Untrusted(BaseHTTPRequestHandler):
    """Never reached, because its certificate is not trusted."""


@contextmanager
def server_for(style: Style, case: str, easyllm: Easyllm) -> Iterator[str]:
    """Yield the URL of a server that fails as the case says."""
    with ExitStack() as stack:
        if case == "refused":
            yield "http://127.0.0.1:9"
        elif case == "tls" and not style.through:
            yield stack.enter_context(serve_tls(Untrusted, easyllm.home / "authority"))
        else:
            handler = KeyLeakingServer("500" if case == "tls" else case, KEY, style.wire).handle
            yield stack.enter_context(StandIn(handler)).url


def profiles_for(style: Style, case: str, url: str) -> str:
    keys: dict[str, Any] = {"max_retries": 0, **style.keys}
    if case == "timeout":
        keys["timeout"] = {"first_token": 0.3}
    path = {"openrouter": "/api/v1", "gemini": "/v1beta", "ollama": ""}.get(style.provider, "/v1")
    if style.through:
        keys["proxy"] = url.replace("://", f"://{style.login}")
        url = style.through.replace("http", "https") if case == "tls" else style.through
    return single_profile_toml(url + path, style.provider, **keys)


def run_case(easyllm: Easyllm, style: Style, case: str, *args: str) -> tuple[RunResult, Easyllm]:
    """Run against a server of its own."""
    key_file = easyllm.home / "the key"
    key_file.write_text(KEY)
    key_file.chmod(0o600)
    with server_for(style, case, easyllm) as url:
        profiles = profiles_for(style, case, url)
        ran = easyllm.run(*args, env={"MY_KEY": KEY}, profiles=profiles, timeout=60)
    return ran, easyllm


def read_files_left(easyllm: Easyllm) -> bytes:
    """Names and bytes of every file in the home, except the sources of the key."""
    sources = {easyllm.config, easyllm.home / "the key"}
    files = [path for path in easyllm.home.rglob("*") if path.is_file() and path not in sources]
    return b"\n".join(os.fsencode(path) + b"\n" + path.read_bytes() for path in files)


AT_ONCE = 4  # processes; on a busy machine more of them could time out
ALL_WAYS = ("chat", "--json", "--debug", "-v", "-u", "hi")


def cases_of(style: Style) -> list[str]:
    sdk = style.keys.get("transport") == "sdk"
    return [case for case in CASES if not (sdk and case in NOT_THE_SDKS)]


# Every case is run with both HTTP clients. What else a style has of its own is run by default, all
# of it in the full tier: the words of a protocol, where a key comes from, a proxy and its login.
IN_A_PROTOCOL = {"400", "401", "429", "500", "code", "frame", "bad-json"}
OF_A_KEY = {"401", "frame", "refused"}
AROUND_A_PROXY = {"400", "401", "redirect", "no-http", "refused", "timeout", "tls"}


def is_default(style: Style, case: str) -> bool:
    """Whether a case is in the default tier."""
    if style.id in ("bearer", "bearer-sdk"):
        return True
    if style.through:
        return case in AROUND_A_PROXY
    return case in (IN_A_PROTOCOL if style.keys.keys() & {"api_key"} else OF_A_KEY)


Failed = tuple[RunResult, Easyllm]


@pytest.fixture(scope="module")
def failures(homes: Path) -> Callable[[Style, str], Failed]:
    """Runs the cases of a style and tier once, some at the same time, and remembers the results."""
    results: dict[tuple[str, bool], dict[str, Failed]] = {}

    def of(style: Style, case: str) -> Failed:
        tier = style.id, is_default(style, case)
        if tier not in results:
            easyllm = Easyllm(homes / f"secrets-{style.id}-{tier[1]}")
            cases = [each for each in cases_of(style) if is_default(style, each) == tier[1]]
            own = {each: easyllm.with_new_home() for each in cases}
            with ThreadPoolExecutor(AT_ONCE) as pool:
                ran = pool.map(lambda each: run_case(own[each], style, each, *ALL_WAYS), own)
                results[tier] = dict(zip(own, ran, strict=True))
        return results[tier][case]

    return of


@pytest.mark.parametrize(
    ("style", "case"),
    [
        pytest.param(
            style,
            case,
            id=f"{style.id}-{case}",
            marks=() if is_default(style, case) else pytest.mark.full,
        )
        for style in STYLES
        for case in cases_of(style)
    ],
)
def test_fault_58_no_key_leaves(
    failures: Callable[[Style, str], Failed], style: Style, case: str
) -> None:
    ran, easyllm = failures(style, case)
    output = ran.stdout + ran.stderr.encode() + read_files_left(easyllm)
    assert not find_key_fragments(KEY, output), (
        f"{find_key_fragments(KEY, output)}\n{ran.stdout.decode()}\n{ran.stderr}"
    )
    assert ran.json["error"]["exit_code"] == ran.code
    assert "Traceback" in ran.stderr, "--debug prints the traceback"
    assert ran.code == CASES[case], ran.stderr
