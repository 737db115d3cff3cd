"""Finds calls in the history: by id, by conversation, or the newest that fit a filter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import ConfigError
from .store import MAX_VALUES, HistoryStore, Row, placeholders

MIN_ID_CHARS = 4  # of an abbreviated id
LAST = "last"
JSON_COLUMNS = ("messages", "usage_all", "options", "route", "replayed")
# The columns that stand in --json and exports, in this order (docs/json.md).
OBJECT_COLUMNS = (
    "id", "conversation", "started_at", "command", "calls", "profile", "provider", "model", "host",
    "system", "prompt", "messages", "text", "reasoning", "shortened", "finish_reason", "complete",
    "exit_code", "error_kind", "error", "prompt_tokens", "completion_tokens", "total_tokens",
    "reasoning_tokens", "cached_tokens", "cache_write_tokens", "estimated", "usage_all", "cost_usd",
    "cost_source", "ms", "ms_first_token", "attempts", "options", "route", "replayed",
)  # fmt: skip
TRUE_OR_FALSE_COLUMNS = ("complete", "estimated", "shortened")


@dataclass(eq=False)
class CallFilter:
    """Which calls are wanted; None = any.

    `since`: seconds since 1970. `model`: part of a name. `conversation`: an id.
    """

    since: float | None = None
    model: str | None = None
    profile: str | None = None
    failed: bool = False
    conversation: str | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """An SQL condition on the table `call`, and its values."""
        parts: list[str] = ["1"]
        values: list[Any] = []
        if self.since is not None:
            parts.append("call.started_at >= ?")
            values.append(self.since)
        if self.model is not None:
            parts.append("instr(lower(call.model), lower(?))")
            values.append(self.model)
        if self.profile is not None:
            parts.append("call.profile = ?")
            values.append(self.profile)
        if self.conversation is not None:
            parts.append("call.conversation = ?")
            values.append(self.conversation)
        if self.failed:
            parts.append("call.exit_code != 0")
        return " AND ".join(parts), values


def newest_calls(store: HistoryStore, wanted: CallFilter, limit: int) -> list[Row]:
    """The newest calls that fit, newest first."""
    condition, values = wanted.conditions()
    return store.select(
        f"SELECT * FROM call WHERE {condition} ORDER BY started_at DESC, n DESC LIMIT ?",
        [*values, limit],
    )


def find_call(store: HistoryStore, id: str) -> Row:
    """The call with this id, an unambiguous beginning of it, or the one kept last (`last`).

    Raises:
        ConfigError: there is none, or several.
    """
    if id == LAST:
        rows = store.select("SELECT * FROM call ORDER BY n DESC LIMIT 1")
    else:
        rows = store.select(
            "SELECT * FROM call WHERE id = ? OR id GLOB ? LIMIT 2", (id, f"{_glob_prefix(id)}*")
        )
        rows = [row for row in rows if row["id"] == id] or rows
    return _only(rows, id, "call")


def find_conversation(store: HistoryStore, id: str) -> Row:
    """The conversation with this name, id, or unambiguous beginning of an id, or the newest.

    Of several with one name the newest is meant.

    Raises:
        ConfigError: there is none, or several.
    """
    if id == LAST:
        statement = (
            "SELECT * FROM conversation WHERE id = (SELECT conversation FROM call"
            " WHERE conversation IS NOT NULL ORDER BY n DESC LIMIT 1)"
        )
        return _only(store.select(statement), id, "conversation")
    named = "SELECT * FROM conversation WHERE name = ? ORDER BY started_at DESC LIMIT 1"
    rows = store.select(named, (id,)) or store.select(
        "SELECT * FROM conversation WHERE id = ? OR id GLOB ? LIMIT 2",
        (id, f"{_glob_prefix(id)}*"),
    )
    return _only([row for row in rows if row["id"] == id] or rows, id, "conversation")


def _glob_prefix(id: str) -> str:
    """The beginning of an id for GLOB; "-", which begins no id, for what is no such beginning."""
    return id if len(id) >= MIN_ID_CHARS and id.isascii() and id.isalnum() else "-"


def _only(rows: list[Row], id: str, what: str) -> Row:
    if len(rows) == 1:
        return rows[0]
    if rows:
        raise ConfigError(f'several ids begin with "{id}"', hint="type more of it")
    if id == LAST:
        raise ConfigError(f"the history has no {what}", hint="easyllm history list")
    hint = "easyllm history lists the ids; 4 characters of one are enough"
    raise ConfigError(f'no {what} "{id[:80]}" in the history', hint=hint)


def iterate_calls(store: HistoryStore, wanted: CallFilter) -> Iterator[Row]:
    """All calls that fit, the oldest first, read a few at a time."""
    condition, values = wanted.conditions()
    last = 0
    while rows := store.select(
        f"SELECT * FROM call WHERE n > ? AND {condition} ORDER BY n LIMIT {MAX_VALUES}",
        [last, *values],
    ):
        yield from rows
        last = rows[-1]["n"]


def conversation_calls(store: HistoryStore, conversation: str) -> list[Row]:
    """All calls of a conversation, the oldest first, failed ones too."""
    return store.select("SELECT * FROM call WHERE conversation = ? ORDER BY n", (conversation,))


def call_images(store: HistoryStore, numbers: list[int]) -> dict[int, list[Row]]:
    """The images of calls, by the call's `n`, in order."""
    images: dict[int, list[Row]] = {number: [] for number in numbers}
    for start in range(0, len(numbers), MAX_VALUES):
        some = numbers[start : start + MAX_VALUES]
        for row in store.select(
            f"SELECT * FROM image WHERE call IN ({placeholders(some)}) ORDER BY call, position",
            some,
        ):
            images[row["call"]].append(row)
    return images


def call_object(row: Row, images: list[Row]) -> dict[str, Any]:
    """A call for --json: JSON columns as values, the time as ISO 8601 in UTC, its images."""
    values = {key: row[key] for key in OBJECT_COLUMNS}
    for key in JSON_COLUMNS:
        values[key] = _parse(values[key])
    for key in TRUE_OR_FALSE_COLUMNS:
        values[key] = bool(values[key])
    moment = datetime.fromtimestamp(row["started_at"], UTC)
    values["started_at"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values["images"] = [
        {key: image[key] for key in ("sha256", "media_type", "bytes", "source")} for image in images
    ]
    return values


def _parse(text: str | None) -> Any:
    """The value of a JSON column; a shortened one stays a text."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def call_objects(store: HistoryStore, rows: list[Row]) -> list[dict[str, Any]]:
    """The objects of calls, with their images."""
    images = call_images(store, [row["n"] for row in rows])
    return [call_object(row, images[row["n"]]) for row in rows]
