"""JSON for scripts: one object with every key always present, or one object a line."""

from __future__ import annotations

import json
from typing import Any

from ..completion import Completion
from ..errors import EasyLLMError
from ..events import Done, Event
from ..secret import LONG, redact
from .output import Stream
from .plain import Renderer

VERSION = 1
NAMES = ("provider", "model", "profile", "id")  # an id is a model's
USAGE = (
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


def envelope(completion: Completion | None, error: EasyLLMError | None, **more: Any) -> Any:
    """DESIGN §7's object, keys in its order; `more`: profile, cost_usd, attempts, ms, notes …"""
    done = completion or Completion()
    usage = done.get("usage") or {}
    about = {
        "finish_reason": done.get("finish_reason"),
        "usage": {
            **{key: usage.get(key) for key in USAGE},
            "estimated": bool(usage.get("estimated")),
        },
        "cost_usd": more.get("cost_usd"),
        "provider": done.get("provider") or None,
        "model": done.get("model") or None,
        "profile": more.get("profile"),
        "attempts": more.get("attempts", 0),
        "ms": more.get("ms", 0),
        "ms_first_token": more.get("ms_first_token"),
        "notes": more.get("notes", []),
        "error": error_object(error) if error else None,
    }
    return {
        "version": VERSION,
        "ok": error is None,
        "complete": bool(done.get("complete")),
        "text": done.get("text", ""),
        "reasoning": done.get("reasoning"),
        **without_keys(about),
    }


def listing_object(found: dict[str, Any], error: EasyLLMError | None) -> dict[str, Any]:
    """What a command that lists prints with --json: its own keys between the usual ones."""
    return {
        "version": VERSION,
        "ok": error is None,
        **without_keys(found),
        "error": without_keys(error_object(error)) if error else None,
    }


def without_keys(value: Any, name: str = "") -> Any:
    """The same with every secret cut out of its texts: all but a model's own words, which stay.

    `name`: the value's own; one of NAMES holds such words as "ollama", which many give for a key.
    """
    if isinstance(value, dict):
        return {key: without_keys(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [without_keys(item) for item in value]
    if not isinstance(value, str):
        return value
    return redact(value, LONG) if name in NAMES else redact(value)


def dump(value: Any) -> str:
    """One line of JSON; text stays readable, and what could steer a terminal is escaped."""
    line = json.dumps(value, ensure_ascii=False)
    if not line.isprintable():
        line = "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)
    return line + "\n"


def print_object(value: Any) -> None:
    """One object on stdout. Raises BrokenPipeError or OutputError as Stream.write."""
    Stream(1, terminal=False).write(dump(value))


class JSONLines(Renderer):
    """Every event but the last as it comes; `done` or `error` is printed with the outcome."""

    shown = ("text", "reasoning")

    def __init__(self) -> None:
        self._out = Stream(1, terminal=False)

    def event(self, event: Event) -> None:
        if not isinstance(event, Done):
            told = vars(event) if event.kind in self.shown else without_keys(vars(event))
            self._out.write(dump({"kind": event.kind, **told}))
            self.wrote = True
