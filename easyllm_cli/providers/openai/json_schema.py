"""Asks a server for JSON of a schema: by a body field or, where none works, by an instruction."""

from __future__ import annotations

from typing import Any

from ...vendors import Vendor

# Keywords that OpenAI's strict mode accepts; it answers 400 to others ("Structured outputs",
# "Supported schemas" in OpenAI's guide).
STRICT_KEYWORDS = frozenset(
    (
        "$schema", "$ref", "$defs", "definitions", "title", "description", "type", "enum",
        "const", "anyOf", "properties", "required", "additionalProperties", "items", "minItems",
        "maxItems", "pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum",
    )
)  # fmt: skip
STRICT_FORMATS = (
    "date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
)  # fmt: skip


def response_format(schema: dict[str, Any], vendor: Vendor) -> dict[str, Any]:
    """Return `response_format` for Chat Completions; json_object where vendors accept no schema."""
    if not vendor.takes_schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": named_schema(schema)}


def text_format(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `text.format` for Responses: the same fields, one level up."""
    return {"type": "json_schema", **named_schema(schema)}


def named_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with a name, and `strict` when strict mode accepts the schema."""
    strict = schema.get("type") == "object" and is_strict(schema)
    return {"name": "answer", "schema": schema, "strict": strict}


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode accepts the schema.

    Every object must require all its properties and forbid others, and every keyword and format
    must be known.
    """
    if not isinstance(schema, dict) or not schema.keys() <= STRICT_KEYWORDS:
        return False
    if schema.get("format", "date") not in STRICT_FORMATS:
        return False
    properties = schema.get("properties", {})
    if "properties" in schema or "object" in schema.get("type", ()):  # `type` is a string or a list
        is_closed = schema.get("additionalProperties") is False
        if not is_closed or set(schema.get("required", ())) != set(properties):
            return False
    subschemas = [*properties.values(), *schema.get("anyOf", ())]
    subschemas += [
        subschema for key in ("$defs", "definitions") for subschema in schema.get(key, {}).values()
    ]
    subschemas += [schema["items"]] if "items" in schema else []
    return all(is_strict(subschema) for subschema in subschemas)
