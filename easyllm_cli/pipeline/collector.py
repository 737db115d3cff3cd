"""Collector: gathers the events of an answer into a Completion."""

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


class Collector:
    """Gathers events; `limit` is the most bytes of text and reasoning together."""

    def __init__(self, limit: int = MAX_TEXT_BYTES) -> None:
        self.limit = limit
        self.start = Start("", "")
        self.attempts = 1
        self.notes: list[str] = []
        self._reset()

    def _reset(self) -> None:
        self.keeps_text = True
        self.text = StringIO()
        self.reasoning = StringIO()
        self.has_hidden_reasoning = False
        self.usage = Usage()
        self.done: Done | None = None
        self.byte_count = 0

    def feed(self, event: Event) -> None:
        """Take one event in.

        Raises:
            IncompleteAnswer: text and reasoning together are longer than the limit.
        """
        match event:
            case Text(text):
                if self.keeps_text:
                    self.text.write(text)
                self._count_bytes(text)
            case Reasoning(text, hidden):
                self.has_hidden_reasoning = self.has_hidden_reasoning or hidden
                if text and self.keeps_text:
                    self.reasoning.write(text)
                self._count_bytes(text)
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

    def discard_text(self) -> None:
        """Hold no text or reasoning until the next attempt; they only count towards the limit."""
        self.keeps_text = False
        self.text = StringIO()
        self.reasoning = StringIO()

    def _count_bytes(self, text: str) -> None:
        self.byte_count += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        if self.byte_count > self.limit:
            raise IncompleteAnswer(
                f"the answer is longer than {self.limit} bytes",
                hint="raise --max-output-bytes, or set --max-tokens",
                retryable=False,
            )

    def completion(self) -> Completion:
        """What has been gathered so far."""
        usage = self.usage
        text = self.text.getvalue()
        said = bool(text) and not text.isspace()  # without text no answer is complete (DESIGN §7)
        return Completion(
            text=text,
            reasoning=self.reasoning.getvalue() or None,
            usage={
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cached_tokens": usage.cached_tokens,
                "estimated": usage.estimated,
            },
            response=self.done.response if self.done else None,
            finish_reason=self.done.finish_reason if self.done else None,
            complete=self.done is not None and self.done.complete and said,
            model=self.start.model,
            provider=self.start.provider,
        )


async def collect(events: AsyncIterable[Event], limit: int = MAX_TEXT_BYTES) -> Completion:
    """Gather a whole stream into a Completion. Errors of the stream pass through.

    Raises:
        IncompleteAnswer: the answer is longer than `limit` bytes.
    """
    collector = Collector(limit)
    async for event in events:
        collector.feed(event)
    return collector.completion()
