"""What a message says beside its role and content: kept where it is known, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UsageError

# Fields of a message, and the type of each. A provider that has no place for one of them refuses
# the message: see providers/ignored_settings.py.
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
TOOL_ROLES = ("tool", "function")
TOOL_FIELDS = ("tool_calls", "function_call", "tool_call_id")
TOOL_PART_TYPES = ("tool_use", "tool_result", "function_call", "function_call_output")


def has_tool_content(message_or_part: Mapping[str, Any]) -> bool:
    """Whether a message or a part of one holds the call of a tool, or what a tool said."""
    calls = any(message_or_part.get(key) for key in TOOL_FIELDS)
    return (
        calls
        or message_or_part.get("role") in TOOL_ROLES
        or message_or_part.get("type") in TOOL_PART_TYPES
    )


def tools_unsupported_error(extra_hint: str = "") -> UsageError:
    """The error for tools, which nobody here runs; `more`: what else to do."""
    hint = f"leave `tools` out of the options {extra_hint}".rstrip()
    return UsageError("tools are not supported", hint=hint)


def parse_message_fields(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says beside role and content; an empty value says nothing.

    Raises:
        UsageError: an unknown field, or a value of a wrong type.
    """
    known = ("role", "content", *MESSAGE_FIELDS)
    # An item of OpenAI's Responses names its type.
    refuse_unknown_fields(message, (*known, "type") if message.get("type") == "message" else known)
    return {
        key: require_field_type(key, message[key], MESSAGE_FIELDS[key])
        for key in MESSAGE_FIELDS
        if message.get(key)
    }


def parse_cache_control(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A part's mark for the prompt's cache. Raises UsageError for what is none."""
    value = part.get("cache_control")
    return require_field_type("cache_control", value, Mapping) if value else None


def require_field_type(key: str, value: Any, expected_type: type) -> Any:
    """The value. Raises UsageError if it has another type, or is no JSON."""
    if not isinstance(value, expected_type) or not is_json_serializable(value):
        raise UsageError(f"{key} of a message cannot be {type(value).__name__}")
    return value


def refuse_unknown_fields(message_or_part: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for a key that says something, and that nobody would be told."""
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
