"""JSON schemas for Gemini: converted to its subset, or unchanged if the subset lacks a part."""

import json
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.providers.gemini.json_schema import generation_config_fields
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.standins.gemini import GeminiServer
from tests.support.standins.gemini_rules import check_response
from tests.support.standins.reply import ErrorReply
from tests.support.standins.server import StandIn

Json = dict[str, Any]
PERSON: Json = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
GEMINI_PERSON: Json = {
    "type": "OBJECT",
    "properties": {"name": {"type": "STRING"}},
    "required": ["name"],
}


def inside(schema: Json, **defs: Json) -> Json:
    """Return a schema of an object whose one property `a` has this schema."""
    whole: Json = {"type": "object", "properties": {"a": schema}}
    return whole | ({"$defs": defs} if defs else {})


CONVERTED: dict[str, tuple[Json, Json]] = {
    "keywords it refuses": ({"$schema": "x", "$id": "y", **PERSON}, GEMINI_PERSON),
    "constraints it knows": (
        {"type": "array", "items": {"type": "number", "minimum": 1, "exclusiveMaximum": 2},
         "minItems": 1, "uniqueItems": True, "description": "d"},
        {"type": "ARRAY", "items": {"type": "NUMBER", "minimum": 1}, "minItems": 1,
         "description": "d"},
    ),
    "a format it knows": (
        {"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}
    ),
    "a format it refuses": ({"type": "string", "format": "email"}, {"type": "STRING"}),
    "null in the type": (
        {"type": ["string", "null"], "maxLength": 3},
        {"type": "STRING", "nullable": True, "maxLength": 3},
    ),
    "null among the choices": (
        {"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "INTEGER", "nullable": True}
    ),
    "null in the enum": (
        {"enum": ["a", None]}, {"type": "STRING", "nullable": True, "enum": ["a"]}
    ),
    "null alone": ({"type": "null"}, {"type": "NULL"}),
    "two types": (
        {"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}
    ),
    "oneOf": (
        {"oneOf": [{"type": "string"}, PERSON]}, {"anyOf": [{"type": "STRING"}, GEMINI_PERSON]}
    ),
    "const": ({"const": "x"}, {"type": "STRING", "enum": ["x"]}),
    "an enum of numbers": ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
    "a type that goes without saying": (
        {"properties": {"a": {"items": {"enum": ["b"]}}}},
        {"type": "OBJECT", "properties": {
            "a": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["b"]}}}},
    ),
    "a name that nobody defines": (
        {**PERSON, "required": ["name", "age"]}, GEMINI_PERSON,
    ),
    "a reference, twice": (
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/p"}, "b": {"$ref": "#/$defs/p"}},
         "$defs": {"p": PERSON}},
        {"type": "OBJECT", "properties": {"a": GEMINI_PERSON, "b": GEMINI_PERSON}},
    ),
    "a reference with words beside it": (
        inside({"$ref": "#/$defs/a~1b", "description": "d"}, **{"a/b": PERSON}),
        {"type": "OBJECT", "properties": {"a": {**GEMINI_PERSON, "description": "d"}}},
    ),
    "allOf": (
        {"allOf": [PERSON, {"properties": {"age": {"type": "integer"}}, "required": ["age"]}]},
        {"type": "OBJECT",
         "properties": {"name": {"type": "STRING"}, "age": {"type": "INTEGER"}},
         "required": ["name", "age"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERTED)
def test_schema_is_converted_to_the_subset(name: str) -> None:
    schema, wanted = CONVERTED[name]
    before = json.dumps(schema)
    fields = generation_config_fields(schema)
    assert fields == {"responseMimeType": "application/json", "responseSchema": wanted}
    check_response(fields)
    assert json.dumps(schema) == before, "the user's schema stays as it is"


UNCHANGED: dict[str, Json] = {
    "itself": {"type": "object", "properties": {"of": {"$ref": "#"}}},
    "a circle": inside({"$ref": "#/$defs/b"}, b={"type": "array", "items": {"$ref": "#/$defs/b"}}),
    "an anchor": inside({"$ref": "#name"}, b={"$anchor": "name", "type": "string"}),
    "a tuple": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}},
    "any array": {"type": "array"},
    "a map": inside({"type": "object", "additionalProperties": {"type": "string"}}),
    "anything": inside({}),
    "anything, shortly": {"type": "object", "properties": {"a": True}},
    "an enum of all kinds": {"enum": ["a", 1]},
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_other_schema_is_sent_unchanged(name: str) -> None:
    fields = generation_config_fields(UNCHANGED[name])
    wanted = {"responseMimeType": "application/json", "responseJsonSchema": UNCHANGED[name]}
    assert fields == wanted
    check_response(fields)


def test_stand_in_refuses_unconverted_schemas() -> None:
    """Otherwise `check_response` in the tests above would prove nothing."""
    for schema in (PERSON, {"type": "ARRAY"}, {"type": "OBJECT"}, {"type": "INTEGER", "enum": [1]}):
        with pytest.raises(ErrorReply):
            check_response({"responseMimeType": "application/json", "responseSchema": schema})


def test_schema_through_the_command(easyllm: Easyllm, home: Path) -> None:
    path = home / "schema.json"
    path.write_text(json.dumps(PERSON))
    with StandIn(GeminiServer().handle) as server:
        profiles = single_profile_toml(
            server, "gemini", model="gemini-2.5-flash", api_key="test-key"
        )
        args = ("chat", "--schema", str(path))
        fits = easyllm.run(*args, "-t", "0", '{"name": "Ada"}', profiles=profiles)
        misses = easyllm.run(*args, '{"name": 1}', profiles=profiles)
        config = server.requests[0].json["generationConfig"]
    assert (fits.code, fits.stdout) == (0, b'{"name": "Ada"}\n')
    assert misses.code == 7
    assert "$.name: 1 is not of type 'string'" in misses.error_line
    assert config == {
        "temperature": 0, "responseMimeType": "application/json", "responseSchema": GEMINI_PERSON,
    }  # fmt: skip
