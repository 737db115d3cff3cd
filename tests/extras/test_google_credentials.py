"""Gemini without a key: application-default credentials, where they are sent, how they fail."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, ConfigError
from tests.support.asking import Json, expect_error, get_completion, messages, open_provider
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.request import Request
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Reply, StandIn

TOKEN = "ya29.token-of-a-service-account"
MODEL = "gemini-2.0-flash"


@dataclass
class Google:
    """A stand-in for the token endpoint and Gemini, and a service account's file.

    `grants`: requests for a token; `asked`: requests to Gemini; `refuses`: refuse every token.
    """

    server: StandIn
    file: Path
    grants: list[Request] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    refuses: bool = False

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.path == "/token":
            self.grants.append(request)
            if self.refuses:
                await reply.json({"error": "invalid_grant", "error_description": "No."}, 400)
            else:
                grant = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
                await reply.json(grant)
            return
        self.asked.append(request)
        gemini = GeminiServer(key="")
        request.headers.setdefault("x-goog-api-key", "")
        await gemini.handle(request, reply)


def service_account(url: str) -> Json:
    """Return a service account's file, as Google's console writes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "robot@a-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{url}/token",
    }


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """Run the stand-in; variables name its address and file, and no metadata server is used."""
    stand_ins: list[Google] = []

    async def handle(request: Request, reply: Reply) -> None:
        await stand_ins[0].handle(request, reply)

    with StandIn(handle) as server:
        file = tmp_path / "account.json"
        file.write_text(json.dumps(service_account(server.url)), "utf-8")
        stand_ins.append(Google(server, file))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"{server.url}/v1beta")
        yield stand_ins[0]


def google_profile(**keys: Any) -> Profile:
    return Profile.of({"provider": "gemini", "model": MODEL, "transport": "sdk", **keys})


async def test_a_service_account_replaces_a_key(google: Google) -> None:
    async with open_provider(google_profile()) as provider:
        for _ in range(2):
            assert (await provider.chat(messages()))["complete"] is True
        assert MODEL in await provider.list_models()
    assert len(google.grants) == 1, "a token is kept for the next request"
    assert b"jwt-bearer" in google.grants[0].body
    assert {request.headers["authorization"] for request in google.asked} == {f"Bearer {TOKEN}"}
    assert {request.headers["x-goog-api-key"] for request in google.asked} == {""}


async def test_a_key_takes_precedence(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-gemini")
    await expect_error(AuthError, google_profile())  # this stand-in refuses the key
    assert [request.headers["x-goog-api-key"] for request in google.asked] == ["a-key-of-gemini"]
    assert "authorization" not in google.asked[0].headers
    assert google.grants == []
    with pytest.raises(AuthError, match="MISSING is not set"):
        await get_completion(google_profile(api_key_env="MISSING"))


async def test_another_endpoint_gets_no_token(google: Google) -> None:
    """An endpoint that the profile names is neither Google's nor the variable's."""
    await get_completion(google_profile(endpoint=f"{google.server.url}/v1beta"))
    assert google.grants == []
    assert "authorization" not in google.asked[0].headers


async def test_no_token_goes_over_http(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://gemini.example/v1beta")
    error = await expect_error(ConfigError, google_profile())
    assert "http://" in error.message
    assert google.grants == []


async def test_a_refused_account_is_a_key_error(google: Google) -> None:
    google.refuses = True
    error = await expect_error(AuthError, google_profile())
    assert error.exit_code == 3
    assert "invalid_grant" in error.message
    assert google.asked == []


async def test_a_401_names_the_credentials(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}'
    refusal = Script(body, status=401, content_type="application/json")
    with StandIn(script_handler(refusal)) as strict:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"{strict.url}/v1beta")
        error = await expect_error(AuthError, google_profile())
        assert len(strict.requests) == 1
        assert strict.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "application-default credentials" in error.hint


@pytest.mark.parametrize("text", [None, "{}", "no JSON"])
async def test_missing_credentials_are_a_key_error(
    google: Google, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is None:
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    else:
        google.file.write_text(text, "utf-8")
    error = await expect_error(AuthError, google_profile())
    assert error.exit_code == 3
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.hint
    assert "GEMINI_API_KEY" in error.hint
    assert google.asked == []
