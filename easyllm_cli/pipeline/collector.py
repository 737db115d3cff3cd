"""Builds a Completion from the events of an answer, within a size limit."""

from __future__ import annotations

from collections.abc import AsyncIterable
from io import StringIO

from ..completion import Completion
from ..errors import IncompleteAnswer
from ..events import (
    MAX_TEXT_BYTES,
    Done,
    Event,
    Note,
    Reasoning,
    Reclassified,
    Retrying,
    Start,
    Text,
    Usage,
)

NO_START, NO_USAGE = Start("", ""), Usage()  # of an answer that has reported none


class ByteLimit:
    """Counts the bytes (UTF-8) of text and reasoning; `limit`: the maximum."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.byte_count = 0

    def add(self, text: str) -> None:
        """Count a piece.

        Raises:
            IncompleteAnswer: all pieces together exceed the limit.
        """
        self.byte_count += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if self.byte_count > self.limit:
            raise IncompleteAnswer(
                f"the answer is longer than {self.limit} bytes",
                hint="raise --max-output-bytes, or set --max-tokens",
                retryable=False,
            )


class Collector:
    """Builds a Completion. `limit`: maximum bytes of text and reasoning; None = no limit."""

    def __init__(self, limit: int | None = MAX_TEXT_BYTES) -> None:
        self.limit = limit
        self.start = NO_START
        self.attempts = 1
        self.notes: list[str] = []
        self._reset()

    def _reset(self) -> None:
        self.text = StringIO()
        self.reasoning = StringIO()
        self.has_hidden_reasoning = False
        self.usage = NO_USAGE
        self.done: Done | None = None
        self._bytes = ByteLimit(self.limit) if self.limit is not None else None

    def feed(self, event: Event) -> None:
        """Add one event. Retrying discards the text and reasoning of the attempt before it.

        Raises:
            IncompleteAnswer: text and reasoning together exceed the limit.
        """
        match event:
            case Text(text):
                self.text.write(text)
                if self._bytes is not None:
                    self._bytes.add(text)
            case Reasoning(text, hidden):
                self.has_hidden_reasoning = self.has_hidden_reasoning or hidden
                self.reasoning.write(text)
                if self._bytes is not None:
                    self._bytes.add(text)
            case Reclassified():
                self.reasoning.write(self.text.getvalue())
                self.text = StringIO()
            case Usage():
                self.usage = event
            case Note(text):
                self.notes.append(text)
            case Start():
                self.start = event
            case Retrying():
                self.attempts += 1
                self._reset()
            case Done():
                self.done = event

    def completion(self) -> Completion:
        """The Completion so far; its `id` is None, because the events carry no id.

        `complete` is False without text, even after a Done event.
        """
        usage = self.usage
        text = self.text.getvalue()
        has_text = bool(text) and not text.isspace()
        return Completion(
            text=text,
            reasoning=self.reasoning.getvalue() or None,
            usage={
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
                "estimated": usage.estimated,
            },
            response=self.done.response if self.done else None,
            id=None,
            finish_reason=self.done.finish_reason if self.done else None,
            complete=self.done is not None and self.done.complete and has_text,
            model=self.start.model,
            provider=self.start.provider,
        )


async def collect(events: AsyncIterable[Event], limit: int = MAX_TEXT_BYTES) -> Completion:
    """Read a whole stream into a Completion. Errors of the stream pass through.

    Raises:
        IncompleteAnswer: the answer is longer than `limit` bytes.
    """
    collector = Collector(limit)
    async for event in events:
        collector.feed(event)
    return collector.completion()
