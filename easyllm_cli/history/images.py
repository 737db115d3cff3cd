"""Describes the images of a call for the history, and reads them again; bytes are never stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..images import Image


def image_row(image: Image, position: int) -> dict[str, Any]:
    """The row of an image; `source`: its path, or its URL without query and user; None = neither.

    An image from stdin, or given as bytes, has neither.
    """
    if image.url:
        data, source = image.url.encode(), _public_url(image.url)
    else:
        data, source = image.data, image.path
    return {
        "position": position,
        "sha256": _sha256(data),
        "media_type": image.media_type,
        "bytes": len(image.data),
        "source": source or None,
    }


def _public_url(url: str) -> str:
    """The URL without its user name, password, query and fragment."""
    scheme, _, rest = url.partition("#")[0].partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def read_again(row: dict[str, Any]) -> Image:
    """The image of a row, read from its source.

    Raises:
        UsageError: it has no source, the source cannot be read, or it is another image now.
    """
    source = row["source"] or ""
    hint = "send it again with -a, in a new conversation"
    if not source:
        raise UsageError("an image of the conversation came from stdin and is not kept", hint=hint)
    is_url = source.startswith("https://")
    image = Image(url=source, name=source) if is_url else Image.of(Path(source))
    if _sha256(source.encode() if is_url else image.data) != row["sha256"]:
        why = "its URL had parts that are not kept" if is_url else "the file has changed"
        raise UsageError(
            f"an image of the conversation cannot be sent again: {why}", where=source, hint=hint
        )
    return image


def _sha256(data: bytes) -> str:
    from hashlib import sha256  # OpenSSL: only where there is an image

    return sha256(data).hexdigest()
