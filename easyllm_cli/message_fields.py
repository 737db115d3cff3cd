"""Checks the fields of a message other than role and content; unknown fields are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UsageError

# The known fields and their types. A provider whose protocol lacks a field refuses the message: see
# providers/ignored_settings.py.
MESSAGE_FIELDS: dict[str, type] = {
    "name": str,
    "reasoning_content": str,
    "reasoning": str,
    "reasoning_details": list,
    "refusal": str,
    "prefix": bool,
    "partial": bool,
    "cache_control": Mapping,
}
# For error lines. Only lists and mappings can hold values that JSON does not have.
FIELD_TYPE_NAMES: dict[type, str] = {
    str: "text",
    list: "a list of JSON values",
    bool: "true or false",
    Mapping: "a JSON object",
}
TOOL_ROLES = ("tool", "function")
TOOL_FIELDS = ("tool_calls", "function_call", "tool_call_id")
TOOL_PART_TYPES = ("tool_use", "tool_result", "function_call", "function_call_output")


def has_tool_content(message_or_part: Mapping[str, Any]) -> bool:
    """Whether a message, or a part of one, holds a tool call or a tool result."""
    calls = any(message_or_part.get(key) for key in TOOL_FIELDS)
    return (
        calls
        or message_or_part.get("role") in TOOL_ROLES
        or message_or_part.get("type") in TOOL_PART_TYPES
    )


def tools_unsupported_error(extra_hint: str = "") -> UsageError:
    """The error for tool calls, which easyllm does not run; `extra_hint`: what else to do."""
    hint = f"leave `tools` out of the options {extra_hint}".rstrip()
    return UsageError("tools are not supported", hint=hint)


def parse_message_fields(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message other than role and content; empty values are dropped.

    Raises:
        UsageError: an unknown field, or a value of the wrong type.
    """
    known = ("role", "content", *MESSAGE_FIELDS)
    # An input item of OpenAI's Responses API also has a `type`.
    refuse_unknown_fields(message, (*known, "type") if message.get("type") == "message" else known)
    return {
        key: require_field_type(key, message[key], MESSAGE_FIELDS[key])
        for key in MESSAGE_FIELDS
        if message.get(key)
    }


def parse_cache_control(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A part's `cache_control`; None = none. Raises UsageError if it is not an object."""
    value = part.get("cache_control")
    return require_field_type("cache_control", value, Mapping) if value else None


def require_field_type(key: str, value: Any, expected_type: type) -> Any:
    """The value itself. Raises UsageError if it has another type or is not JSON."""
    if not isinstance(value, expected_type) or not is_json_serializable(value):
        raise UsageError(f"{key} of a message must be {FIELD_TYPE_NAMES[expected_type]}")
    return value


def refuse_unknown_fields(message_or_part: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for an unknown key with a value, which would be dropped silently."""
    for key, value in message_or_part.items():
        if value and key not in known:
            raise UsageError(
                f"unknown field {key!r} of a message", hint=f"known: {', '.join(known)}"
            )


def is_json_serializable(value: Any) -> bool:
    """Whether a value can be sent as JSON."""
    import json

    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
