"""Parses the output of --json and --jsonl, and checks it against docs/json-schema.json.

The keys must also be in the documented order (docs/json.md).
"""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.support import ROOT
from tests.support.binary import RunResult

SCHEMA = json.loads(ROOT.joinpath("docs", "json-schema.json").read_text())
ANSWER = [
    "version", "ok", "complete", "text", "reasoning", "finish_reason", "usage", "cost_usd",
    "provider", "model", "profile", "attempts", "ms", "ms_first_token", "notes", "error",
    "id", "conversation", "cost_source", "replayed", "route", "usage_all",
]  # fmt: skip
USAGE = [
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens",
    "cache_write_tokens", "estimated",
]  # fmt: skip
ERROR = ["kind", "exit_code", "status", "message", "hint", "retryable", "retry_after", "request_id"]
CHECK = ["name", "ok", "message", "hint", "ms_first_token"]
CALL = [
    "id", "conversation", "started_at", "command", "calls", "profile", "provider", "model", "host",
    "system", "prompt", "messages", "text", "reasoning", "shortened", "finish_reason", "complete",
    "exit_code", "error_kind", "error", "prompt_tokens", "completion_tokens", "total_tokens",
    "reasoning_tokens", "cached_tokens", "cache_write_tokens", "estimated", "usage_all", "cost_usd",
    "cost_source", "ms", "ms_first_token", "attempts", "options", "route", "replayed", "images",
]  # fmt: skip
MODEL = [
    "id", "context", "vision", "reasoning", "prompt_usd", "completion_usd", "context_source",
    "price_source",
]  # fmt: skip


def validate_against_schema(value: Any, what: str) -> None:
    """Check the value against one definition of the schema."""
    schema = {**SCHEMA, "$ref": f"#/$defs/{what}"}
    schema.pop("oneOf")
    Draft202012Validator(schema).validate(value)


def parse_answer_json(ran: RunResult) -> Any:
    """Return the answer object on stdout after checking its shape and its error."""
    answer = ran.json
    validate_against_schema(answer, "answer")
    assert list(answer) == ANSWER
    assert list(answer["usage"]) == USAGE
    check_error_reported(answer, ran)
    return answer


def check_error_reported(result: Any, ran: RunResult) -> None:
    """Check that `ok` means exit code 0, and that stderr repeats the error's text."""
    assert result["ok"] == (ran.code == 0)
    if result["ok"]:
        return
    assert list(result["error"]) == ERROR
    assert result["error"]["exit_code"] == ran.code
    line = ran.stderr.splitlines()[-1]
    assert line.startswith(f"easyllm: {result['error']['message']}")
    assert line.endswith(result["error"]["hint"] or "")


def parse_jsonl_events(ran: RunResult) -> list[Any]:
    """Return the events of --jsonl; only the last one may be `done` or `error`."""
    events = ran.events
    for event in events:
        validate_against_schema(event, "event")
    last = events[-1]
    assert list(last) == ["kind", *ANSWER]
    assert last["kind"] == ("done" if ran.code == 0 else "error")
    assert not [event for event in events[:-1] if event["kind"] in {"done", "error"}]
    check_error_reported(last, ran)
    return events


def parse_doctor_json(ran: RunResult) -> Any:
    """Return the object of `doctor --json` after checking its shape."""
    report = ran.json
    validate_against_schema(report, "doctor")
    assert list(report) == ["version", "ok", "profile", "checks", "error"]
    check_error_reported(report, ran)
    for check in report["checks"]:
        assert list(check) == CHECK
    return report


def parse_models_json(ran: RunResult) -> Any:
    """Return the object of `models --json` after checking its shape."""
    listing = ran.json
    validate_against_schema(listing, "models")
    assert list(listing) == ["version", "ok", "models", "error"]
    check_error_reported(listing, ran)
    for model in listing["models"]:
        assert list(model) == MODEL
    return listing


def parse_usage_json(ran: RunResult) -> Any:
    """Return the rows of `usage --json` after checking their shape."""
    listing = ran.json
    validate_against_schema(listing, "usage_report")
    assert list(listing) == ["version", "ok", "rows", "budgets", "error"]
    check_error_reported(listing, ran)
    return listing["rows"]


LISTINGS = {
    "profiles": (
        ["profiles"],
        "profiles",
        ["name", "default", "provider", "model", "endpoint", "problem"],
    ),
    "profile": (["profile", "values"], "values", ["key", "value", "source"]),
    "path": (["path", "exists"], None, []),
    "calls": (["calls"], "calls", CALL),
    "keys": (["keys"], "keys", ["name", "where", "ends", "problem"]),
}


def parse_listing_json(ran: RunResult, what: str) -> Any:
    """Return the object of another listing command; `what` is its name in the schema."""
    own_keys, list_key, row_keys = LISTINGS[what]
    listing = ran.json
    validate_against_schema(listing, what)
    assert list(listing) == ["version", "ok", *own_keys, "error"]
    check_error_reported(listing, ran)
    for row in listing[list_key] if list_key else []:
        assert list(row) == row_keys
    return listing
