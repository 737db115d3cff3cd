"""Writes calls as Markdown or as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..messages import Message
from .store import Row


def markdown_from_calls(calls: Iterable[Row], reasoning: bool = False) -> Iterator[str]:
    """The calls as Markdown, one text each: a heading, the prompt as a quote, the answer.

    `reasoning`: with the reasoning before the answer, each under a title.
    """
    for row in calls:
        parts = [f"## {_heading(row)}"]
        if row["prompt"]:
            parts.append(_quote(row["prompt"]))
        if reasoning and row["reasoning"]:
            parts += ["**Reasoning**", row["reasoning"].rstrip("\n"), "**Answer**"]
        if row["text"]:
            parts.append(row["text"].rstrip("\n"))
        if row["error"] or row["error_kind"]:
            parts.append(f"*{row['error_kind']}: {row['error'] or 'no text is kept'}*")
        elif row["conversation"] is None:
            parts.append("*no text is kept*")
        yield "\n\n".join(parts) + "\n"


def markdown_from_messages(messages: Iterable[Message]) -> str:
    """A conversation as Markdown: each question as a quote, then its answer.

    Images stand by their names; a system prompt stands in italics.
    """
    parts: list[str] = []
    for message in messages:
        if message.role == "user":
            names = [f"[image {image.name}]" for image in message.images]
            parts.append(_quote("\n".join(filter(None, [message.text, *names]))))
        elif message.role == "assistant":
            parts.append(message.text.strip("\n"))
        else:
            parts.append(f"*{message.role}: {message.text}*")
    return "\n\n".join(parts) + "\n"


def _heading(row: Row) -> str:
    """`0abc… · 2026-11-29 21:30 · gpt-5 (openai) · 12 in, 34 out · 1.2 s`."""
    tokens = [
        f"{row[key]} {name}"
        for key, name in (("prompt_tokens", "in"), ("completion_tokens", "out"))
        if row[key] is not None
    ]
    parts = [
        row["id"],
        format_local_time(row["started_at"]),
        f"{row['model'] or 'no model'} ({row['profile'] or row['provider'] or row['command']})",
        ", ".join(tokens),
        f"{row['ms'] / 1000:.1f} s",
    ]
    return " · ".join(part for part in parts if part)


def format_local_time(seconds: float) -> str:
    """`2026-11-29 21:30`, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def json_lines_from_objects(objects: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Each call of `calls.call_object` as one line of JSON."""
    import json

    for item in objects:
        yield json.dumps(item, ensure_ascii=False) + "\n"
