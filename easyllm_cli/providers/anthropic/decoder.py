"""Decoder of Anthropic's Messages API: turns stream events and whole messages into our events.

Sources: https://platform.claude.com/docs/en/build-with-claude/streaming (events, blocks, deltas),
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons,
https://platform.claude.com/docs/en/build-with-claude/prompt-caching (token counts).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import FilteredError, MalformedAnswer
from ...events import Event, Reasoning, Text, Usage
from ..decoder import Decoder
from ..finish_reasons import CONTENT_FILTER, TOOL_CALLS
from ..json_values import parse_count, parse_object

# The token counts of `usage`. input_tokens excludes what the prompt cache served or stored.
PROMPT_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
PARAGRAPH_BREAK = "\n\n"  # between the thinking blocks of one answer


class MessagesDecoder(Decoder):
    """Decodes stream events by the `type` in their JSON, and whole messages.

    The JSON decides, not the `event:` line: gateways leave that line out. `message_stop` is the
    only end of a stream; a stop_reason without it is a cut answer, and so is one without a
    stop_reason, streamed or whole.
    """

    def __init__(self, stream: bool) -> None:
        super().__init__(stream)
        self._counts: dict[str, Any] = {}
        self._reasoned = False  # some thinking text came
        self._new_thinking_block = False  # the current thinking block has had no text yet
        self._hidden_sent = False
        self._refusal_category = ""

    def read(self, body: Any, event: str = "") -> Iterator[Event]:
        if event != "[DONE]":  # not part of this API, but gateways send it after message_stop
            yield from super().read(body, event)

    def is_error(self, body: dict[str, Any]) -> bool:
        return body.get("type") == "error" or super().is_error(body)

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        match body.get("type"):
            case "message_start":
                self._refuse_second_answer()
                message = parse_object(body.get("message"))
                # Its output_tokens counts nothing that matters: 1 to 5 tokens before any text.
                counts = parse_object(message.get("usage"))
                self._update_usage({name: counts.get(name) for name in PROMPT_COUNTS})
                yield from self._decode_blocks(message.get("content"))
            case "content_block_start":
                yield from self._decode_block(parse_object(body.get("content_block")))
            case "content_block_delta":
                yield from self._decode_delta(parse_object(body.get("delta")))
            case "message_delta":
                self._update_usage(parse_object(body.get("usage")))
                yield from self._decode_stop(parse_object(body.get("delta")))
            case "message_stop":
                self.finished_with_reason()
            case "message":
                yield from self._decode_message(body)

    def _refuse_second_answer(self) -> None:
        """Raise MalformedAnswer if an answer has begun: a gateway has asked its provider again."""
        if self.wrote or self._reasoned or self.end_marker_seen:
            raise MalformedAnswer("the server began another answer in the same stream")

    def _decode_message(self, message: dict[str, Any]) -> Iterator[Event]:
        """Decode a whole message, the body of a response that is not streamed."""
        self._update_usage(parse_object(message.get("usage")))
        content = message.get("content")
        yield from self._text(content) if isinstance(content, str) else self._decode_blocks(content)
        yield from self._decode_stop(message)
        self.finished_with_reason()

    def _decode_blocks(self, blocks: Any) -> Iterator[Event]:
        for block in blocks if isinstance(blocks, list) else ():
            yield from self._decode_block(parse_object(block))

    def _decode_block(self, block: dict[str, Any]) -> Iterator[Event]:
        """Decode a content block; in a stream it is the block's start, mostly without text."""
        match block.get("type"):
            case "text":
                yield from self._text(block.get("text"))
            case "thinking":
                self._new_thinking_block = True
                yield from self._thinking(block.get("thinking"))
                yield from self._signature(block.get("signature"))
            case "redacted_thinking":
                yield from self._hidden_reasoning()
            case "tool_use":
                self.set_finish_reason(TOOL_CALLS)
            case "fallback":
                yield from self._fallback_note(block)

    def _decode_delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        match delta.get("type"):
            case "text_delta":
                yield from self._text(delta.get("text"))
            case "thinking_delta":
                yield from self._thinking(delta.get("thinking"))
            case "signature_delta":
                yield from self._signature(delta.get("signature"))

    def _text(self, text: Any) -> Iterator[Event]:
        if isinstance(text, str) and text:
            self.wrote = True
            yield Text(text)

    def _thinking(self, text: Any) -> Iterator[Event]:
        if isinstance(text, str) and text:
            starts_another = self._new_thinking_block and self._reasoned
            self._reasoned, self._new_thinking_block = True, False
            yield Reasoning(PARAGRAPH_BREAK + text if starts_another else text)

    def _signature(self, signature: Any) -> Iterator[Event]:
        """A signature without thinking text means that the provider withholds the text."""
        if signature and self._new_thinking_block:
            yield from self._hidden_reasoning()

    def _hidden_reasoning(self) -> Iterator[Event]:
        if not self._hidden_sent:
            self._hidden_sent = True
            yield Reasoning("", hidden=True)

    def _fallback_note(self, block: dict[str, Any]) -> Iterator[Event]:
        """Another model continues the answer because the first one refused."""
        name = parse_object(block.get("to")).get("model")
        cause = parse_object(block.get("trigger")).get("type")
        if isinstance(name, str):
            why = " after a refusal" if cause == "refusal" else ""
            yield from self.note_once(f"answered by {name}{why}")

    def _decode_stop(self, delta: dict[str, Any]) -> Iterator[Event]:
        """Record the stop_reason, and why the model refused.

        Raises:
            EasyLLMError: an error beside the stop_reason, from a gateway.
        """
        self.raise_for_error(delta)
        self.set_finish_reason(delta.get("stop_reason"))
        details = parse_object(delta.get("stop_details"))
        if self.finish_reason != CONTENT_FILTER or not details:
            return
        category, explanation = details.get("category"), details.get("explanation")
        self._refusal_category = category if isinstance(category, str) else ""
        text = explanation if isinstance(explanation, str) else ""
        if not self.wrote:
            self.refusal = ""  # a server may send the same details twice
            self.add_refusal(text or "no reason given")
        elif self._refusal_category or text:
            yield from self.note_once(f"the model {self._refused}: {' '.join(text.split())[:300]}")

    @property
    def _refused(self) -> str:
        """`refused`, and the category of the refusal if the server names one."""
        return "refused" + f" ({self._refusal_category})" * bool(self._refusal_category)

    def _refusal_error(self) -> FilteredError:
        text = " ".join(self.refusal.split())[:300]
        return FilteredError(f"the model {self._refused}: {text}", hint="rephrase the prompt")

    def _update_usage(self, counts: dict[str, Any]) -> None:
        """Merge counts: they are cumulative, and an event may leave out those that stay."""
        counted = {name: value for name, value in counts.items() if value is not None}
        if counted:
            self._counts |= counted
            self.usage = parse_messages_usage(self._counts)


def parse_messages_usage(usage: dict[str, Any]) -> Usage:
    """Return the token counts of a `usage` object.

    Prompt tokens are input_tokens plus those that the prompt cache served and stored. Completion
    tokens include thinking.
    """
    inputs = [
        count for name in PROMPT_COUNTS if (count := parse_count(usage.get(name))) is not None
    ]
    prompt = sum(inputs) if parse_count(usage.get("input_tokens")) is not None else None
    completion = parse_count(usage.get("output_tokens"))
    details = parse_object(usage.get("output_tokens_details"))
    return Usage(
        prompt,
        completion,
        prompt + completion if prompt is not None and completion is not None else None,
        parse_count(details.get("thinking_tokens")),
        parse_count(usage.get("cache_read_input_tokens")),
        cache_write_tokens=parse_count(usage.get("cache_creation_input_tokens")),
    )
