"""Image: an image to send to a model, from bytes, base64, a data URL, a file or an https URL."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import UsageError
from .frozen_dataclass import FrozenDataclass

MAX_IMAGE_BYTES = 20 * 1024 * 1024  # larger images are refused


class Image(FrozenDataclass):
    """An image: its bytes and media type, or its https URL; `name` is for error messages."""

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    name: str = ""
    # OpenAI's `detail` (resolution that the model uses), Anthropic's `cache_control` (the prompt is
    # cached up to here).
    detail: str = ""
    cache_control: Mapping[str, Any] | None = None
    path: str = ""  # absolute path of the file that was read; "" = none

    def __hash__(self) -> int:
        return hash((self.data, self.url, self.name, self.detail))  # a dict has no hash

    @classmethod
    def of(cls, source: bytes | str | os.PathLike[str], *, paths: bool = False) -> Image:
        """An image from bytes, base64, a data URL, a pathlib.Path or an https URL.

        The first bytes tell the format. `paths`: a str may also be a path; off by default, because
        a str may come from another person, who could read your files this way.
        Raises:
            UsageError: it is missing, unreadable, too large, or not an image.
        """
        if isinstance(source, bytes):
            return cls.of_bytes(source, "image data")
        if not isinstance(source, str | os.PathLike):
            raise UsageError(
                f"an image must be bytes, a string or a path, not {type(source).__name__}"
            )
        if not isinstance(source, str):
            return cls.of_path(source)
        if source.startswith("data:"):
            return cls.of_data_url(source)
        if source.startswith("https://"):
            return cls(url=source, name=source)
        if "://" in source:
            raise UsageError(
                f"an image cannot be loaded from {source.partition('://')[0]}://",
                where=source[:80],
                hint="give a path or an https URL",
            )
        if not paths:
            return cls._of_base64_only(source)
        if len(source) > 255 or not os.path.exists(source):
            try:
                return cls.of_base64(source, "base64 text")
            except UsageError:
                if len(source) > 4096:  # longer than any path
                    raise
        return cls.of_path(source)

    @classmethod
    def _of_base64_only(cls, text: str) -> Image:
        """An image from base64; a path is refused, without telling whether the file exists."""
        try:
            return cls.of_base64(text, "base64 text")
        except UsageError as error:
            if len(text) > 4096:  # longer than any path
                raise
            raise UsageError(
                f"{error.message}, and a path given as text is not read",
                hint="for a file of your own pass a pathlib.Path, or trust_configs=True",
            ) from None

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> Image:
        """An image from the bytes of its file; `name` is for error messages.

        Raises:
            UsageError: more than 20 MB, too many pixels according to its header, or not an image.
        """
        from .image_header import (
            MAX_PIXELS,
            read_dimensions,
            sniff_media_type,
            sniff_unsupported_format,
        )

        if len(data) > MAX_IMAGE_BYTES:
            raise UsageError(f"the image is larger than {MAX_IMAGE_BYTES >> 20} MB", where=name)
        media_type = sniff_media_type(data)
        if media_type is None and (format_name := sniff_unsupported_format(data)):
            raise UsageError(
                f"not an image format that models accept: {format_name}", where=name,
                hint="convert it to PNG or JPEG",
            )  # fmt: skip
        if media_type is None:
            raise UsageError(
                "not an image", where=name, hint="use PNG, JPEG, GIF, WebP, HEIC or BMP"
            )
        width, height = read_dimensions(data) or (0, 0)
        if width * height > MAX_PIXELS:
            limit = f"{MAX_PIXELS // 1_000_000} million"
            raise UsageError(
                f"the image has {width} × {height} pixels; the limit is {limit}",
                where=name,
                hint="scale it down",
            )
        return cls(data, media_type, "", name)

    @classmethod
    def of_base64(cls, text: str, name: str) -> Image:
        """An image from base64 text.

        Raises:
            UsageError: not base64, too large, or not an image.
        """
        import base64

        if len(text) > MAX_IMAGE_BYTES // 3 * 4 + 8:  # checked before decoding
            raise UsageError(f"the image is larger than {MAX_IMAGE_BYTES >> 20} MB", where=name)
        try:
            return cls.of_bytes(base64.b64decode(text, validate=True), name)
        except ValueError as error:  # binascii.Error, or characters outside ASCII
            raise UsageError(f"the image is not valid base64 ({error})", where=name) from None

    @classmethod
    def of_data_url(cls, url: str) -> Image:
        """An image from `data:<any type>;base64,<text>`.

        Raises:
            UsageError: another form, too large, or not an image.
        """
        head, _, encoded = url.partition(",")
        if not head.endswith(";base64"):
            raise UsageError("the image's data URL has no ;base64", where=url[:40])
        return cls.of_base64(encoded, "data URL")

    @classmethod
    def of_path(cls, path: str | os.PathLike[str]) -> Image:
        """An image from a regular file; a FIFO or a device is refused without being opened.

        Raises:
            UsageError: missing, unreadable, not a regular file, too large, or not an image.
        """
        path_text = os.fspath(path)
        name = path_text if len(path_text) <= 200 else f"{path_text[:80]}…"

        try:
            image = cls.of_bytes(read_image_file(path_text, name, MAX_IMAGE_BYTES), name)
            return replace(image, path=os.path.abspath(os.path.expanduser(path_text)))
        except FileNotFoundError:
            raise UsageError("no such image file", where=name, hint="check the path") from None
        except OSError as error:
            raise UsageError(
                f"cannot read the image: {error.strerror}", where=name, hint="check the file"
            ) from None
        except (ValueError, RuntimeError):
            raise UsageError("not a usable path for an image", where=name[:80]) from None

    def base64(self) -> str:
        """The bytes as base64, without a `data:` prefix."""
        from base64 import b64encode

        return b64encode(self.data).decode("ascii")

    def as_url(self) -> str:
        """The https URL, or a data URL with the detected media type."""
        return self.url or f"data:{self.media_type};base64,{self.base64()}"


def read_image_file(path: str, name: str, max_bytes: int) -> bytes:
    """Read a file's bytes; at most `max_bytes` + 1, if it grows meanwhile. `name`: for messages.

    Raises:
        UsageError: not a regular file, empty (files in /proc report 0 bytes), or over `max_bytes`.
        OSError, ValueError, RuntimeError: it cannot be read, or the path is not valid.
    """
    from .private_file import NotRegularFileError, open_regular  # most prompts have no image

    expanded = Path(os.path.expanduser(path))
    not_regular = UsageError("the image is not a regular file", where=name)
    # It is checked before it is opened, too, because opening a device can have effects.
    if not stat.S_ISREG(expanded.stat().st_mode):
        raise not_regular
    try:
        descriptor = open_regular(expanded, os.O_RDONLY)
    except NotRegularFileError:  # it was replaced meanwhile
        raise not_regular from None
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if not size:
            raise UsageError("not an image: the file is empty", where=name)
        if size > max_bytes:
            raise UsageError(f"the image is larger than {max_bytes >> 20} MB", where=name)
        return file.read(max_bytes + 1)
