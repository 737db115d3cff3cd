"""Converts a JSON schema to the subset that Anthropic's structured outputs accept.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs ("JSON Schema
limitations"). The caller checks the answer against the full schema, so that what is left out here
only narrows less while the answer is written.
"""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]

KEPT_KEYWORDS = (
    "type", "enum", "const", "title", "description", "required", "$ref", "default",
)  # fmt: skip
STRING_FORMATS = (
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
)  # fmt: skip
MAX_MIN_ITEMS = 1  # minItems may be 0 or 1


def output_format(schema: JsonObject) -> JsonObject:
    """Return the value of `output_config.format` for this schema."""
    return {"type": "json_schema", "schema": to_supported_subset(schema)}


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
