"""Reads Gemini's answers: whole responses, one a frame, thoughts among the parts (WIRE §6b-d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ...errors import FilteredError
from ...events import Event, Model, Reasoning, Text, Usage
from ...images import Image
from ...messages import Message
from ..decoder import MORE_ANSWERS, Decoder, fenced, line_end_after
from ..finish_reasons import is_claim
from ..json_values import count, table


class GeminiDecoder(Decoder):
    """A candidate's finishReason claims the end, or a blocked prompt; there is no [DONE]."""

    claims_are_common: ClassVar[bool] = True  # some models say STOP in every frame

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._last_text = ""  # which a code block begins behind

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usageMetadata")
        if isinstance(usage, dict):
            counts = usage_of(usage)
            if self.usage is None or counts != Usage():
                self.usage = counts
        blocked = table(body.get("promptFeedback")).get("blockReason")
        candidates = body.get("candidates")
        if blocked and not candidates:
            if not self.wrote:
                raise FilteredError(
                    f"the prompt was blocked: {blocked}", hint="rephrase the prompt"
                )
            self.finished("content_filter")
        elif blocked and "unspecified" not in str(blocked).lower():
            self.because("content_filter")
        elif usage and not candidates and self.ended and self.plausible:
            self.mark()
        if not isinstance(candidates, list) or not candidates:
            return
        if self.index is None:
            self.choose(candidates)
        for candidate in candidates:
            if not isinstance(candidate, dict):
                continue
            if (candidate.get("index") or 0) == self.index:
                yield from self._candidate(candidate)
            elif table(candidate.get("content")).get("parts"):
                yield from self.tell(MORE_ANSWERS)

    def _candidate(self, candidate: dict[str, Any]) -> Iterator[Event]:
        parts = table(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else [parts]:
            if not isinstance(part, dict):
                continue
            text = part.get("text")
            if isinstance(text, str) and text:
                if part.get("thought") is True:
                    yield Reasoning(text)
                else:
                    self.wrote = True
                    self._last_text = text
                    yield Text(text)
            else:
                yield from self._other_part(part)
        if "error" in candidate:
            self.refuse_error(candidate)
        reason = candidate.get("finishReason")
        if reason and is_claim(reason):
            self.finished(reason)

    def _block(self, text: str, language: str) -> Text:
        self.wrote = True
        before, self._last_text = line_end_after(self._last_text), "\n"
        return Text(before + fenced(text, language))

    def _other_part(self, part: dict[str, Any]) -> Iterator[Event]:
        """Code that the model ran and its result, as fenced blocks; what is no text is noted."""
        code = table(part.get("executableCode"))
        result = table(part.get("codeExecutionResult"))
        if isinstance(code.get("code"), str):
            yield self._block(code["code"], str(code.get("language") or ""))
        elif result:
            output, outcome = result.get("output"), str(result.get("outcome") or "")
            said = output if isinstance(output, str) and output else ""
            if not said and outcome and not outcome.endswith("OK"):
                said = outcome
            if said:
                yield self._block(said, "text")
        elif part.get("functionCall"):
            self.because("tool_calls")
        elif held := table(part.get("inlineData")) or table(part.get("fileData")):
            kind = str(held.get("mimeType") or "").partition("/")[0]
            self.left_out = {"image": "an image", "": "a file"}.get(kind, kind)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Counts in our terms: candidatesTokenCount excludes thoughts, ours includes them.

    Where a server's candidates include them already, its total tells. What tools brought into
    the prompt is counted beside the prompt.
    """
    thoughts = count(usage.get("thoughtsTokenCount"))
    answer = count(usage.get("candidatesTokenCount"))
    prompt, total = count(usage.get("promptTokenCount")), count(usage.get("totalTokenCount"))
    tools = count(usage.get("toolUsePromptTokenCount"))
    if prompt is not None and tools:
        prompt += tools
    completion = None
    if thoughts is not None or answer is not None:
        completion = (thoughts or 0) + (answer or 0)
    if answer and thoughts and (prompt or 0) + answer == total and answer >= thoughts:
        completion = answer
    return Usage(prompt, completion, total, thoughts, count(usage.get("cachedContentTokenCount")))


def answers(row: dict[str, Any]) -> bool:
    methods = row.get("supportedGenerationMethods")
    return not isinstance(methods, list) or "generateContent" in methods


def described(row: dict[str, Any]) -> Model:
    name = str(row.get("name", "")).removeprefix("models/")
    thinks = row.get("thinking")
    return Model(
        name, count(row.get("inputTokenLimit")), None, thinks if isinstance(thinks, bool) else None
    )


def part(one: str | Image) -> dict[str, Any]:
    """One part: text, or a picture inline."""
    if isinstance(one, str):
        return {"text": one}
    return {"inlineData": {"mimeType": one.media_type, "data": one.base64()}}


def content(message: Message) -> dict[str, Any]:
    """One turn; Gemini calls the assistant `model`."""
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [part(one) for one in message.parts]}
