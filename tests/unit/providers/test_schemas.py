"""JSON schemas in requests: each protocol's field, `strict`, and servers that refuse a schema."""

import json
from typing import Any

import pytest

from easyllm_cli.batch.row_settings import RowSettings
from easyllm_cli.choices import parse_choices
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import RefusedError
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.providers.openai.json_schema import is_strict
from easyllm_cli.vendors import VENDORS
from tests.support.asking import (
    Json,
    expect_error,
    get_completion,
    messages,
    open_provider,
    openai,
    profile,
)
from tests.support.standins.script import DONE, Script, chunk, compact, ndjson, script_handler
from tests.support.standins.server import StandIn

PERSON: Json = {"type": "object", "properties": {"name": {"type": "string"}}}
STRICT: Json = {**PERSON, "required": ["name"], "additionalProperties": False}
SYSTEM = [Message("system", ("Be brief.",)), Message("user", ("hi",))]
CHAT = [
    name
    for name, vendor in VENDORS.items()
    if vendor.adapter in ("openai", "openrouter") and vendor.hosts and vendor.default_api == "chat"
]


async def body_of(config: Profile, messages: list[Message]) -> Json:
    """Return the body that would be sent."""
    async with open_provider(config) as provider:
        return provider.dry_request(messages, True).body or {}


@pytest.mark.parametrize("provider", CHAT)
async def test_chat_completions(provider: str) -> None:
    config = Profile.of({"provider": provider, "model": "m"})
    plain = await body_of(config, SYSTEM)
    body = await body_of(config.replace_set(schema=STRICT), SYSTEM)
    sent = body.pop("response_format")
    if VENDORS[provider].takes_schema:
        named = {"name": "answer", "schema": STRICT, "strict": True}
        assert sent == {"type": "json_schema", "json_schema": named}
        assert body == plain
        return
    # The schema is in the one system message, after the user's own text.
    assert sent == {"type": "json_object"}
    instruction, question = body["messages"]
    assert instruction["role"] == "system"
    assert instruction["content"].startswith("Be brief.\n\n")
    assert "JSON" in instruction["content"]
    assert instruction["content"].endswith(json.dumps(STRICT))
    assert question == {"role": "user", "content": "hi"}


def test_only_these_vendors_take_no_schema() -> None:
    """Another vendor needs a source in docs/protocols.md before it is marked."""
    without = [name for name, vendor in VENDORS.items() if not vendor.takes_schema]
    assert without == ["deepseek", "minimax"]


async def test_ollama() -> None:
    body = await body_of(profile("ollama", "http://127.0.0.1:9").replace_set(schema=PERSON), SYSTEM)
    assert body["format"] == PERSON
    assert "options" not in body


ARRAY_OF_STRICT = {"type": "array", "items": STRICT}
STRICTNESS: list[tuple[Json, bool]] = [
    (STRICT, True),
    (PERSON, False),
    ({**STRICT, "required": []}, False),
    ({**STRICT, "additionalProperties": {"type": "string"}}, False),
    ({**STRICT, "properties": {"name": PERSON}}, False),
    ({**STRICT, "properties": {"name": {"type": "array", "items": STRICT}}}, True),
    ({**STRICT, "properties": {"name": {"type": "array", "items": PERSON}}}, False),
    ({**STRICT, "properties": {"name": {"anyOf": [STRICT, {"type": "null"}]}}}, True),
    ({**STRICT, "properties": {"name": {"anyOf": [PERSON]}}}, False),
    ({**STRICT, "properties": {"name": {"$ref": "#/$defs/p"}}, "$defs": {"p": STRICT}}, True),
    ({**STRICT, "properties": {"name": {"$ref": "#/$defs/p"}}, "$defs": {"p": PERSON}}, False),
    ({**STRICT, "properties": {"name": {"type": "string", "minLength": 1}}}, False),
    ({**STRICT, "properties": {"name": True}}, False),
    ({**STRICT, "properties": {"name": {"type": "string", "format": "email"}}}, True),
    ({**STRICT, "properties": {"name": {"type": "string", "format": "colour"}}}, False),
    ({**STRICT, "properties": {"name": {"type": ["object", "null"]}}}, False),
    ({**STRICT, "allOf": [PERSON]}, False),
    ({**STRICT, "$schema": "https://json-schema.org/draft/2020-12/schema"}, True),
]


@pytest.mark.parametrize(("schema", "strict"), STRICTNESS)
def test_is_strict(schema: Json, strict: bool) -> None:
    assert is_strict(schema) is strict


async def test_strict_needs_an_object_at_the_top() -> None:
    config = Profile.of({"provider": "openai", "model": "m"})
    for schema in (ARRAY_OF_STRICT, {"anyOf": [STRICT]}):
        assert is_strict(schema)
        sent = (await body_of(config.replace_set(schema=schema), SYSTEM))["response_format"]
        assert sent["json_schema"]["strict"] is False


def refusal(status: int, error: Any) -> Script:
    return Script(compact({"error": error}), status=status, content_type="application/json")


HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)
REFUSALS = [
    (
        "openai",
        refusal(400, {"message": "Invalid schema for response_format 'answer'", "code": None}),
        "response_format=",
    ),
    (
        "openai",
        refusal(422, {"message": "response_format.type `json_schema` is unavailable now"}),
        "response_format=",
    ),
    (
        "ollama",
        refusal(400, "json: cannot unmarshal object into Go struct field ChatRequest.format"),
        "format=json",
    ),
    (
        "gemini",
        refusal(
            400,
            {
                "code": 400, "status": "INVALID_ARGUMENT",
                "message": "* GenerateContentRequest.generation_config.response_schema: too deep",
            },
        ),
        "responseSchema=null",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "script", "option"), REFUSALS)
async def test_a_refused_schema_is_an_error_and_not_left_out(
    provider: str, script: Script, option: str
) -> None:
    with StandIn(script_handler(script, HELLO)) as server:
        config = profile(provider, server.url).replace_set(schema=STRICT)
        error = await expect_error(RefusedError, config)
        assert len(server.requests) == 1
    assert error.exit_code == 4
    assert f"-o {option}" in error.hint


CHOICES = parse_choices("spam,ham")
NO_SCHEMA = [
    *((provider, script) for provider, script, _ in REFUSALS),
    ("openai", refusal(400, {"message": "This model does not support response format here"})),
    (
        "gemini",
        refusal(400, {"message": "JSON mode is not enabled for models/gemma-3", "code": 400}),
    ),
    ("cohere", Script(b'{"message": "response_format is not supported"}', status=400)),
]


@pytest.mark.parametrize(("provider", "script"), NO_SCHEMA)
async def test_choices_are_sent_in_words_where_the_schema_is_refused(
    provider: str, script: Script
) -> None:
    """The server is asked once more, without the schema, and is not sent one again."""
    with StandIn(script_handler(script)) as server:
        config = profile(provider, server.url).replace_set(**CHOICES.request_settings)
        async with open_provider(config) as target:
            key = target.request_key(SYSTEM)
            for _ in range(2):
                with pytest.raises(RefusedError):
                    await collect(target.stream(messages()))
            assert target.request_key(SYSTEM) == key  # what the cache looks for
        first, *others = (request.body.decode() for request in server.requests)
    assert '"enum"' in first
    assert len(others) == 2
    for body in others:
        assert "enum" not in body
        assert r"exactly one of these, and write nothing else:\nspam\nham" in body


async def test_strict_sends_the_schema_or_nothing() -> None:
    with StandIn(script_handler(REFUSALS[0][1])) as server:
        config = openai(server, strict=True).replace_set(**CHOICES.request_settings)
        await expect_error(RefusedError, config)
        assert len(server.requests) == 1


def test_a_rows_own_schema_is_not_replaced_by_choices() -> None:
    config = Profile.of({"provider": "openai"}).replace_set(**CHOICES.request_settings)
    applied = RowSettings(schema=PERSON).apply(config)
    assert (applied.schema, applied.choices) == (PERSON, None)


async def test_hint_for_a_schema_refused_by_responses_works() -> None:
    words = {
        "message": "Invalid schema for response_format 'answer'",
        "param": "text.format.schema",
    }
    with StandIn(script_handler(refusal(400, words))) as server:
        config = openai(server, api="responses").replace_set(schema=STRICT)
        error = await expect_error(RefusedError, config)
    option = """text='{"format": {"type": "json_object"}}'"""
    assert f"-o {option} asks for JSON alone" in error.hint
    own = Profile.of({"text": {"format": {"type": "json_object"}}})
    followed = config.replace_set(options=own.options)
    assert (await body_of(followed, SYSTEM))["text"] == {"format": {"type": "json_object"}}
    beside = config.replace_set(options={"text": {"verbosity": "low"}})
    text = (await body_of(beside, SYSTEM))["text"]
    assert (text["verbosity"], text["format"]["type"]) == ("low", "json_schema")


async def test_soft_defaults_are_left_out_before_the_schema() -> None:
    """The retry leaves out settings that the user did not set; the schema stays."""
    with StandIn(script_handler(refusal(400, {"message": "no"}), HELLO)) as server:
        config = openai(server, send_defaults=True).replace_set(schema=STRICT)
        assert (await get_completion(config))["text"] == "Hello"
        first, second = (request.json for request in server.requests)
    assert "temperature" in first
    assert "temperature" not in second
    assert first["response_format"] == second["response_format"]


async def test_users_option_replaces_the_schema_field() -> None:
    own = {"type": "json_object"}
    config = Profile.of({"provider": "openai", "model": "m", "options": {"response_format": own}})
    assert (await body_of(config.replace_set(schema=STRICT), SYSTEM))["response_format"] == own
    ollama_answer = ndjson({"message": {"content": "{}"}, "done": True, "done_reason": "stop"})
    with StandIn(
        script_handler(Script(ollama_answer, content_type="application/x-ndjson"))
    ) as server:
        config = profile("ollama", server.url, options={"format": "json"}).replace_set(
            schema=STRICT
        )
        await get_completion(config)
        assert server.requests[0].json["format"] == "json"
