"""Continues a conversation: which one `-c` means, and its turns as messages."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from ..messages import Message
from .calls import call_images, conversation_calls
from .images import read_again
from .record import LIBRARY, messages_from_row
from .store import HistoryStore, Row

MAX_AGE_SECONDS = 24 * 3600.0  # of the last turn of a conversation that -c continues


class Conversation:
    """The turns of a conversation, and what its next call takes over from them.

    `count`: the number of turns; a call that followed a repl's /undo brought several.
    `messages`: prompts and answers in order. `system`: the last turn's system prompt, None = none.
    `profile`, `model`: the last turn's, as they were asked. `profile` is None where it was no
    profile by name: a config of the library, or a row of a database. `host`: the last turn's, None
    = it ran in the process, or nobody knows. `last_at`: seconds since 1970. `auto_profile`: the one
    that chose the last turn's profile, None = none did. `answered_by`, `answering_model`: the
    profile and the model that answered the last turn.
    """

    def __init__(self, row: Row, calls: list[Row], messages: list[Message]) -> None:
        last: Row = calls[-1] if calls else {}
        self.id: str = row["id"]
        self.title: str = row["title"]
        self.count = sum(message.role == "assistant" for message in messages)
        self.messages = messages
        self.system: str | None = last.get("system")
        self.last_at: float = last.get("started_at", 0.0)
        options = _json_of(last, "options")
        has_profile = last.get("command") != LIBRARY and not options.get("config_db")
        asked: str | None = options.get("asked_profile") or last.get("profile")
        self.profile = asked if has_profile else None
        self.host: str | None = options.get("asked_host", last.get("host"))
        self.model: str | None = options.get("asked_model") or last.get("model")
        route = _json_of(last, "route")
        self.auto_profile: str | None = route.get("profile") if has_profile else None
        self.answered_by: str | None = last.get("profile") if has_profile else None
        self.answering_model: str | None = last.get("model")


def _json_of(row: Row, column: str) -> dict[str, Any]:
    """The object in a column with JSON; {} = none."""
    text = row.get(column)
    if not text:
        return {}
    import json

    value: dict[str, Any] = json.loads(text)
    return value


def read_conversation(store: HistoryStore, row: Row) -> Conversation:
    """The turns of a conversation: its calls that ended with exit code 0.

    Raises:
        UsageError: a turn was too long to be kept whole, or an image cannot be read again.
    """
    calls = [call for call in conversation_calls(store, row["id"]) if not call["exit_code"]]
    images = call_images(store, [call["n"] for call in calls])
    messages: list[Message] = []
    for call in calls:
        if call["shortened"]:
            raise UsageError(
                "a turn of the conversation was too long to be kept whole", where=call["id"],
                hint=f"easyllm history show {call['id']} shows what is kept",
            )  # fmt: skip
        messages += messages_from_row(call, [read_again(image) for image in images[call["n"]]])
        messages.append(Message("assistant", (call["text"],)))
    return Conversation(row, calls, messages)


def continue_conversation(conversation: Conversation, messages: list[Message]) -> list[Message]:
    """The turns and then the new messages; a new system prompt replaces the conversation's."""
    new_system = [message for message in messages if message.role == "system"]
    old_system = [message.text for message in conversation.messages if message.role == "system"]
    if not new_system and conversation.system == "\n\n".join(old_system):
        # The system messages of a message list stay where they were.
        return [*conversation.messages, *messages]
    if not new_system and conversation.system:
        new_system = [Message("system", (conversation.system,))]
    rest = [message for message in (*conversation.messages, *messages) if message.role != "system"]
    return [*new_system, *rest]


def newest_conversation(store: HistoryStore, terminal: str, now: float) -> Row | None:
    """The conversation of the newest turn in this terminal within 24 hours; None = none."""
    rows = store.select(
        "SELECT conversation.* FROM call JOIN conversation ON conversation.id = call.conversation"
        " WHERE terminal = ? AND exit_code = 0 AND call.started_at >= ? ORDER BY n DESC LIMIT 1",
        (terminal, now - MAX_AGE_SECONDS),
    )
    return rows[0] if rows else None
