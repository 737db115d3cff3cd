"""Cohere decoder: turns the events of a v2 chat stream and buffered bodies into events.

Source: https://docs.cohere.com/reference/chat-stream and https://docs.cohere.com/reference/chat.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...events import Event, Reasoning, Text, Usage
from ..decoder import Decoder
from ..json_values import parse_count, parse_object


class CohereDecoder(Decoder):
    """Decodes the events of a stream, which are told apart by `type`, and whole messages.

    `message-end` has the finish reason and the usage, and is the end marker. Without a finish
    reason the answer is incomplete. Events of an unknown type are ignored.
    """

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event != "[DONE]":  # it may follow `message-end`, and says nothing more
            yield from super().read(body, event)

    def is_error(self, body: dict[str, Any]) -> bool:
        """Whether a frame reports an error; Cohere's error body is {"id", "message"}."""
        has_error_text = "type" not in body and isinstance(body.get("message"), str)
        return has_error_text or super().is_error(body)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        event_type, delta = body.get("type"), parse_object(body.get("delta"))
        if event_type in ("content-start", "content-delta"):
            yield from self._decode_content(parse_object(delta.get("message")).get("content"))
        elif event_type == "tool-call-start":
            self.set_finish_reason("tool_calls")
        elif event_type == "message-end":
            self._decode_end(delta)
        elif "type" not in body and isinstance(body.get("message"), dict):
            message = body["message"]
            yield from self._decode_content(message.get("content"))
            if message.get("tool_calls"):
                self.set_finish_reason("tool_calls")
            self._decode_end(body)

    def _decode_content(self, content: Any) -> Iterator[Event]:
        """Decode a list of content blocks, one block, or a piece of one."""
        for block in content if isinstance(content, list) else [content]:
            block = {"text": block} if isinstance(block, str) else parse_object(block)
            thinking, text = block.get("thinking"), block.get("text")
            if isinstance(thinking, str) and thinking:
                yield Reasoning(thinking)
            if isinstance(text, str) and text:
                self.wrote = True
                yield Text(text)

    def _decode_end(self, end: dict[str, Any]) -> None:
        """Read usage, error and finish reason.

        Raises:
            EasyLLMError: the provider failed after the answer began.
        """
        usage = parse_cohere_usage(parse_object(end.get("usage")))
        if usage != Usage():
            self.usage = usage
        self.raise_for_error(end)
        self.set_finish_reason(end.get("finish_reason"))
        self.finished_with_reason()


def parse_cohere_usage(usage: dict[str, Any]) -> Usage:
    """Return the token counts of a `usage` object; Cohere sends them as floats.

    `tokens` counts all tokens. `billed_units`, which leaves out those of the chat template, is read
    only where a server sends no `tokens`.
    """
    tokens, billed = parse_object(usage.get("tokens")), parse_object(usage.get("billed_units"))
    prompt, completion = (
        parse_count((tokens if tokens.get(name) is not None else billed).get(name))
        for name in ("input_tokens", "output_tokens")
    )
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=None if prompt is None or completion is None else prompt + completion,
        cached_tokens=parse_count(usage.get("cached_tokens")),
    )
