"""Gemini decoder: turns GenerateContentResponse objects into events, and formats messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ...errors import FilteredError
from ...events import Event, Model, Reasoning, Text, Usage
from ...images import Image
from ...messages import Message
from ..decoder import MULTIPLE_ANSWERS_NOTE, Decoder, block_separator, format_code_block
from ..finish_reasons import is_finish_reason
from ..json_values import parse_count, parse_object


class GeminiDecoder(Decoder):
    """Decodes responses; in a stream every frame is a complete GenerateContentResponse.

    A candidate's finishReason or a blocked prompt claims the end; there is no `[DONE]`.
    """

    claims_end_in_every_frame: ClassVar[bool] = True  # some models send STOP in every frame

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._last_text = ""  # the text before a code block

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usageMetadata")
        if isinstance(usage, dict):
            counts = parse_gemini_usage(usage)
            if self.usage is None or counts != Usage():
                self.usage = counts
        blocked = parse_object(body.get("promptFeedback")).get("blockReason")
        candidates = body.get("candidates")
        if blocked and not candidates:
            if not self.wrote:
                raise FilteredError(
                    f"the prompt was blocked: {blocked}", hint="rephrase the prompt"
                )
            self.finished("content_filter")
        elif blocked and "unspecified" not in str(blocked).lower():
            self.set_finish_reason("content_filter")
        elif usage and not candidates and self.end_claimed and self.can_be_complete:
            self.mark()
        if not isinstance(candidates, list) or not candidates:
            return
        if self.choice_index is None:
            self.choose_index(candidates)
        for candidate in candidates:
            if not isinstance(candidate, dict):
                continue
            if (candidate.get("index") or 0) == self.choice_index:
                yield from self._decode_candidate(candidate)
            elif parse_object(candidate.get("content")).get("parts"):
                yield from self.note_once(MULTIPLE_ANSWERS_NOTE)

    def _decode_candidate(self, candidate: dict[str, Any]) -> Iterator[Event]:
        parts = parse_object(candidate.get("content")).get("parts")
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
                yield from self._decode_non_text_part(part)
        if "error" in candidate:
            self.raise_for_error(candidate)
        reason = candidate.get("finishReason")
        if reason and is_finish_reason(reason):
            self.finished(reason)

    def _make_code_block(self, text: str, language: str) -> Text:
        self.wrote = True
        separator, self._last_text = block_separator(self._last_text), "\n"
        return Text(separator + format_code_block(text, language))

    def _decode_non_text_part(self, part: dict[str, Any]) -> Iterator[Event]:
        """Yield executed code and its output as fenced code blocks; record tool calls and media."""
        code = parse_object(part.get("executableCode"))
        result = parse_object(part.get("codeExecutionResult"))
        if isinstance(code.get("code"), str):
            yield self._make_code_block(code["code"], str(code.get("language") or ""))
        elif result:
            output, outcome = result.get("output"), str(result.get("outcome") or "")
            printed = output if isinstance(output, str) and output else ""
            if not printed and outcome and not outcome.endswith("OK"):
                printed = outcome
            if printed:
                yield self._make_code_block(printed, "text")
        elif part.get("functionCall"):
            self.set_finish_reason("tool_calls")
        elif media := parse_object(part.get("inlineData")) or parse_object(part.get("fileData")):
            kind = str(media.get("mimeType") or "").partition("/")[0]
            self.omitted_content = {"image": "an image", "": "a file"}.get(kind, kind)


def parse_gemini_usage(usage: dict[str, Any]) -> Usage:
    """Return the token counts of a `usageMetadata` object.

    Completion tokens are candidatesTokenCount plus thoughtsTokenCount. Some servers already
    include the thoughts in candidatesTokenCount, which totalTokenCount reveals. Prompt tokens
    include toolUsePromptTokenCount.
    """
    thoughts = parse_count(usage.get("thoughtsTokenCount"))
    answer = parse_count(usage.get("candidatesTokenCount"))
    prompt, total = (
        parse_count(usage.get("promptTokenCount")),
        parse_count(usage.get("totalTokenCount")),
    )
    tool_prompt = parse_count(usage.get("toolUsePromptTokenCount"))
    if prompt is not None and tool_prompt:
        prompt += tool_prompt
    completion = None
    if thoughts is not None or answer is not None:
        completion = (thoughts or 0) + (answer or 0)
    if answer and thoughts and (prompt or 0) + answer == total and answer >= thoughts:
        completion = answer
    return Usage(
        prompt, completion, total, thoughts, parse_count(usage.get("cachedContentTokenCount"))
    )


def can_generate_content(row: dict[str, Any]) -> bool:
    """Whether a model-list row supports generateContent, or does not list its methods."""
    methods = row.get("supportedGenerationMethods")
    return not isinstance(methods, list) or "generateContent" in methods


def model_from_gemini_row(row: dict[str, Any]) -> Model:
    """Return the Model of a model-list row; the list does not tell whether it takes images."""
    name = str(row.get("name", "")).removeprefix("models/")
    reasons = row.get("thinking")
    return Model(
        name,
        parse_count(row.get("inputTokenLimit")),
        None,
        reasons if isinstance(reasons, bool) else None,
    )


def format_part(part: str | Image) -> dict[str, Any]:
    """Format text or an image (inline, base64) as a part."""
    if isinstance(part, str):
        return {"text": part}
    return {"inlineData": {"mimeType": part.media_type, "data": part.base64()}}


def format_content(message: Message) -> dict[str, Any]:
    """Format a message as an item of `contents`; Gemini calls the assistant `model`."""
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [format_part(part) for part in message.parts]}
