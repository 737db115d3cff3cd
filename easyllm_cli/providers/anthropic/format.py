"""Formats messages and images for Anthropic's Messages API, and reads rows of its model list."""

from __future__ import annotations

from typing import Any

from ...events import Model
from ...images import Image
from ...messages import CachedText, Message
from ..json_values import parse_count, parse_object
from ..model_list import model_from_row
from .capabilities import ModelCapabilities


def format_system(messages: list[Message]) -> str | list[dict[str, Any]]:
    """Return the value of `system`: all system messages, as one text if no part is cached.

    The API takes no system message inside the conversation. "" or [] = there is no text.
    """
    if any(map(has_cached_part, messages)):
        return [block for message in messages for block in format_blocks(message)]
    return "\n\n".join(message.text for message in messages if message.text.strip())


def format_message(message: Message) -> dict[str, Any]:
    """Return one item of `messages`; a message of text alone keeps a string as its content."""
    needs_blocks = message.images or has_cached_part(message)
    content = format_blocks(message) if needs_blocks else message.text
    return {"role": message.role, "content": content}


def has_cached_part(message: Message) -> bool:
    """Whether a text part or the message itself has `cache_control`."""
    return "cache_control" in message.fields or any(
        isinstance(part, CachedText) for part in message.parts
    )


def format_blocks(message: Message) -> list[dict[str, Any]]:
    """Return the message's parts as content blocks, without blank ones, which the API refuses."""
    parts = [part for part in message.parts if isinstance(part, Image) or part.strip()]
    if sum(isinstance(part, str) for part in parts) <= 1:
        # Anthropic's guide to vision: an image works best before the question about it.
        parts.sort(key=lambda part: isinstance(part, str))
    blocks = [format_block(part) for part in parts]
    if blocks and "cache_control" in message.fields:
        blocks[-1]["cache_control"] = message.fields["cache_control"]
    return blocks


def format_block(part: str | Image) -> dict[str, Any]:
    """Return a text or an image as a content block."""
    if isinstance(part, str):
        block: dict[str, Any] = {"type": "text", "text": part}
        cache_control = part.cache_control if isinstance(part, CachedText) else None
    else:
        block = {"type": "image", "source": format_image_source(part)}
        cache_control = part.cache_control
    return {**block, "cache_control": cache_control} if cache_control else block


def format_image_source(image: Image) -> dict[str, Any]:
    """Return the `source` of an image block."""
    if image.url:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.media_type, "data": image.base64()}


def model_from_messages_row(row: dict[str, Any]) -> Model:
    """Return the Model of a row; other servers' rows have OpenAI's form."""
    if row.get("type") != "model" and not parse_object(row.get("capabilities")).get("thinking"):
        return model_from_row(row)
    supports = ModelCapabilities(row).supports
    return Model(
        str(row["id"]),
        parse_count(row.get("max_input_tokens")),
        supports("image_input"),
        supports("thinking"),
    )
