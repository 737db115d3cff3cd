"""Reads Gemini's answers: whole responses, one a frame, thoughts among the parts (WIRE §6b-d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..errors import FilteredError
from ..events import Event, Reasoning, Text, Usage
from .chat_frames import count, table
from .decoder import Decoder


class GeminiDecoder(Decoder):
    """The end is a candidate's finishReason, or a blocked prompt; there is no [DONE]."""

    marker_is_final: ClassVar[bool] = False

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usageMetadata")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
        blocked = table(body.get("promptFeedback")).get("blockReason")
        if blocked and not body.get("candidates"):
            if not self.wrote:
                raise FilteredError(
                    f"the prompt was blocked: {blocked}", hint="rephrase the prompt"
                )
            self.finished("content_filter")
        candidates = body.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict) and not candidate.get("index"):
                yield from self._candidate(candidate)

    def _candidate(self, candidate: dict[str, Any]) -> Iterator[Event]:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            text = part.get("text") if isinstance(part, dict) else None
            # Some models say STOP on every frame, so the end is the end of the stream.
            if isinstance(text, str) and text:
                thought = part.get("thought") is True
                self.wrote = self.wrote or not thought
                yield Reasoning(text) if thought else Text(text)
        reason = candidate.get("finishReason")
        if isinstance(reason, str) and reason:
            self.finished(reason)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Counts in our terms: candidatesTokenCount excludes thoughts, ours includes them."""
    thoughts = count(usage.get("thoughtsTokenCount"))
    answer = count(usage.get("candidatesTokenCount"))
    completion = None
    if thoughts is not None or answer is not None:
        completion = (thoughts or 0) + (answer or 0)
    return Usage(
        count(usage.get("promptTokenCount")),
        completion,
        count(usage.get("totalTokenCount")),
        thoughts,
        count(usage.get("cachedContentTokenCount")),
    )
