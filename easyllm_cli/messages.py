"""Message: a role with text and images; parses OpenAI's shape, adds and merges system prompts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from .errors import UsageError
from .frozen_dataclass import FrozenDataclass
from .images import Image
from .message_fields import (
    has_tool_content,
    parse_cache_control,
    parse_message_fields,
    refuse_unknown_fields,
    require_field_type,
    tools_unsupported_error,
)

MESSAGE_ROLES = ("system", "developer", "user", "assistant")


class CachedText(str):
    """A text part with `cache_control`: the provider may cache the prompt up to this part."""

    cache_control: Mapping[str, Any]

    @classmethod
    def of(cls, text: str, cache_control: Mapping[str, Any]) -> CachedText:
        cached_text = cls(text)
        cached_text.cache_control = cache_control
        return cached_text


Part = str | Image


class Message(FrozenDataclass):
    """A role and its parts in order; `fields`: other fields (message_fields.MESSAGE_FIELDS)."""

    role: str
    parts: tuple[Part, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.role, self.parts))  # a dict has no hash

    @classmethod
    def of(cls, message: Message | Mapping[str, Any]) -> Message:
        """A Message from a Message or a dict {"role", "content": str | [parts]}, as OpenAI's.

        Raises:
            UsageError: an unknown role, part or field; nothing is dropped silently.
        """
        if isinstance(message, Message):
            return message
        if not isinstance(message, dict | Mapping):
            raise UsageError(
                f"a message must be an object, not {type(message).__name__}",
                hint='{"role": "user", "content": "…"}',
            )
        role, content = message.get("role"), message.get("content")
        if len(message) == 2 and role in MESSAGE_ROLES and isinstance(content, str):
            return cls(role, (content,))  # most messages
        if has_tool_content(message):
            raise tools_unsupported_error("and tool calls and results out of the messages")
        if role not in MESSAGE_ROLES:
            raise UsageError(
                f"unknown message role {role!r}", hint=f"use {', '.join(MESSAGE_ROLES)}"
            )
        fields = parse_message_fields(message)
        if isinstance(content, str):
            return cls(role, (content,), fields)
        if not isinstance(content, list):
            raise UsageError(f"the {role} message has no content", hint="text or a list of parts")
        return cls(role, tuple(_parse_part(part) for part in content), fields)

    @property
    def text(self) -> str:
        """The text parts as one string."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> list[Image]:
        return [part for part in self.parts if isinstance(part, Image)]


def _parse_part(part: Any) -> Part:
    """One part of OpenAI's content list: a string, {type: text} or {type: image_url}."""
    if isinstance(part, str | Image):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    if kind == "text" and isinstance(part.get("text"), str):
        refuse_unknown_fields(part, ("type", "text", "cache_control"))
        cached = parse_cache_control(part)
        return CachedText.of(part["text"], cached) if cached else str(part["text"])
    if kind == "image_url":
        return _parse_image_url(part)
    if isinstance(part, Mapping) and has_tool_content(part):
        raise tools_unsupported_error("and tool calls and results out of the messages")
    raise UsageError(f"unknown message part {kind!r}", hint="use text or image_url")


def _parse_image_url(part: Mapping[str, Any]) -> Image:
    value = part.get("image_url")
    fields = value if isinstance(value, Mapping) else {"url": value}
    refuse_unknown_fields(part, ("type", "image_url", "cache_control"))
    # `format` is LiteLLM's and is ignored: the bytes tell the format.
    refuse_unknown_fields(fields, ("url", "detail", "format"))
    url = fields.get("url")
    if not (isinstance(url, str) and url.startswith(("data:", "https://"))):
        raise UsageError("an image_url must be a data: or https:// URL")
    detail = require_field_type("detail", fields.get("detail") or "", str)
    return replace(Image.of(url), detail=detail, cache_control=parse_cache_control(part))


def with_system_instruction(messages: list[Message], text: str) -> list[Message]:
    """The messages with an instruction appended to the system prompt.

    It is never a second system message: some vLLM servers accept only one.
    """
    first = messages[0]
    if first.role in ("system", "developer"):
        return [replace(first, parts=(*first.parts, f"\n\n{text}")), *messages[1:]]
    return [Message("system", (text,)), *messages]


def with_schema_instruction(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    """Add the schema to the system message, for vendors that accept no schema field.

    DeepSeek's JSON mode also requires the word "json" in the prompt (its guide, "JSON Output").
    """
    schema_text = json.dumps(schema, ensure_ascii=False)
    return with_system_instruction(
        messages, f"Answer with one JSON document that fits this JSON schema:\n{schema_text}"
    )


def with_choices_instruction(messages: list[Message], choices: Sequence[str]) -> list[Message]:
    """Add to the system message that the answer must be one of the choices."""
    return with_system_instruction(
        messages, "\n".join(["Answer with exactly one of these, and write nothing else:", *choices])
    )


def with_text_first(message: Message) -> list[Part]:
    """The parts with the text first; in their own order if there are several texts.

    Where texts and images alternate, a text says which image it is about.
    """
    parts = list(message.parts)
    if sum(isinstance(part, str) for part in parts) <= 1:
        parts.sort(key=lambda part: not isinstance(part, str))
    return parts


def parse_messages(messages: Iterable[Message | Mapping[str, Any]]) -> list[Message]:
    """Parse every message.

    Raises:
        UsageError: an empty list, not a list, or a message that is not valid.
    """
    if not isinstance(messages, list) and (
        isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable)
    ):
        raise UsageError(
            f"messages must be a list, not {type(messages).__name__}",
            hint='[{"role": "user", "content": "…"}]',
        )
    parsed = [Message.of(message) for message in messages]
    if not parsed:
        raise UsageError("there is no message to send")
    return parsed


def with_system_prompt(messages: list[Message], system: str | None) -> list[Message]:
    """The messages with a profile's system prompt first, unless they have a system message."""
    if system is None or any(message.role == "system" for message in messages):
        return messages
    return [Message("system", (system,)), *messages]


def has_images(messages: list[Message]) -> bool:
    """Whether a message has an image."""
    for message in messages:
        for part in message.parts:
            if isinstance(part, Image):
                return True
    return False


def merge_into_user_message(messages: list[Message], roles: tuple[str, ...]) -> list[Message]:
    """Move the text and images of these roles to the start of the first user message."""
    text = "\n\n".join(message.text for message in messages if message.role in roles)
    images = [image for message in messages if message.role in roles for image in message.images]
    rest = [message for message in messages if message.role not in roles]
    at = next((index for index, message in enumerate(rest) if message.role == "user"), None)
    if at is None or not (text or images):
        return [Message("user", (text, *images)), *rest] if text or images else rest
    first, *others = rest[at].parts or ("",)
    merged: tuple[Part, ...] = (text, first) if text else (first,)
    if text and isinstance(first, str):
        merged = (f"{text}\n\n{first}",)
    merged = (*images, *merged)
    return [*rest[:at], replace(rest[at], parts=(*merged, *others)), *rest[at + 1 :]]


def build_vision_messages(
    prompt: str, image: bytes | str | os.PathLike[str], allow_paths: bool = False
) -> list[Message]:
    """One user message with a prompt and an image; `allow_paths`: `paths` of Image.of.

    Raises:
        UsageError: not an image, or the prompt is not a string.
    """
    return [Message.of({"role": "user", "content": [prompt, Image.of(image, paths=allow_paths)]})]
