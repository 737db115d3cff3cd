"""Converts a JSON schema to the subset that Anthropic's structured outputs accept.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs ("JSON Schema
limitations"). The caller checks the answer against the full schema, so that what is left out here
only narrows less while the answer is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]

KEPT_KEYWORDS = (
    "type", "enum", "const", "title", "description", "required", "$ref", "default",
)  # fmt: skip
STRING_FORMATS = (
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
)  # fmt: skip
MAX_MIN_ITEMS = 1  # minItems may be 0 or 1


def output_format(schema: JsonObject) -> JsonObject | None:
    """Return the value of `output_config.format`; None = its subset cannot express the schema."""
    if not is_expressible(schema):
        return None
    return {"type": "json_schema", "schema": to_supported_subset(schema)}


def is_expressible(schema: Any) -> bool:
    """Whether some answer that fits the schema also fits `to_supported_subset` of it.

    There every object is closed: it has no other properties than those that it names. That leaves
    nothing of a map, of an object without named properties, and of objects that are combined.
    """
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    combined = [key for key in ("anyOf", "oneOf", "allOf") if schema.get(key)]
    is_map = isinstance(schema.get("additionalProperties"), dict) or "patternProperties" in schema
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    is_open = is_object and not properties and not combined
    if is_map or (is_open and schema.get("additionalProperties") is not False):
        return False
    if len(combined) + bool(properties) > 1 or len(schema.get("allOf", ())) > 1:
        return False
    return all(map(is_expressible, find_subschemas(schema)))


def find_subschemas(schema: JsonObject) -> Iterator[Any]:
    """Yield the schemas directly inside a schema that `to_supported_subset` keeps."""
    for keyword in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(keyword), dict):
            yield from schema[keyword].values()
    for keyword in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(keyword), list):
            yield from schema[keyword]
    if "items" in schema:
        yield schema["items"]


def to_supported_subset(schema: Any) -> Any:
    """Return the schema with every object closed and without keywords that the API refuses.

    A schema `true` or `false` stays as it is; the server says what is wrong with it.
    """
    if not isinstance(schema, dict):
        return schema
    converted: JsonObject = {key: schema[key] for key in KEPT_KEYWORDS if key in schema}
    for keyword in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(keyword), dict):
            converted[keyword] = {
                name: to_supported_subset(member) for name, member in schema[keyword].items()
            }
    for keyword, target in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if isinstance(schema.get(keyword), list):
            converted[target] = [to_supported_subset(branch) for branch in schema[keyword]]
    if "items" in schema:
        converted["items"] = to_supported_subset(schema["items"])
    if schema.get("format") in STRING_FORMATS:
        converted["format"] = schema["format"]
    if isinstance(schema.get("minItems"), int) and schema["minItems"] <= MAX_MIN_ITEMS:
        converted["minItems"] = schema["minItems"]
    if schema.get("type") == "object" or "properties" in schema:
        converted["additionalProperties"] = False
    return converted
