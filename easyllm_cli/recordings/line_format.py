"""The format of a recorded attempt: JSON with its events, or with the error that it ended in.

A file of recordings is JSON Lines: HEADER, then one line for each attempt. docs/recordings.md
describes it. Events are recorded, not the bytes of the response: no header is ever near them, and
every adapter has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..config.setting_values import has_type
from ..errors import EasyLLMError, Interrupted, error_classes
from ..events import Done, Event, Note, Reasoning, RoutineNote, Start, Text, Usage
from ..secret import redact
from .attempt import RecordedAttempt

FORMAT_VERSION = 1
VERSION_KEY = "easyllm_recording"
HEADER = b'{"%s": %d}\n' % (VERSION_KEY.encode(), FORMAT_VERSION)
EVENT_CLASSES: dict[str, type[Any]] = {
    each.kind: each for each in (Start, Reasoning, Text, Usage, Note, Done)
} | {"routine_note": RoutineNote}
# Of seconds since 1970, tokens, dollars and waits. JSON may hold more than arithmetic bears.
MAX_NUMBER = 1e11
# Fields without a default in the class: a value that JSON leaves out.
REQUIRED_FIELDS: dict[str, dict[str, Any]] = {
    "start": {"provider": "", "model": ""},
    "reasoning": {"text": ""},
    "text": {"text": ""},
    "note": {"text": ""},
    "routine_note": {"text": ""},
    "done": {"finish_reason": None, "complete": False},
}
# Left out: the profile's name is the caller's, and `response` is as large as the whole answer.
OMITTED_FIELDS = frozenset(("profile", "response"))
ERROR_FIELDS = {  # attribute: its type
    "message": "str", "hint": "str", "status": "int | None", "code": "str | None",
    "retryable": "bool", "retry_after": "float | None", "request_id": "str | None",
}  # fmt: skip


def line_from_attempt(attempt: RecordedAttempt, about: dict[str, Any]) -> bytes:
    """The line of a file, with a newline; `about`: what else stands in it, at its start."""
    content = {**about, "made_at": int(attempt.made_at * 1000) / 1000}
    content["events"] = [{"ms": ms, **_object_from_event(event)} for ms, event in attempt.events]
    if attempt.error is not None:
        content["error"] = _object_from_error(attempt.error)
    try:
        return json.dumps(content, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a character, as some servers send it
        return json.dumps(content).encode() + b"\n"


def attempt_from_object(content: Any) -> RecordedAttempt:
    """Read what `line_from_attempt` wrote.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(content, dict) or not has_type(content.get("made_at"), "float"):
        raise ValueError("not an attempt")
    if not 0 <= content["made_at"] <= MAX_NUMBER:
        raise ValueError("not an attempt: made_at is no time")
    events, error = content.get("events"), content.get("error")
    if not isinstance(events, list) or not (events or error):
        raise ValueError("no events")
    attempt = RecordedAttempt(
        content["made_at"],
        [_event_from_object(event) for event in events],
        _error_from_object(error) if error is not None else None,
    )
    if attempt.done is None and attempt.error is None:
        raise ValueError("not an attempt: it has no end")
    return attempt


def read_lines(data: bytes) -> Iterator[tuple[int, Any]]:
    """The number and the JSON of each line behind the header; None = the line is damaged.

    An empty file has no lines: a writer that was killed may leave one.
    Raises:
        ValueError: the header is missing, or it is that of a newer version.
    """
    if not data:
        return
    header, *lines = data.split(b"\n")
    version = (_parse(header) or {}).get(VERSION_KEY)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("it is not a file of recordings")
    if version > FORMAT_VERSION:
        raise ValueError(f"a newer easyllm wrote it (version {version})")
    for number, line in enumerate(lines, 2):
        if line.strip():
            yield number, _parse(line)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _object_from_event(event: Event) -> dict[str, Any]:
    """An event as JSON, without what is not said: null, false, empty texts, wild numbers."""
    kind = "routine_note" if isinstance(event, RoutineNote) else event.kind
    fields = {
        name: value
        for name, value in vars(event).items()
        if name not in OMITTED_FIELDS and value is not None and value is not False and value != ""
        if not _is_out_of_range(value)
    }
    if isinstance(event, Note):
        fields["text"] = redact(event.text)
    return {"kind": kind, **fields}


def _event_from_object(content: Any) -> tuple[int, Event]:
    """The milliseconds and the event. Raises ValueError if it is none."""
    if not isinstance(content, dict):
        raise ValueError("not an event")
    kind = content.get("kind")
    event_class = EVENT_CLASSES.get(kind) if isinstance(kind, str) else None
    if event_class is None or kind is None:
        raise ValueError(f"unknown event {kind!r}")
    types = event_class._field_types
    fields = {
        name: value
        for name, value in content.items()
        if name in types and name not in OMITTED_FIELDS
    }
    for name, value in fields.items():
        if not has_type(value, types[name]) or _is_out_of_range(value):
            raise ValueError(f"{kind}: {name} has the wrong type")
    ms = content.get("ms")
    event: Event = event_class(**{**REQUIRED_FIELDS.get(kind, {}), **fields})
    return (ms if isinstance(ms, int) else 0), event


def _is_out_of_range(value: Any) -> bool:
    """Whether a value is a number that nothing measures, infinite or no number."""
    return isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER


def _object_from_error(error: EasyLLMError) -> dict[str, Any]:
    """An error as JSON; a server's words may repeat a key, which is masked."""
    fields = {name: getattr(error, name) for name in ERROR_FIELDS}
    if error.retry_after is not None:
        fields["retry_after"] = min(error.retry_after, MAX_NUMBER)
    masked = {
        name: redact(value) if isinstance(value, str) else value for name, value in fields.items()
    }
    said = {name: value for name, value in masked.items() if value is not None and value != ""}
    return {"kind": error.kind, **said}


def _error_from_object(content: Any) -> EasyLLMError:
    """The error. Raises ValueError if it is none."""
    if not isinstance(content, dict):
        raise ValueError("not an error")
    error_class = _error_classes().get(str(content.get("kind")))
    values: dict[str, Any] = {name: content.get(name) for name in ERROR_FIELDS}
    values["message"], values["hint"] = values["message"] or "", values["hint"] or ""
    values["retryable"] = bool(values["retryable"])
    if error_class is None or not all(
        has_type(values[name], type_) and not _is_out_of_range(values[name])
        for name, type_ in ERROR_FIELDS.items()
    ):
        raise ValueError("not an error")
    return error_class(values.pop("message"), **values)


def _error_classes() -> dict[str, type[EasyLLMError]]:
    """The error classes by kind, but for the user's own interruption."""
    return {each.kind: each for each in reversed(list(error_classes())) if each is not Interrupted}
