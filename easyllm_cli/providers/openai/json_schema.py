"""How an answer is asked to fit a JSON schema in OpenAI's words, and in words where those fail."""

from __future__ import annotations

import json
from typing import Any

from ...messages import Message, with_system_instruction
from ...vendors import Vendor

# What OpenAI's strict mode knows; another keyword is refused with 400 ("Structured outputs",
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


def with_schema_instruction(
    messages: list[Message], schema: dict[str, Any], vendor: Vendor
) -> list[Message]:
    """The messages; a vendor that takes no schema is told it in words.

    Its JSON mode demands the word "json" in the prompt as well (DeepSeek's guide, "JSON Output").
    """
    if vendor.takes_schema:
        return messages
    schema_text = json.dumps(schema, ensure_ascii=False)
    return with_system_instruction(
        messages, f"Answer with one JSON document that fits this JSON schema:\n{schema_text}"
    )


def response_format(schema: dict[str, Any], vendor: Vendor) -> dict[str, Any]:
    """`response_format` of Chat Completions; `strict` where the schema is one of its kind."""
    if not vendor.takes_schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": named_schema(schema)}


def text_format(schema: dict[str, Any]) -> dict[str, Any]:
    """`text.format` of Responses: the same fields, one level up."""
    return {"type": "json_schema", **named_schema(schema)}


def named_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its name, and whether it is one of the kind that strict mode knows."""
    strict = schema.get("type") == "object" and is_strict(schema)
    return {"name": "answer", "schema": schema, "strict": strict}


def is_strict(schema: Any) -> bool:
    """Whether every object names all that it holds and requires it, in known keywords alone."""
    if not isinstance(schema, dict) or not schema.keys() <= STRICT_KEYWORDS:
        return False
    if schema.get("format", "date") not in STRICT_FORMATS:
        return False
    properties = schema.get("properties", {})
    if "properties" in schema or "object" in schema.get("type", ()):  # one word, or a list
        is_closed = schema.get("additionalProperties") is False
        if not is_closed or set(schema.get("required", ())) != set(properties):
            return False
    subschemas = [*properties.values(), *schema.get("anyOf", ())]
    subschemas += [
        subschema for key in ("$defs", "definitions") for subschema in schema.get(key, {}).values()
    ]
    subschemas += [schema["items"]] if "items" in schema else []
    return all(is_strict(subschema) for subschema in subschemas)
