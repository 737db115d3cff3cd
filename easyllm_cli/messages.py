"""What goes to a model: messages made of text and images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import UsageError
from .message_fields import (
    cache_control,
    checked,
    fields_of,
    names_tools,
    no_tools,
    refuse_others,
)

ROLES = ("system", "developer", "user", "assistant")
MAX_IMAGE_BYTES = 20 * 1024 * 1024  # FAULTS §5.7


@dataclass(frozen=True)
class Image:
    """A picture: its bytes and media type, or the https URL where it stands."""

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    name: str = ""
    # How closely the model looks, and whether the prompt is cached up to here, in OpenAI's and
    # Anthropic's words.
    detail: str = ""
    cache_control: Mapping[str, Any] | None = field(default=None, hash=False)

    @classmethod
    def of(cls, source: bytes | str | os.PathLike[str], *, paths: bool = False) -> Image:
        """From bytes, base64, a data URL, a pathlib.Path or an https URL; the kind is sniffed.

        `paths`: a str may be a path, too. Text may be a stranger's, who would read your files.
        Raises:
            UsageError: it is missing, unreadable, too large, or not a picture.
        """
        if isinstance(source, bytes):
            return cls.of_bytes(source, "image data")
        if not isinstance(source, str | os.PathLike):
            raise UsageError(f"an image cannot be of type {type(source).__name__}")
        if not isinstance(source, str):
            return cls.of_path(source)
        if source.startswith("data:"):
            return cls.of_data_url(source)
        if source.startswith("https://"):
            return cls(url=source, name=source)
        if "://" in source:
            raise UsageError(
                f"cannot take the image from {source.partition('://')[0]}://",
                where=source[:80],
                hint="give a path or an https URL",
            )
        if not paths:
            return cls._of_text(source)
        if len(source) > 255 or not os.path.exists(source):
            try:
                return cls.of_base64(source, "base64 text")
            except UsageError:
                if len(source) > 4096:  # longer than any path
                    raise
        return cls.of_path(source)

    @classmethod
    def _of_text(cls, text: str) -> Image:
        """From base64; a path is refused unread, and whether there is such a file is not told."""
        try:
            return cls.of_base64(text, "base64 text")
        except UsageError as error:
            if len(text) > 4096:  # longer than any path
                raise
            raise UsageError(
                f"{error.message}, and a path given as text is not read",
                hint="for a file of your own give a pathlib.Path, or trust_configs=True",
            ) from None

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> Image:
        """From the picture's own bytes; `name` is for messages.

        Raises:
            UsageError: too large in bytes or, by its header, in pixels; or not a picture.
        """
        from .image_header import MAX_PIXELS, foreign_kind, pixels, sniff

        if len(data) > MAX_IMAGE_BYTES:
            raise UsageError(f"the image is larger than {MAX_IMAGE_BYTES >> 20} MB", where=name)
        media_type = sniff(data)
        if media_type is None and (kind := foreign_kind(data)):
            raise UsageError(
                f"not an image that models take: {kind}", where=name,
                hint="convert it to PNG or JPEG",
            )  # fmt: skip
        if media_type is None:
            raise UsageError(
                "not an image", where=name, hint="PNG, JPEG, GIF, WebP, HEIC and BMP are known"
            )
        width, height = pixels(data) or (0, 0)
        if width * height > MAX_PIXELS:
            most = f"{MAX_PIXELS // 1_000_000} million"
            raise UsageError(
                f"the image has {width} × {height} pixels, and {most} are the most",
                where=name,
                hint="make it smaller",
            )
        return cls(data, media_type, "", name)

    @classmethod
    def of_base64(cls, text: str, name: str) -> Image:
        """From base64 text.

        Raises:
            UsageError: not base64, too large, or not a picture.
        """
        import base64

        if len(text) > MAX_IMAGE_BYTES // 3 * 4 + 8:  # before it is unpacked
            raise UsageError(f"the image is larger than {MAX_IMAGE_BYTES >> 20} MB", where=name)
        try:
            return cls.of_bytes(base64.b64decode(text, validate=True), name)
        except ValueError as error:  # binascii.Error, or letters that are no ASCII
            raise UsageError(f"the image is not valid base64 ({error})", where=name) from None

    @classmethod
    def of_data_url(cls, url: str) -> Image:
        """From `data:<any type>;base64,<text>`.

        Raises:
            UsageError: another form, too large, or not a picture.
        """
        head, _, text = url.partition(",")
        if not head.endswith(";base64"):
            raise UsageError("the image's data URL has no ;base64", where=url[:40])
        return cls.of_base64(text, "data URL")

    @classmethod
    def of_path(cls, path: str | os.PathLike[str]) -> Image:
        """From a regular file; a FIFO or a device is refused unread.

        Raises:
            UsageError: missing, unreadable, not a regular file, too large, or not a picture.
        """
        written = os.fspath(path)
        name = written if len(written) <= 200 else f"{written[:80]}…"
        from .picture_file import picture_file

        try:
            return cls.of_bytes(picture_file(written, name, MAX_IMAGE_BYTES), name)
        except FileNotFoundError:
            raise UsageError("no such image file", where=name, hint="check the path") from None
        except OSError as error:
            raise UsageError(
                f"cannot read the image: {error.strerror}", where=name, hint="check the file"
            ) from None
        except (ValueError, RuntimeError):
            raise UsageError("not a usable path for an image", where=name[:80]) from None

    def base64(self) -> str:
        """The bytes as base64, with no prefix."""
        from base64 import b64encode

        return b64encode(self.data).decode("ascii")

    def as_url(self) -> str:
        """The https URL, or a data URL with the sniffed media type."""
        return self.url or f"data:{self.media_type};base64,{self.base64()}"


class CachedText(str):
    """A text part up to which the provider may cache the prompt; `cache_control` says how."""

    cache_control: Mapping[str, Any]

    @classmethod
    def of(cls, text: str, cache_control: Mapping[str, Any]) -> CachedText:
        made = cls(text)
        made.cache_control = cache_control
        return made


Part = str | Image


@dataclass(frozen=True)
class Message:
    """One turn: a role and its parts in order; `fields`: what else it says (see FIELDS)."""

    role: str
    parts: tuple[Part, ...]
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, message: Message | Mapping[str, Any]) -> Message:
        """From a Message or OpenAI's shape {"role", "content": str | [parts]}.

        Raises:
            UsageError: an unknown role, part or field; nothing is dropped in silence.
        """
        if isinstance(message, Message):
            return message
        if not isinstance(message, Mapping):
            raise UsageError(
                f"a message must be an object, not {type(message).__name__}",
                hint='{"role": "user", "content": "…"}',
            )
        role = message.get("role")
        if names_tools(message):
            raise no_tools("and what tools said out of the messages")
        if role not in ROLES:
            raise UsageError(f"unknown message role {role!r}", hint=f"use {', '.join(ROLES)}")
        fields = fields_of(message)
        content = message.get("content")
        if isinstance(content, str):
            return cls(role, (content,), fields)
        if not isinstance(content, list):
            raise UsageError(f"the {role} message has no content", hint="text or a list of parts")
        return cls(role, tuple(_part(part) for part in content), fields)

    @property
    def text(self) -> str:
        """The text parts as one string."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> list[Image]:
        return [part for part in self.parts if isinstance(part, Image)]


def _part(part: Any) -> Part:
    """One part of OpenAI's list form: a string, {type: text} or {type: image_url}."""
    if isinstance(part, str | Image):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    if kind == "text" and isinstance(part.get("text"), str):
        refuse_others(part, ("type", "text", "cache_control"))
        cached = cache_control(part)
        return CachedText.of(part["text"], cached) if cached else str(part["text"])
    if kind == "image_url":
        return _image_url(part)
    if isinstance(part, Mapping) and names_tools(part):
        raise no_tools("and what tools said out of the messages")
    raise UsageError(f"unknown message part {kind!r}", hint="text and image_url are known")


def _image_url(part: Mapping[str, Any]) -> Image:
    target = part.get("image_url")
    given = target if isinstance(target, Mapping) else {"url": target}
    refuse_others(part, ("type", "image_url", "cache_control"))
    refuse_others(given, ("url", "detail", "format"))  # format: litellm's; the bytes tell it
    url = given.get("url")
    if not (isinstance(url, str) and url.startswith(("data:", "https://"))):
        raise UsageError("an image_url must be a data: or https:// URL")
    detail = checked("detail", given.get("detail") or "", str)
    return replace(Image.of(url), detail=detail, cache_control=cache_control(part))


def with_instruction(messages: list[Message], text: str) -> list[Message]:
    """The messages with one more instruction, behind the system prompt's own.

    One system message, never two: some servers take no more (WIRE §2, vLLM).
    """
    first = messages[0]
    if first.role in ("system", "developer"):
        return [replace(first, parts=(*first.parts, f"\n\n{text}")), *messages[1:]]
    return [Message("system", (text,)), *messages]


def messages_of(messages: Iterable[Message | Mapping[str, Any]]) -> list[Message]:
    """Every message in our own form.

    Raises:
        UsageError: no message at all, no list of them, or one that cannot be understood.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise UsageError(
            f"messages must be a list, not {type(messages).__name__}",
            hint='[{"role": "user", "content": "…"}]',
        )
    made = [Message.of(message) for message in messages]
    if not made:
        raise UsageError("there is no message to send")
    return made


def with_system(messages: list[Message], system: str | None) -> list[Message]:
    """The messages behind a profile's system prompt, unless they hold one of their own."""
    if system is None or any(one.role == "system" for one in messages):
        return messages
    return [Message("system", (system,)), *messages]


def with_the_question(messages: list[Message], roles: tuple[str, ...]) -> list[Message]:
    """The messages with the text of those roles before the first user's own."""
    text = "\n\n".join(one.text for one in messages if one.role in roles)
    rest = [one for one in messages if one.role not in roles]
    at = next((number for number, one in enumerate(rest) if one.role == "user"), None)
    if not text or at is None:
        return [Message("user", (text,)), *rest] if text else rest
    first, *more = rest[at].parts or ("",)
    joined = (f"{text}\n\n{first}",) if isinstance(first, str) else (text, first)
    return [*rest[:at], replace(rest[at], parts=(*joined, *more)), *rest[at + 1 :]]


def question_about(
    prompt: str, image: bytes | str | os.PathLike[str], paths: bool = False
) -> list[Message]:
    """A question with one picture; `paths`: as for Image.of.

    Raises:
        UsageError: no picture, or a prompt that is no text.
    """
    return [Message.of({"role": "user", "content": [prompt, Image.of(image, paths=paths)]})]
