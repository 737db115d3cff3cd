"""What --json and --jsonl print, checked against docs/json-schema.json and DESIGN's order."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.support import ROOT
from tests.support.binary import RunResult

SCHEMA = json.loads(ROOT.joinpath("docs", "json-schema.json").read_text())
ANSWER = [
    "version", "ok", "complete", "text", "reasoning", "finish_reason", "usage", "cost_usd",
    "provider", "model", "profile", "attempts", "ms", "ms_first_token", "notes", "error",
]  # fmt: skip
USAGE = [
    "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens", "cached_tokens",
    "estimated",
]  # fmt: skip
ERROR = ["kind", "exit_code", "status", "message", "hint", "retryable", "retry_after", "request_id"]
CHECK = ["name", "ok", "message", "hint", "ms_first_token"]
MODEL = ["id", "context", "vision", "reasoning", "prompt_usd", "completion_usd"]


def validate_against_schema(value: Any, what: str) -> None:
    """The value is what the schema's definition says."""
    schema = {**SCHEMA, "$ref": f"#/$defs/{what}"}
    schema.pop("oneOf")
    Draft202012Validator(schema).validate(value)


def parse_answer_json(ran: RunResult) -> Any:
    """The one object on stdout, of the right shape; stderr says the failure as well."""
    made = ran.json
    validate_against_schema(made, "answer")
    assert list(made) == ANSWER
    assert list(made["usage"]) == USAGE
    check_error_reported(made, ran)
    return made


def check_error_reported(made: Any, ran: RunResult) -> None:
    """`ok` is exit 0; an error stands on stderr, too, in the same words."""
    assert made["ok"] == (ran.code == 0)
    if made["ok"]:
        return
    assert list(made["error"]) == ERROR
    assert made["error"]["exit_code"] == ran.code
    line = ran.stderr.splitlines()[-1]
    assert line.startswith(f"easyllm: {made['error']['message']}")
    assert line.endswith(made["error"]["hint"] or "")


def parse_jsonl_events(ran: RunResult) -> list[Any]:
    """The lines of --jsonl; the last one, and it alone, is the outcome."""
    events = ran.events
    for event in events:
        validate_against_schema(event, "event")
    last = events[-1]
    assert list(last) == ["kind", *ANSWER]
    assert last["kind"] == ("done" if ran.code == 0 else "error")
    assert not [one for one in events[:-1] if one["kind"] in {"done", "error"}]
    check_error_reported(last, ran)
    return events


def parse_doctor_json(ran: RunResult) -> Any:
    """The one object of `doctor --json`; exactly one check failed, or none."""
    made = ran.json
    validate_against_schema(made, "doctor")
    assert list(made) == ["version", "ok", "profile", "checks", "error"]
    check_error_reported(made, ran)
    for check in made["checks"]:
        assert list(check) == CHECK
    return made


def parse_models_json(ran: RunResult) -> Any:
    """The one object of `models --json`."""
    made = ran.json
    validate_against_schema(made, "models")
    assert list(made) == ["version", "ok", "models", "error"]
    check_error_reported(made, ran)
    for model in made["models"]:
        assert list(model) == MODEL
    return made


LISTINGS = {
    "profiles": (
        ["profiles"],
        "profiles",
        ["name", "default", "provider", "model", "endpoint", "problem"],
    ),
    "profile": (["profile", "values"], "values", ["key", "value", "source"]),
    "path": (["path", "exists"], None, []),
    "keys": (["keys"], "keys", ["name", "where", "ends", "problem"]),
}


def parse_listing_json(ran: RunResult, what: str) -> Any:
    """The one object of another command that lists, by its name in the schema."""
    own, rows, keys = LISTINGS[what]
    made = ran.json
    validate_against_schema(made, what)
    assert list(made) == ["version", "ok", *own, "error"]
    check_error_reported(made, ran)
    for row in made[rows] if rows else []:
        assert list(row) == keys
    return made
