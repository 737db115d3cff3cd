"""Reads Chat Completions' answers: chunks of a stream and whole bodies (WIRE §1b, §2, §4)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from ..events import Event, Note, Reasoning, Text, Usage
from .decoder import Decoder

# Gateways mirror one in another, so the first that says something is taken, never two (trap 7).
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")


class ChatDecoder(Decoder):
    """`choices[0].delta` or `.message`; the end is a finish_reason or `[DONE]`."""

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._told = False

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event == "[DONE]":
            self.ended = self.over = True
            return
        yield from super().read(body, event)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usage") or table(body.get("x_groq")).get("usage")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
        choices = body.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                yield from self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict) and self.finish is None:
            yield from self._delta(delta)
        elif isinstance(delta, dict) and delta.get("content") and not self._told:
            # What comes after the finish belongs to no answer (FAULTS §4, 24).
            self._told = True
            yield Note("the server sent more text after the answer's end: left out")
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finished(reason)
        elif self.whole and isinstance(choice.get("message"), dict):
            self.ended = True  # a whole body that could be parsed was not cut

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        yield from _reasoning(delta)
        content = delta.get("content")
        if isinstance(content, str):
            if content:
                self.wrote = True
                yield Text(content)
        elif isinstance(content, list):
            for event in _parts(content):
                self.wrote = self.wrote or isinstance(event, Text)
                yield event
        refusal = delta.get("refusal")
        if isinstance(refusal, str):
            self.refused(refusal)


def _reasoning(delta: dict[str, Any]) -> Iterator[Event]:
    """The reasoning of one delta, whichever field holds it."""
    for field in REASONING_FIELDS:
        text = delta.get(field)
        if isinstance(text, str) and text:
            yield Reasoning(text)
            return
    details = delta.get("reasoning_details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        text = detail.get("text") or detail.get("summary")
        if isinstance(text, str) and text:
            yield Reasoning(text)
        elif detail.get("type") == "reasoning.encrypted":
            yield Reasoning("", hidden=True)


def _parts(content: list[Any]) -> Iterator[Event]:
    """Content as a list: Mistral's thinking parts and text parts (WIRE §2)."""
    for part in content:
        if isinstance(part, str):
            yield Text(part)
        elif isinstance(part, dict) and part.get("type") == "thinking":
            inner = part.get("thinking")
            for event in _parts(inner if isinstance(inner, list) else [inner]):
                if isinstance(event, Text):
                    yield Reasoning(event.text)
        elif isinstance(part, dict) and isinstance(part.get("text"), str) and part["text"]:
            yield Text(part["text"])


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts as OpenAI reports them, OpenRouter's cost and DeepSeek's cache hits."""
    prompt = table(usage.get("prompt_tokens_details"))
    completion = table(usage.get("completion_tokens_details"))
    cached = prompt.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    return Usage(
        count(usage.get("prompt_tokens")),
        count(usage.get("completion_tokens")),
        count(usage.get("total_tokens")),
        count(completion.get("reasoning_tokens")),
        count(cached),
        cost_usd=dollars(usage.get("cost")),
    )


def dollars(value: Any) -> float | None:
    """An amount of money, or None where a server sent none, or a number that no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def table(value: Any) -> dict[str, Any]:
    """An object of a foreign body, or an empty one where a server sent something else."""
    return value if isinstance(value, dict) else {}


def count(value: Any) -> int | None:
    """A number of tokens, or None where a server sent none (or nonsense)."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None
