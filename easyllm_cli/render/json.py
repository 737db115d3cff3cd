"""JSON output: the object of --json and the lines of --jsonl (docs/json.md)."""

from __future__ import annotations

import json
from typing import Any

from ..errors import EasyLLMError
from ..events import Done, Event
from ..secret import LONG_KEY_CHARS, redact
from .output import OutputStream
from .plain import Renderer

SCHEMA_VERSION = 1
IDENTIFIER_KEYS = ("provider", "model", "profile", "id")  # "id": of a model


def error_object(error: EasyLLMError) -> dict[str, Any]:
    """Build the `error` object of an error."""
    return {
        "kind": error.kind,
        "exit_code": error.exit_code,
        "status": error.status,
        "message": str(error.message),
        "hint": error.advice or None,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
    }


def listing_object(content: dict[str, Any], error: EasyLLMError | None) -> dict[str, Any]:
    """Build the --json object of a command that lists; `content` holds the command's own keys."""
    return {
        "version": SCHEMA_VERSION,
        "ok": error is None,
        **redact_values(content),
        "error": redact_values(error_object(error)) if error else None,
    }


def redact_values(value: Any, key: str = "") -> Any:
    """Return a copy of a JSON value with all secrets redacted. `key`: the value's own key.

    Under IDENTIFIER_KEYS only secrets of 12 characters and more are redacted: users set dummy
    keys such as "ollama", which are also names of providers. The caller leaves out the answer's
    text and reasoning, which are not redacted.
    """
    if isinstance(value, dict):
        return {key: redact_values(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    if not isinstance(value, str):
        return value
    return redact(value, LONG_KEY_CHARS) if key in IDENTIFIER_KEYS else redact(value)


def format_json_line(value: Any) -> str:
    """Format one line of JSON; text stays readable, terminal control characters are escaped."""
    line = json.dumps(value, ensure_ascii=False)
    if not line.isprintable():
        line = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    return line + "\n"


def print_json(value: Any) -> None:
    """Print one object on stdout; raises as `OutputStream.write`."""
    OutputStream(1, terminal=False).write(format_json_line(value))


class JSONLinesRenderer(Renderer):
    """Prints each event as a JSON line; the command prints the last one, `done` or `error`."""

    shown_kinds = ("text", "reasoning")

    def __init__(self) -> None:
        self._stdout = OutputStream(1, terminal=False)

    def handle_event(self, event: Event) -> None:
        if not isinstance(event, Done):
            fields = vars(event) if event.kind in self.shown_kinds else redact_values(vars(event))
            self._stdout.write(format_json_line({"kind": event.kind, **fields}))
            self.wrote = True
