"""The adapter for OpenAI Responses: its requests, and when it is chosen."""

from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import ConfigError
from easyllm_cli.images import Image
from easyllm_cli.messages import Message, parse_messages
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.http import HTTPProvider
from easyllm_cli.providers.openai.chat import OpenAIProvider
from easyllm_cli.providers.openai.responses import ResponsesProvider
from easyllm_cli.transport.base import Request
from tests.support.adapters import KEY
from tests.support.asking import Json
from tests.support.images import png

OFFICIAL = "https://api.openai.com/v1"
SCHEMA: Json = {"type": "object", "properties": {"age": {"type": "integer"}}}


def build_request(*, think: bool = False, schema: Json | None = None, **keys: Any) -> Request:
    """Return the request for a short conversation."""
    defaults = {"provider": "openai", "model": "m", "api": "responses", "api_key": KEY}
    profile = Profile.of({**defaults, **keys}).replace_set(think=think or None, schema=schema)
    provider = provider_for(profile)
    assert isinstance(provider, HTTPProvider)
    return provider.request(
        parse_messages([{"role": "system", "content": "Be brief."}, *CONVERSATION]), True
    )


CONVERSATION: list[Json] = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "system", "content": "Now in French."},
    {"role": "user", "content": "three"},
]


def item(role: str, text: str, kind: str = "input_text") -> Json:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def test_the_whole_request() -> None:
    keys: Json = {"temperature": 0.2, "top_p": 0.5, "max_tokens": 99, "organization": "org-1"}
    request = build_request(**keys, model="gpt-4o")
    assert request.url == f"{OFFICIAL}/responses"
    assert request.headers["OpenAI-Organization"] == "org-1"
    assert request.body == {
        "model": "gpt-4o", "stream": True, "store": False, "instructions": "Be brief.",
        "input": [
            item("user", "one"), item("assistant", "two", "output_text"),
            item("system", "Now in French."), item("user", "three"),
        ],
        "temperature": 0.2, "top_p": 0.5, "max_output_tokens": 99,
    }  # fmt: skip


def test_image_part_holds_a_string_and_keeps_its_position() -> None:
    provider = provider_for(Profile.of({"provider": "openai", "model": "m", "api": "responses"}))
    assert isinstance(provider, ResponsesProvider)
    image = Image.of(png(2, 2, (1, 2, 3)))
    content = provider.message(Message("user", ("one", image, "two")))["content"]
    assert [part["type"] for part in content] == ["input_text", "input_image", "input_text"]
    assert content[1] == {"type": "input_image", "image_url": image.as_url()}


THINKING: list[tuple[Json, Json | None]] = [
    ({}, None),
    ({"reasoning": "off"}, {"effort": "none"}),
    ({"reasoning": "high"}, {"effort": "high", "summary": "auto"}),
    ({"reasoning": "max"}, {"effort": "xhigh", "summary": "auto"}),
    ({"think": True}, {"summary": "auto"}),
    ({"think": True, "model": "o3"}, {"summary": "auto"}),
    ({"think": True, "model": "gpt-5.1"}, {"effort": "medium", "summary": "auto"}),
    ({"think": True, "reasoning": "low", "model": "gpt-5.1"}, {"effort": "low", "summary": "auto"}),
    ({"think": True, "reasoning": "off"}, {"effort": "none"}),
]


@pytest.mark.parametrize(("keys", "sent"), THINKING)
def test_reasoning_request_includes_a_summary(keys: Json, sent: Json | None) -> None:
    assert (build_request(**keys).body or {}).get("reasoning") == sent


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ({"model": "o3"}, True),
        ({"model": "gpt-5.1"}, True),
        ({"model": "gpt-4o"}, False),  # 400: "Encrypted content is not supported with this model."
        ({"model": "o3", "endpoint": "http://127.0.0.1:9/v1"}, False),
        ({"model": "o3", "provider": "vllm"}, False),
    ],
)
def test_encrypted_reasoning_is_requested_from_openai_reasoning_models(
    keys: Json, sent: bool
) -> None:
    assert ("include" in (build_request(**keys).body or {})) == sent


CLOSED_SCHEMA = {**SCHEMA, "required": ["age"], "additionalProperties": False}


@pytest.mark.parametrize(("schema", "strict"), [(SCHEMA, False), (CLOSED_SCHEMA, True)])
def test_a_schema_and_the_users_options(schema: Json, strict: bool) -> None:
    """OpenAI refuses `strict` for a schema that is not closed (required, additionalProperties)."""
    body = build_request(schema=schema, options={"store": True, "truncation": "auto"}).body or {}
    wanted = {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}
    assert body["text"] == {"format": wanted}
    assert (body["store"], body["truncation"]) == (True, "auto")


# ---- choice of protocol

PROTOCOL_CHOICES: list[tuple[Json, bool, bool]] = [  # profile keys, --think, Responses?
    ({"model": "o3"}, True, True),
    ({"model": "gpt-5-mini"}, True, True),
    ({"model": "gpt-5.1"}, True, True),
    ({"model": "gpt-5", "reasoning": "high"}, True, True),
    ({"model": "o3", "endpoint": OFFICIAL}, True, True),
    ({"model": "o3"}, False, False),
    ({"model": "o3", "reasoning": "high"}, False, False),  # an effort alone shows no reasoning
    ({"model": "o3", "reasoning": "off"}, True, False),
    ({"model": "o3", "api": "chat"}, True, False),
    ({"model": "gpt-4o"}, True, False),
    ({"model": "gpt-5-chat-latest"}, True, False),
    ({"model": None}, True, False),
    ({"model": "o3", "endpoint": "http://127.0.0.1:9/v1"}, True, False),
    ({"model": "o3", "endpoint": "https://api.openai.com.example.com/v1"}, True, False),
    ({"model": "o3", "provider": "groq"}, True, False),
    ({"model": "openai/o3", "provider": "openrouter"}, True, False),
    ({"model": "o3", "provider": "ollama"}, True, False),
    ({"model": "m", "api": "responses"}, False, True),
    ({"model": "m", "api": "responses", "provider": "vllm"}, False, True),
    ({"model": "m", "api": "responses", "provider": "xai"}, True, True),
]


@pytest.mark.parametrize(("keys", "think", "responses"), PROTOCOL_CHOICES)
def test_the_protocol_is_chosen(keys: Json, think: bool, responses: bool) -> None:
    profile = Profile.of({"provider": "openai", **keys}).replace_set(think=think or None)
    provider = provider_for(profile)
    assert isinstance(provider, ResponsesProvider) == responses
    if profile.provider == "openai" and not responses:
        assert type(provider) is OpenAIProvider


def test_base_url_variable_decides_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile.of({"provider": "openai", "model": "o3"}).replace_set(think=True)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert type(provider_for(profile)) is OpenAIProvider
    monkeypatch.setenv("OPENAI_BASE_URL", OFFICIAL)
    assert type(provider_for(profile)) is ResponsesProvider


@pytest.mark.parametrize("provider", ["ollama", "gemini", "openrouter"])
def test_provider_without_responses_has_a_hint(provider: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider_for(Profile.of({"provider": provider, "model": "m", "api": "responses"}))
    assert provider in caught.value.message
    assert "leave api out" in caught.value.hint
