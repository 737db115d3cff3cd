"""Keeps the longest partial answer of all attempts; rejects an empty one, if strict a cut one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from ..completion import Completion
from ..errors import FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import Done, Event, Reasoning, Retrying, Text
from .collector import Collector


class BestAttempt:
    """Keeps the longest answer across the attempts of one call.

    `max_bytes`: limit for the text and reasoning of one attempt.
    """

    def __init__(self, max_bytes: int) -> None:
        self.collector = Collector(max_bytes)
        self._raw = Collector(max_bytes)
        self._max_bytes = max_bytes
        self._best: Completion | None = None

    async def collect_raw(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Pass on one attempt's events, and count them before the tag splitter holds text back.

        Raises:
            IncompleteAnswer: text and reasoning exceed the limit.
        """
        raw = self._raw = Collector(self._max_bytes)
        stream: Any = events
        async with aclosing(stream):
            async for event in stream:
                raw.feed(event)
                yield event

    def feed(self, event: Event) -> None:
        """Record an event that the caller receives."""
        if isinstance(event, Retrying):
            self._best = self.best()
        self.collector.feed(event)
        if self._raw.keeps_text and isinstance(event, Text | Reasoning) and event.text:
            self._raw.discard_text()  # `best` uses the collector once it has some text

    def completion(self) -> Completion:
        return self.collector.completion()

    def best(self) -> Completion:
        """The attempt with the most text.

        If the caller received nothing of the current attempt, its held-back text counts.
        """
        nothing_emitted = not self.collector.text.tell() and not self.collector.reasoning.tell()
        return longer_of(
            self._best, (self._raw if nothing_emitted else self.collector).completion()
        )


def longer_of(first: Completion | None, second: Completion) -> Completion:
    """The completion with more text, or with more reasoning if both texts are equally long."""
    if first is None:
        return second

    def size(completion: Completion) -> tuple[int, int]:
        return len(completion["text"]), len(completion["reasoning"] or "")

    return first if size(first) > size(second) else second


def require_complete(collector: Collector, done: Done, strict: bool) -> None:
    """Raise if the answer has no text, or if `strict` is set and it is not complete.

    Raises:
        FilteredError: a content filter blocked the whole answer.
        IncompleteAnswer: no text because of the token limit, a tool call or reasoning alone; or
            `strict` and not complete.
        MalformedAnswer: the answer is empty for no known reason.
    """
    reason = done.finish_reason
    if collector.text.getvalue().strip():
        if strict and not done.complete:
            raise IncompleteAnswer(f"the answer is not complete: {reason}", retryable=False)
        return
    if reason == "content_filter":
        raise FilteredError(
            "the provider's content filter blocked the answer", hint="rephrase the prompt"
        )
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
