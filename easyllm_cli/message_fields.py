"""What a message says beside its role and content: kept where it is known, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UsageError

# Fields of a message, and the type of each. A provider that has no place for one of them refuses
# the message: see providers/ignored_settings.py.
FIELDS: dict[str, type] = {
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
TOOL_PARTS = ("tool_use", "tool_result", "function_call", "function_call_output")


def names_tools(table: Mapping[str, Any]) -> bool:
    """Whether a message or a part of one holds the call of a tool, or what a tool said."""
    calls = any(table.get(key) for key in TOOL_FIELDS)
    return calls or table.get("role") in TOOL_ROLES or table.get("type") in TOOL_PARTS


def no_tools(more: str = "") -> UsageError:
    """The error for tools, which nobody here runs; `more`: what else to do."""
    hint = f"leave `tools` out of the options {more}".rstrip()
    return UsageError("tools are not supported", hint=hint)


def fields_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says beside role and content; an empty value says nothing.

    Raises:
        UsageError: an unknown field, or a value of a wrong type.
    """
    known = ("role", "content", *FIELDS)
    # An item of OpenAI's Responses names its type.
    refuse_others(message, (*known, "type") if message.get("type") == "message" else known)
    return {key: checked(key, message[key], FIELDS[key]) for key in FIELDS if message.get(key)}


def cache_control(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A part's mark for the prompt's cache. Raises UsageError for what is none."""
    value = part.get("cache_control")
    return checked("cache_control", value, Mapping) if value else None


def checked(key: str, value: Any, kind: type) -> Any:
    """The value. Raises UsageError if it has another type, or is no JSON."""
    if not isinstance(value, kind) or not is_json(value):
        raise UsageError(f"{key} of a message cannot be {type(value).__name__}")
    return value


def refuse_others(table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for a key that says something, and that nobody would be told."""
    for key, value in table.items():
        if value and key not in known:
            raise UsageError(
                f"unknown field {key!r} of a message", hint=f"known: {', '.join(known)}"
            )


def is_json(value: Any) -> bool:
    """Whether a value can be sent as JSON."""
    import json

    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
