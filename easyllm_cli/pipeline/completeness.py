"""What has come of an answer, the attempts before included, and whether it counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ..completion import Completion
from ..errors import FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import Done, Event, Reasoning, Retrying, Text
from .collector import Collector


class BestAttempt:
    """What has come of an answer, the attempts before included."""

    def __init__(self, max_bytes: int) -> None:
        self.collector = Collector(max_bytes)
        self._raw = Collector(max_bytes)
        self._max_bytes = max_bytes
        self._best: Completion | None = None

    async def collect_raw(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """One attempt's events, counted before any of their text is held back for a tag.

        Raises:
            IncompleteAnswer: there are more bytes than the limit.
        """
        raw = self._raw = Collector(self._max_bytes)
        stream: Any = events
        async with aclosing(stream):
            async for event in stream:
                raw.feed(event)
                yield event

    def feed(self, event: Event) -> None:
        """An event that is handed on."""
        if isinstance(event, Retrying):
            self._best = self.best()
        self.collector.feed(event)
        if self._raw.keeps_text and isinstance(event, Text | Reasoning) and event.text:
            self._raw.discard_text()  # once some of it was handed on, `most` asks for that

    def completion(self) -> Completion:
        return self.collector.completion()

    def best(self) -> Completion:
        """The attempt with the most text; held text where nothing was handed on."""
        nothing = not self.collector.text.tell() and not self.collector.reasoning.tell()
        return longer_of(self._best, (self._raw if nothing else self.collector).completion())


def longer_of(one: Completion | None, other: Completion) -> Completion:
    """The one with more text, else with more reasoning: no byte of an answer is lost."""
    if one is None:
        return other

    def size(completion: Completion) -> tuple[int, int]:
        return len(completion["text"]), len(completion["reasoning"] or "")

    return one if size(one) > size(other) else other


def require_complete(collector: Collector, done: Done, strict: bool) -> None:
    """An answer without text is an error; so is one that is not complete where `strict` asks.

    Raises:
        FilteredError: a filter left no text.
        IncompleteAnswer: only reasoning, or strict and not complete.
        MalformedAnswer: nothing at all came.
    """
    reason = done.finish_reason
    if collector.text.getvalue().strip():
        if strict and not done.complete:
            raise IncompleteAnswer(f"the answer is not complete: {reason}", retryable=False)
        return
    if reason == "content_filter":
        raise FilteredError("the provider's filter left no text", hint="rephrase the prompt")
    if reason == "tool_calls":
        raise IncompleteAnswer(
            "the model called a tool, and tools are not supported", retryable=False
        )
    if collector.reasoning.tell() or collector.has_hidden_reasoning:
        raise IncompleteAnswer(
            "the model only reasoned and gave no answer",
            hint="raise --max-tokens" if reason == "length" else "ask again, or raise --max-tokens",
            retryable=False,
        )
    if reason == "length":
        raise IncompleteAnswer(
            "all tokens were used up before any text came",
            hint="raise --max-tokens: a reasoning model spends them on thinking first",
            retryable=False,
        )
    why = "" if done.complete else f' (finish_reason "{reason}")'
    raise MalformedAnswer(f"the answer is empty{why}", hint="ask again, or try another model")
