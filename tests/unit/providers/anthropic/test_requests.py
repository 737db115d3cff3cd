"""Requests of the Messages API: keys, URLs, messages, images, limits, thinking, schemas, lists."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.errors import ConfigError, EasyLLMError, UsageError
from easyllm_cli.events import Model
from easyllm_cli.images import Image
from easyllm_cli.messages import Message, parse_messages
from easyllm_cli.providers import provider_for
from easyllm_cli.providers.anthropic.json_schema import output_format
from easyllm_cli.providers.anthropic.provider import AnthropicProvider
from easyllm_cli.transport.base import Request
from easyllm_cli.vendors import VENDORS
from tests.support.adapters import KEY
from tests.support.asking import Json, expect_error, open_provider, profile
from tests.support.images import png
from tests.support.standins.anthropic import MODEL, AnthropicServer, capabilities
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import Handler, StandIn

BMP = b"BM" + bytes(60)
OFFICIAL = "https://api.anthropic.com"
DOORS = [name for name, vendor in VENDORS.items() if vendor.messages_url]


def build_request(*, stream: bool = True, talk: Any = None, **keys: Any) -> Request:
    """Return the request for a short conversation."""
    usual: Json = {"model": "m"}
    provider = provider_for(profile(keys.pop("provider", "anthropic"), **usual | keys))
    assert isinstance(provider, AnthropicProvider)
    return provider.request(parse_messages(talk or [{"role": "user", "content": "hi"}]), stream)


def key_headers(request: Request) -> dict[str, str]:
    """Return the headers that hold a key."""
    sent = request.reveal_headers().items()
    return {name: value for name, value in sent if name in ("x-api-key", "Authorization")}


def test_the_whole_request() -> None:
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    request = build_request(url=OFFICIAL, talk=talk, api_key=KEY, stop="x", top_k=5)
    assert request.reveal_headers()["anthropic-version"] == "2023-06-01"
    assert request.body == {
        "model": "m", "max_tokens": 8192, "messages": [{"role": "user", "content": "hi"}],
        "stream": True, "system": "Be brief.", "stop_sequences": ["x"], "top_k": 5,
    }  # fmt: skip
    other = build_request(
        url=OFFICIAL,
        api_key=KEY,
        headers={"Anthropic-Version": "2026-10-21", "anthropic-beta": "a"},
    ).reveal_headers()
    assert (other["Anthropic-Version"], other["anthropic-beta"]) == ("2026-10-21", "a")
    assert "anthropic-version" not in other


def test_anth_42_one_key_in_one_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "")  # as Ollama's guide sets it: absent
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "the-token")
    assert key_headers(build_request(url=OFFICIAL)) == {"Authorization": "Bearer the-token"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-key")
    assert key_headers(build_request(url=OFFICIAL)) == {"x-api-key": "the-key"}
    assert key_headers(build_request(url=OFFICIAL, api_key_env="ANTHROPIC_AUTH_TOKEN")) == {
        "Authorization": "Bearer the-token"
    }
    assert key_headers(build_request(url="https://gateway.example")) == {}
    gateway = build_request(url="https://gateway.example", api_key=KEY)
    assert key_headers(gateway) == {"Authorization": f"Bearer {KEY}"}
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example")
    assert key_headers(build_request(url=None)) == {"Authorization": "Bearer the-key"}


async def test_anth_42_a_redirect_gets_no_key() -> None:
    with StandIn(script_handler(Script(b"{}")), host="127.0.0.2") as target:
        moved = Script(b"", status=307, headers={"Location": f"{target.url}/v1/messages"})
        with StandIn(script_handler(moved)) as server:
            async with open_provider(profile("anthropic", server.url, api_key=KEY)) as provider:
                with pytest.raises(EasyLLMError) as caught:
                    await provider.chat([{"role": "user", "content": "hi"}])
        assert (caught.value.exit_code, target.requests) == (4, [])


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (OFFICIAL, f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/v1", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/v1/messages", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/v1/messages/count_tokens", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/v1/messages/batches/msgbatch_1", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}/v1/messages/batches/msgbatch_1/results", f"{OFFICIAL}/v1/messages"),
        (f"{OFFICIAL}//v1//", f"{OFFICIAL}/v1/messages"),
        ("https://gw.example/anthropic/", "https://gw.example/anthropic/v1/messages"),
        ("https://gw.example/anthropic/v1/", "https://gw.example/anthropic/v1/messages"),
    ],
)
def test_anth_43_endpoints(endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_request(url=endpoint, api_key=KEY).url == url
    monkeypatch.setenv("ANTHROPIC_BASE_URL", endpoint)
    assert build_request(url=None, api_key=KEY).url == url


async def test_anth_44_system_messages() -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "developer", "content": "In French."},
        {"role": "user", "content": "two"},
    ]
    body = build_request(url=OFFICIAL, talk=talk, api_key=KEY).body or {}
    assert body["system"] == "Be brief.\n\nIn French."
    assert [message["content"] for message in body["messages"]] == ["one", "two"]
    with StandIn(AnthropicServer().handle) as server:
        async with open_provider(profile("anthropic", server.url, model=MODEL)) as provider:
            with pytest.raises(UsageError, match="needs a user message"):
                await provider.chat(talk[:1])
        assert server.requests == []


@pytest.mark.parametrize(
    ("contents", "sent"),
    [
        ([""], None),
        ([" \n", "\t"], None),
        (["", "Be brief."], "Be brief."),
        ([[{"type": "text", "text": " ", "cache_control": {"type": "ephemeral"}}]], None),
    ],
)
def test_blank_system_text_is_left_out(contents: list[Any], sent: str | None) -> None:
    """An empty text is 400."""
    talk = [{"role": "system", "content": content} for content in contents]
    request = build_request(
        url=OFFICIAL, talk=[*talk, {"role": "user", "content": "hi"}], api_key=KEY
    )
    assert (request.body or {}).get("system") == sent


def test_blank_text_beside_an_image_is_left_out() -> None:
    picture = {"type": "image_url", "image_url": Image.of(png(1, 1, (0, 0, 0))).as_url()}
    talk = [{"role": "user", "content": [{"type": "text", "text": " \n"}, picture]}]
    [message] = (build_request(url=OFFICIAL, talk=talk, api_key=KEY).body or {})["messages"]
    assert [part["type"] for part in message["content"]] == ["image"]


@pytest.mark.parametrize("content", ["", " \n", [], [{"type": "text", "text": ""}]])
async def test_empty_message_is_refused_before_it_is_sent(content: Any) -> None:
    with StandIn(AnthropicServer().handle) as server:
        async with open_provider(profile("anthropic", server.url, api_key=KEY)) as provider:
            with pytest.raises(UsageError, match="no empty message"):
                await provider.chat([{"role": "user", "content": content}])
        assert server.requests == []


def test_cached_system_parts_are_blocks() -> None:
    cached = {"type": "ephemeral"}
    part = {"type": "text", "text": "Long.", "cache_control": cached}
    talk = [{"role": "system", "content": [part, ""]}, {"role": "user", "content": "hi"}]
    body = build_request(url=OFFICIAL, talk=talk, api_key=KEY).body or {}
    assert body["system"] == [part]


async def sources(target: Any, *images: Image) -> list[Json]:
    """Return the sources of the image blocks that would be sent."""
    async with open_provider(target) as provider:
        sent, _ = await provider.prepare([Message("user", ("What?", *images))])
        body = provider.request(sent, True).body or {}
    content = body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image"] * len(images) + ["text"]
    return [part["source"] for part in content[:-1]]


async def test_anth_45_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(png(8, 8, (255, 0, 0)))
    own = profile("anthropic", OFFICIAL, api_key=KEY)
    named_wrongly = await sources(own, Image.of_path(tmp_path / "a.jpg"))
    assert named_wrongly[0]["media_type"] == "image/png"
    with pytest.raises(UsageError, match="takes no image/bmp"):
        await sources(own, Image.of_bytes(BMP, "a.bmp"))
    by_url = await sources(own, Image.of("https://example.com/a.png"))
    assert by_url == [{"type": "url", "url": "https://example.com/a.png"}]
    # For another host the image is downloaded, which a private address refuses.
    other = profile("anthropic", "https://gw.example")
    with pytest.raises(UsageError, match="private network"):
        await sources(other, Image.of("https://127.0.0.1:9/red.png"))


async def listed(handler: Handler) -> list[Model]:
    with StandIn(handler) as server:
        async with open_provider(profile("anthropic", server.url, api_key=KEY)) as provider:
            return await asyncio.wait_for(provider.models(), 10)


async def test_anth_46_model_lists() -> None:
    names = ("a", "b", "c", "d", "e")
    paged = AnthropicServer(models=names, page=2, model_capabilities=capabilities(False, False))
    assert await listed(paged.handle) == [Model(name, 200_000, True, False) for name in names]
    assert len(paged.requests) == 3
    stuck = Script(b'{"data": [{"id": "a"}], "has_more": true, "last_id": "a"}')
    assert [model.id for model in await listed(script_handler(stuck))] == ["a"]
    pages = (
        Script(b'{"data": [{"id": "a"}, {"id": "b"}], "has_more": true}'),
        Script(b'{"data": [{"id": "c"}], "has_more": false}'),
    )
    assert [model.id for model in await listed(script_handler(*pages))] == ["a", "b", "c"]
    endless = Script(b'{"data": [], "has_more": true}')
    assert await listed(script_handler(endless)) == []
    openai_list = Script(b'{"object": "list", "data": [{"id": "x", "context_length": 9}]}')
    assert await listed(script_handler(openai_list)) == [Model("x", 9)]


@pytest.mark.parametrize("name", DOORS)
def test_other_vendors_messages_apis(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's key in the vendor's header; the endpoint's variable and /v1 as ever."""
    vendor = VENDORS[name]
    monkeypatch.setenv(vendor.key_variables[0], "the-key")
    request = build_request(provider=name, url=None, api="anthropic")
    assert request.url == f"{vendor.messages_url}/v1/messages"
    if name != "ollama":  # its own hosts are the cloud's
        header = vendor.messages_key_header
        value = "Bearer the-key" if header == "Authorization" else "the-key"
        assert key_headers(request) == {header: value}
    elsewhere = build_request(provider=name, url="https://gw.example/v1", api="anthropic")
    assert (elsewhere.url, key_headers(elsewhere)) == ("https://gw.example/v1/messages", {})


@pytest.mark.parametrize("name", DOORS)
def test_thinking_that_other_vendors_document_is_tried_first(name: str) -> None:
    body = build_request(provider=name, url="https://gw.example", api="anthropic", think=True).body
    kind = "enabled" if name in ("deepseek", "zhipu", "moonshot") else "adaptive"
    assert (body or {})["thinking"]["type"] == kind


def test_api_that_a_provider_does_not_speak() -> None:
    for name, api in (("openai", "anthropic"), ("anthropic", "chat"), ("anthropic", "responses")):
        with pytest.raises(ConfigError, match=f'does not support api = "{api}"'):
            build_request(provider=name, url="https://gw.example", api=api)


@pytest.mark.parametrize(
    ("keys", "stream", "limit"),
    [
        ({}, True, 8192),
        ({}, False, 8192),
        ({"reasoning": "high"}, True, 16_000),
        ({"reasoning": "max", "provider": "llamacpp", "api": "anthropic"}, True, 48_000),
        ({"reasoning": "max", "provider": "llamacpp", "api": "anthropic"}, False, 21_333),
        ({"max_tokens": 30_000}, False, 30_000),
    ],
)
def test_limit_that_is_sent(keys: Json, stream: bool, limit: int) -> None:
    body = build_request(url="http://127.0.0.1:9", stream=stream, **keys).body or {}
    assert body["max_tokens"] == limit
    assert body.get("thinking", {}).get("budget_tokens", 1024) < limit


def test_schema_is_closed_and_narrowed() -> None:
    schema = {
        "type": "object", "$defs": {"n": {"type": "integer", "minimum": 1}},
        "properties": {
            "tags": {"type": "array", "items": {"oneOf": [{"$ref": "#/$defs/n"}]}, "minItems": 2},
            "when": {"type": "string", "format": "date", "maxLength": 9},
        },
        "required": ["tags"], "additionalProperties": True,
    }  # fmt: skip
    assert (output_format(schema) or {})["schema"] == {
        "type": "object", "$defs": {"n": {"type": "integer"}},
        "properties": {
            "tags": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/n"}]}},
            "when": {"type": "string", "format": "date"},
        },
        "required": ["tags"], "additionalProperties": False,
    }  # fmt: skip


def test_schema_and_effort_share_output_config() -> None:
    config = profile("anthropic", OFFICIAL, model="m", api_key=KEY, reasoning="high")
    own = {"output_config": {"task_budget": 5}}
    provider = AnthropicProvider(config.replace_set(schema=CLOSED, options=own))
    body = provider.request([Message("user", ("hi",))], True).body or {}
    assert body["output_config"] == {"effort": "high", "format": output_format(CLOSED)} | {
        "task_budget": 5
    }


CLOSED: Json = {
    "type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False,
}  # fmt: skip
NOT_CLOSED: list[Json] = [
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "array", "items": {"type": ["object", "null"]}},
    {**CLOSED, "patternProperties": {"^x": {}}},
    {"allOf": [CLOSED, {**CLOSED, "properties": {"b": {}}}]},
    {**CLOSED, "allOf": [CLOSED]},
    {"anyOf": [CLOSED], "oneOf": [CLOSED]},
    {"$defs": {"map": {"type": "object"}}, "$ref": "#/$defs/map"},
]


@pytest.mark.parametrize("schema", NOT_CLOSED)
def test_schema_that_closed_objects_cannot_express_is_sent_in_words(schema: Json) -> None:
    assert output_format(schema) is None
    config = profile("anthropic", OFFICIAL, model="m", api_key=KEY).replace_set(schema=schema)
    body = AnthropicProvider(config).request([Message("user", ("hi",))], True).body or {}
    assert "output_config" not in body
    assert body["system"].endswith(json.dumps(schema))


@pytest.mark.parametrize("name", DOORS)
def test_schema_stands_in_words_at_other_vendors(name: str) -> None:
    config = profile(name, "https://gw.example", model="m", api="anthropic", system="Be brief.")
    provider = AnthropicProvider(config.replace_set(schema=CLOSED))
    talk = [Message("system", ("Be brief.",)), Message("user", ("hi",))]
    body = provider.request(talk, True).body or {}
    assert "output_config" not in body
    assert body["system"].startswith("Be brief.\n\n")
    assert body["system"].endswith(json.dumps(CLOSED))


async def test_limit_of_zero_is_refused() -> None:
    """The API takes it and answers nothing: it only fills the prompt cache."""
    with StandIn(AnthropicServer().handle) as server:
        config = profile("anthropic", server.url, api_key=KEY, options={"max_tokens": 0})
        await expect_error(UsageError, config)
        assert server.requests == []
