"""A picture in one line: its name, kind, size in pixels and in bytes, from its own header."""

from __future__ import annotations

from ..image_header import pixels
from ..images import Image


def described(image: Image) -> str:
    """`red.png: PNG, 32 × 32, 98 bytes`; an https URL alone, whose picture nobody has read."""
    if image.url:
        return image.url
    kind = image.media_type.partition("/")[2].upper()
    size = pixels(image.data)
    shown = [kind, f"{size[0]} × {size[1]}" if size else "", amount(len(image.data))]
    return f"{image.name}: {', '.join(part for part in shown if part)}"


def amount(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
