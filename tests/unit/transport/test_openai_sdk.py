"""`transport = "sdk"` for OpenAI: what the SDK must not add, and what it must not hide.

The contract tests run over it too (tests/support/adapters.py); here is what only an SDK can break.
"""

import logging
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import BusyError, ConfigError, MalformedAnswer, NetworkError, RefusedError
from tests.support.asking import Json, answer_requests, expect_error, get_completion, openai
from tests.support.install_commands import installs_extra
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import DONE, Script, chunk, script_handler
from tests.support.standins.server import Reply, Request, StandIn

HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)
LEAKS = {
    "OPENAI_API_KEY": "sk-leaked-key",
    "OPENAI_ADMIN_KEY": "sk-leaked-admin-key",
    "OPENAI_ORG_ID": "org-leaked",
    "OPENAI_PROJECT_ID": "proj-leaked",
    "OPENAI_CUSTOM_HEADERS": "X-Leak: leaked\nAuthorization: Bearer leaked\nUser-Agent: leaked",
    "AZURE_OPENAI_API_KEY": "leaked-azure-key",
    "AZURE_OPENAI_AD_TOKEN": "leaked-azure-token",
    "OPENAI_BASE_URL": "http://leaked.invalid/v1",
}


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(script_handler(HELLO)) as standin:
        yield standin


@pytest.fixture
def leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets every variable from which the SDK would take something to send."""
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)


def sdk(server: StandIn, **keys: Any) -> Profile:
    return openai(server, transport="sdk", **keys)


@pytest.mark.usefixtures("leaks")
async def test_nothing_of_the_sdks_variables_is_sent(server: StandIn) -> None:
    await get_completion(sdk(server))
    request = server.requests[0]
    assert "leaked" not in str(request.headers)
    assert "authorization" not in request.headers
    assert "unused" not in str(request.headers)


@pytest.mark.usefixtures("leaks")
async def test_headers_equal_those_of_the_http_transport(server: StandIn) -> None:
    keys: Json = {
        "api_key": "sk-ours", "organization": "org-ours", "project": "proj-ours",
        "headers": {"X-Gate": "open", "x-stainless-lang": "mine"},
    }  # fmt: skip
    await get_completion(openai(server, **keys))
    await get_completion(sdk(server, **keys))
    own, theirs = (dict(request.headers) for request in server.requests)
    mine = {"accept", "content-length"}  # the SDK accepts JSON, and formats its body its own way
    names = {name for name in own if name not in mine}
    assert {name: theirs.get(name) for name in names} == {name: own[name] for name in names}
    more = set(theirs) - set(own)
    assert {name for name in more if not name.startswith("x-stainless-")} == set()
    assert server.requests[0].json == server.requests[1].json


async def test_a_redirect_is_not_followed(server: StandIn) -> None:
    there = {"location": f"{server.url}/v1/chat/completions"}
    with StandIn(script_handler(Script(status=307, headers=there))) as moved:
        error = await expect_error(RefusedError, sdk(moved))
    assert error.location == there["location"]
    assert server.requests == []


async def test_sdk_does_not_retry() -> None:
    with StandIn(script_handler(Script(b"{}", status=500))) as failing:
        await expect_error(BusyError, sdk(failing, max_retries=0))
        assert len(failing.requests) == 1


async def test_endless_error_body_is_not_read_to_its_end() -> None:
    written = 0

    async def handle(request: Request, reply: Reply) -> None:
        nonlocal written
        await reply.head(500, chunked=True)
        for _ in range(1024):
            await reply.write(b"x" * 65536)
            written += 65536

    with StandIn(handle) as endless:
        error = await expect_error(BusyError, sdk(endless, max_retries=0))
    assert error.status == 500
    assert len(error.message) <= 300
    assert written < 32 * 1024 * 1024, "64 MiB were on offer"


async def test_a_compressed_answer_is_refused() -> None:
    packed = Script(b"\x1f\x8b", headers={"content-encoding": "gzip"})
    with StandIn(script_handler(packed)) as server:
        error = await expect_error(MalformedAnswer, sdk(server))
        assert server.requests[0].headers["accept-encoding"] == "identity"
    assert "gzip" in error.message


async def test_the_profiles_proxy_is_used(server: StandIn) -> None:
    await get_completion(sdk(server, endpoint="http://far.invalid/v1", proxy=server.url))
    assert server.requests[0].headers["host"] == "far.invalid"
    error = await expect_error(NetworkError, sdk(server, proxy="http://127.0.0.1:9", max_retries=0))
    assert "through the proxy 127.0.0.1:9" in error.message


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://127.0.0.1:9"])
async def test_invalid_proxy_is_an_error(server: StandIn, proxy: str) -> None:
    assert "proxy" in (await expect_error(ConfigError, sdk(server, proxy=proxy))).message


class OverTls(BaseHTTPRequestHandler):
    """Answers every request with Hello."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b"".join(step for step in HELLO.steps if isinstance(step, bytes))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


async def test_invalid_endpoint_is_an_error(server: StandIn) -> None:
    error = await expect_error(ConfigError, sdk(server, endpoint="http://h/v1\x7f"))
    assert "not a valid URL" in error.message


async def test_only_the_profiles_authorities_are_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), OverTls) as site:
        site.socket = context.wrap_socket(site.socket, server_side=True)
        threading.Thread(target=site.serve_forever, args=(0.05,), daemon=True).start()
        keys: Json = {"endpoint": f"https://127.0.0.1:{site.server_port}/v1", "model": "m"}
        without_authority = Profile.of({"provider": "openai", "transport": "sdk", **keys})
        with_authority = without_authority.replace_set(ca_bundle=str(tmp_path / "ca.pem"))
        assert (await get_completion(with_authority))["text"] == "Hello"
        assert "certificate" in (await expect_error(NetworkError, without_authority)).message
        assert (
            "ca_bundle"
            in (
                await expect_error(ConfigError, without_authority.replace_set(ca_bundle="/no"))
            ).message
        )
        site.shutdown()


async def test_a_debug_log_of_the_sdk_holds_no_key(
    server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await get_completion(sdk(server, api_key="sk-secret-key", headers={"X-Token": "hush-hush"}))
    assert "chat/completions" in caplog.text
    assert "sk-secret-key" not in caplog.text
    assert "hush-hush" not in caplog.text


async def test_provider_without_an_sdk_is_an_error(server: StandIn) -> None:
    error = await expect_error(ConfigError, Profile.of({"provider": "ollama", "transport": "sdk"}))
    assert 'ollama has no transport = "sdk"' in error.message
    assert "leave transport out" in error.hint


async def test_missing_google_package_is_named(server: StandIn) -> None:
    keys: Json = {"provider": "gemini", "endpoint": f"{server.url}/v1beta", "transport": "sdk"}
    error = await expect_error(ConfigError, Profile.of({**keys, "model": "m"}))
    assert error.exit_code == 2
    assert installs_extra(error.hint, "gemini")
    assert server.requests == []


async def test_openai_compatible_vendors_can_use_the_sdk() -> None:
    with StandIn(OpenAIServer(key="k").handle) as server:
        keys: Json = {"provider": "groq", "endpoint": f"{server.url}/v1", "model": "gpt-4o"}
        done = await get_completion(Profile.of({**keys, "transport": "sdk", "api_key": "k"}))
        assert len(answer_requests(server)) == 1
    assert done["provider"] == "groq"
