"""Chat Completions decoder: turns stream chunks and buffered bodies into events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import Event, Reasoning, Text, Usage
from ..decoder import MULTIPLE_ANSWERS_NOTE, Decoder, parse_content
from ..finish_reasons import is_finish_reason
from ..json_values import parse_count, parse_dollars, parse_object

# Gateways send the same reasoning in several fields, so only the first that is not empty is read.
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
LATE_TEXT_NOTE = "the server sent more text after the answer's end: left out"


class ChatDecoder(Decoder):
    """Decodes `choices[].delta` and `choices[].message`.

    A finish_reason claims the end of the answer; `[DONE]` is the end marker.
    """

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._done = False
        self._reasoned = False
        self._from_message = False  # the text so far came in `message`, not in `delta`

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event == "[DONE]":
            self.end_claimed = self.end_marker_seen = self._done = True
            return iter(())
        return super().read(body, event)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        usage = body.get("usage") or parse_object(body.get("x_groq")).get("usage")
        if isinstance(usage, dict):
            self._update_usage(usage)
        choices = body.get("choices")
        if isinstance(choices, list) and choices:
            if self.choice_index is None:
                self.choose_index(choices)
            for choice in choices:
                if isinstance(choice, dict):
                    is_selected = (choice.get("index") or 0) == self.choice_index and not self._done
                    yield from (
                        self._decode_choice(choice)
                        if is_selected
                        else self._note_ignored_choice(choice)
                    )
        elif usage and self.end_claimed and self.can_be_complete:
            self.mark()  # usage is the last frame before `[DONE]`

    def _note_ignored_choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        """Note text of another choice, or text after `[DONE]`; neither is part of the answer."""
        message = parse_object(choice.get("delta")) or parse_object(choice.get("message"))
        if message.get("content"):
            yield from self.note_once(LATE_TEXT_NOTE if self._done else MULTIPLE_ANSWERS_NOTE)

    def _update_usage(self, usage: dict[str, Any]) -> None:
        """Store token counts; an empty object does not replace earlier counts."""
        counts = parse_openai_usage(usage)
        if self.usage is None or counts != Usage():
            self.usage = counts

    def _decode_choice(self, choice: dict[str, Any]) -> Iterator[Event]:
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            yield from self._decode_delta(delta)
        if isinstance(message, dict):
            yield from self._decode_message(message)
        if "usage" in choice and isinstance(choice["usage"], dict):
            self._update_usage(choice["usage"])
        if "error" in choice:
            self.raise_for_error(choice)
        reason = choice.get("finish_reason")
        if reason and is_finish_reason(reason):
            self.finished(reason)
        elif self.is_whole_body and isinstance(message, dict):
            self.end_claimed = True  # a buffered body that parses was not cut

    def _decode_message(self, message: dict[str, Any]) -> Iterator[Event]:
        """Decode a `message`; text, reasoning and refusal that deltas already sent are dropped."""
        deltas_had_text = self.wrote and not self._from_message
        deltas_had_reasoning, earlier_refusal = (
            self._reasoned and not self._from_message,
            self.refusal,
        )
        for event in self._decode_delta(message):
            if not (deltas_had_text if isinstance(event, Text) else deltas_had_reasoning):
                self._from_message = True
                yield event
        if earlier_refusal and not self._from_message:
            self.refusal = earlier_refusal

    def _decode_delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        """Decode the content, reasoning and other fields of a `delta` or `message`."""
        content = delta.get("content")
        # Fast path: most deltas hold only text.
        is_text_only = isinstance(content, str) and len(delta) == 1 + ("role" in delta)
        if not is_text_only:
            for event in _parse_reasoning(delta):
                self._reasoned = True
                yield event
        if isinstance(content, str):
            if content:
                self.wrote = True
                yield Text(content)
        elif content:
            self.omitted_content = self.omitted_content or _describe_non_text(content)
            for event in parse_content(content):
                self.wrote = self.wrote or isinstance(event, Text)
                yield event
        if not is_text_only:
            self._record_non_text(delta)

    def _record_non_text(self, delta: dict[str, Any]) -> None:
        """Record a refusal, tool calls, images and audio.

        Raises:
            EasyLLMError: the delta holds an error object.
        """
        refusal = delta.get("refusal")
        if isinstance(refusal, str):
            self.add_refusal(refusal)
        call = delta.get("function_call")
        if delta.get("tool_calls") or (isinstance(call, dict) and call.get("name")):
            self.set_finish_reason("tool_calls")
        if delta.get("images"):
            self.omitted_content = "an image"
        elif delta.get("audio"):
            self.omitted_content = "audio"
        self.raise_for_error(delta)


def _parse_reasoning(delta: dict[str, Any]) -> Iterator[Event]:
    """Yield the reasoning of one delta.

    The plain fields come first; `reasoning_details` (OpenRouter) repeats their text.
    """
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


def _describe_non_text(content: Any) -> str:
    """Return "an image" or "audio" when a content part is one, else ""."""
    parts = content if isinstance(content, list) else [content]
    types = " ".join(str(parse_object(part).get("type")) for part in parts)
    return "an image" if "image" in types else "audio" if "audio" in types else ""


def parse_openai_usage(usage: dict[str, Any]) -> Usage:
    """Return the token counts of a `usage` object, from Chat Completions or Responses.

    `cache_write_tokens` stands beside `cached_tokens` at OpenAI and OpenRouter. Also reads
    DeepSeek's cache hits (`prompt_cache_hit_tokens`), counts that Perplexity and
    Moonshot send outside the `*_details` objects, and OpenRouter's `cost` in US dollars.
    """
    prompt = first_count(usage, "prompt_tokens", "input_tokens")
    total = first_count(usage, "total_tokens")
    prompt_details = _find_details(usage, "prompt_tokens_details", "input_tokens_details")
    completion_details = _find_details(usage, "completion_tokens_details", "output_tokens_details")
    reasoning = first_count(usage | completion_details, "reasoning_tokens")
    return Usage(
        prompt,
        _add_reasoning_tokens(
            prompt, first_count(usage, "completion_tokens", "output_tokens"), reasoning, total
        ),
        total,
        reasoning,
        first_count(
            usage | prompt_details,
            "cached_tokens",
            "prompt_cache_hit_tokens",
            "cache_read_input_tokens",
        ),
        cost_usd=parse_dollars(usage.get("cost")),
        cache_write_tokens=first_count(prompt_details, "cache_write_tokens"),
    )


def _find_details(usage: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the first non-empty object under these names, without null values."""
    for name in names:
        if details := usage.get(name):
            items = parse_object(details).items()
            return {name: value for name, value in items if value is not None}
    return {}


def first_count(usage: dict[str, Any], *names: str) -> int | None:
    """Return the first valid count under these names; None = there is none."""
    for name in names:
        if (value := usage.get(name)) is not None and (count := parse_count(value)) is not None:
            return count
    return None


def _add_reasoning_tokens(
    prompt: int | None, completion: int | None, reasoning: int | None, total: int | None
) -> int | None:
    """Return the completion tokens including reasoning tokens.

    Some vendors (xAI) report reasoning tokens separately; then they are added.
    """
    if completion is None or not reasoning:
        return completion
    is_separate = None not in (prompt, total) and (prompt or 0) + completion + reasoning == total
    return completion + reasoning if is_separate or reasoning > completion else completion
