"""litellm decoder: Chat Completions from litellm objects, without the values litellm makes up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...events import Event, Model, Reasoning
from ..json_values import parse_count, parse_object
from ..openai.chat_decoder import ChatDecoder

MILLION = 1_000_000


class LiteLLMDecoder(ChatDecoder):
    """Adds to ChatDecoder: hidden reasoning (`redacted_thinking`) and estimated usage."""

    def decode(self, body: dict[str, Any]) -> Iterator[Event]:
        for choice in body.get("choices") or ():
            message = parse_object(
                parse_object(choice).get("delta") or parse_object(choice).get("message")
            )
            blocks = message.get("thinking_blocks")
            for block in blocks if isinstance(blocks, list) else ():
                if parse_object(block).get("type") == "redacted_thinking":
                    yield Reasoning("", hidden=True)
        yield from super().decode(body)
        if self.usage is not None and parse_object(body.get("usage")).get("estimated"):
            self.usage = replace(self.usage, estimated=True)


def frame_from_chunk(chunk: Any, stream: Any) -> dict[str, Any]:
    """Convert a chunk of litellm's stream to a Chat Completions chunk.

    litellm reports `stop` for a cut stream and for every finish reason that it does not know. The
    server's reason, from undocumented attributes of the stream, replaces it. Usage that no server
    sent is marked as estimated.
    """
    frame: dict[str, Any] = chunk.model_dump()
    reason_attributes = ("received_finish_reason", "intermittent_finish_reason")
    sent_reason = next(
        (reason for attribute in reason_attributes if (reason := getattr(stream, attribute, None))),
        None,
    )
    for choice in frame.get("choices") or ():
        choice["finish_reason"] = _choose_finish_reason(choice.get("finish_reason"), sent_reason)
    if frame.get("usage"):
        server_counts = [
            sent_chunk.usage.model_dump()
            for sent_chunk in stream.chunks
            if getattr(sent_chunk, "usage", None)
        ]
        frame["usage"] = _correct_usage(frame["usage"], server_counts)
    return frame


def _choose_finish_reason(litellm_reason: Any, server_reason: Any) -> Any:
    """Return litellm's finish reason, or the server's if it is missing or litellm says `stop`."""
    return server_reason if not server_reason or litellm_reason == "stop" else litellm_reason


def _correct_usage(summed: dict[str, Any], server_counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Remove from litellm's summed usage what no server sent.

    `server_counts`: the usage objects from the server. Without any, the sum is litellm's estimate.
    Details and cost that the server did not send are set to None.
    """
    if not server_counts:
        return {**summed, "estimated": True, "cost": None, "completion_tokens_details": None}
    corrected = dict(summed)
    for name in ("completion_tokens_details", "prompt_tokens_details", "cost"):
        if not any(counts.get(name) for counts in server_counts):
            corrected[name] = None
    return corrected


def body_from_response(response: Any) -> dict[str, Any]:
    """Convert litellm's buffered response to a Chat Completions body.

    The server's finish reason replaces litellm's `stop`; usage with a total of 0 becomes None.
    """
    body: dict[str, Any] = response.model_dump()
    for choice in body.get("choices") or ():
        sent_reason = parse_object(choice.get("provider_specific_fields")).get(
            "native_finish_reason"
        )
        if sent_reason:
            choice["finish_reason"] = _choose_finish_reason(
                choice.get("finish_reason"), sent_reason
            )
    usage = parse_object(body.get("usage"))
    if not usage.get("total_tokens"):
        body["usage"] = None
    return body


def model_from_litellm_row(name: str, row: dict[str, Any]) -> Model:
    """Return the Model of a row in litellm's table; prices become US dollars per million tokens."""
    return Model(
        name,
        parse_count(row.get("max_input_tokens")) or parse_count(row.get("max_tokens")),
        _bool_or_none(row.get("supports_vision")),
        _bool_or_none(row.get("supports_reasoning")),
        _price_per_million(row.get("input_cost_per_token")),
        _price_per_million(row.get("output_cost_per_token")),
    )


def _bool_or_none(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _price_per_million(price: Any) -> float | None:
    """Convert US dollars per token to US dollars per million tokens; None = invalid."""
    return round(price * MILLION, 6) if isinstance(price, int | float) and price >= 0 else None
