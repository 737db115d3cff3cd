"""JSON for scripts: one object with every key always present, or one object a line."""

from __future__ import annotations

import json
from typing import Any

from ..completion import Completion
from ..errors import EasyLLMError
from ..events import Done, Event
from ..secret import LONG_KEY_CHARS, redact
from .output import OutputStream
from .plain import Renderer

SCHEMA_VERSION = 1
IDENTIFIER_KEYS = ("provider", "model", "profile", "id")  # an id is a model's
USAGE_KEYS = (
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens",
)  # fmt: skip


def error_object(error: EasyLLMError) -> dict[str, Any]:
    """`error` of the envelope."""
    return {
        "kind": error.kind,
        "exit_code": error.exit_code,
        "status": error.status,
        "message": str(error.message),
        "hint": error.hint or None,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
    }


def envelope(completion: Completion | None, error: EasyLLMError | None, **details: Any) -> Any:
    """DESIGN §7's object, keys in its order; `more`: profile, cost_usd, attempts, ms, notes …"""
    answer = completion or Completion()
    usage = answer.get("usage") or {}
    metadata = {
        "finish_reason": answer.get("finish_reason"),
        "usage": {
            **{key: usage.get(key) for key in USAGE_KEYS},
            "estimated": bool(usage.get("estimated")),
        },
        "cost_usd": details.get("cost_usd"),
        "provider": answer.get("provider") or None,
        "model": answer.get("model") or None,
        "profile": details.get("profile"),
        "attempts": details.get("attempts", 0),
        "ms": details.get("ms", 0),
        "ms_first_token": details.get("ms_first_token"),
        "notes": details.get("notes", []),
        "error": error_object(error) if error else None,
    }
    return {
        "version": SCHEMA_VERSION,
        "ok": error is None,
        "complete": bool(answer.get("complete")),
        "text": answer.get("text", ""),
        "reasoning": answer.get("reasoning"),
        **redact_values(metadata),
    }


def listing_object(content: dict[str, Any], error: EasyLLMError | None) -> dict[str, Any]:
    """What a command that lists prints with --json: its own keys between the usual ones."""
    return {
        "version": SCHEMA_VERSION,
        "ok": error is None,
        **redact_values(content),
        "error": redact_values(error_object(error)) if error else None,
    }


def redact_values(value: Any, key: str = "") -> Any:
    """The same with every secret cut out of its texts: all but a model's own words, which stay.

    `name`: the value's own; one of NAMES holds such words as "ollama", which many give for a key.
    """
    if isinstance(value, dict):
        return {key: redact_values(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    if not isinstance(value, str):
        return value
    return redact(value, LONG_KEY_CHARS) if key in IDENTIFIER_KEYS else redact(value)


def format_json_line(value: Any) -> str:
    """One line of JSON; text stays readable, and what could steer a terminal is escaped."""
    line = json.dumps(value, ensure_ascii=False)
    if not line.isprintable():
        line = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    return line + "\n"


def print_json(value: Any) -> None:
    """One object on stdout. Raises BrokenPipeError or OutputError as Stream.write."""
    OutputStream(1, terminal=False).write(format_json_line(value))


class JSONLinesRenderer(Renderer):
    """Every event but the last as it comes; `done` or `error` is printed with the outcome."""

    shown_kinds = ("text", "reasoning")

    def __init__(self) -> None:
        self._stdout = OutputStream(1, terminal=False)

    def handle_event(self, event: Event) -> None:
        if not isinstance(event, Done):
            fields = vars(event) if event.kind in self.shown_kinds else redact_values(vars(event))
            self._stdout.write(format_json_line({"kind": event.kind, **fields}))
            self.wrote = True
