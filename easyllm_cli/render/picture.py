"""A picture in one line: its name, kind, size in pixels and in bytes, from its own header."""

from __future__ import annotations

from ..messages import Image

# A JPEG's frame headers, but for C4, C8 and CC, which are tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


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


def pixels(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says, None where it does not; no picture is decoded."""
    if data.startswith(b"\x89PNG"):
        found = _both(data, 16, 4, "big")
    elif data.startswith(b"GIF8"):
        found = _both(data, 6, 2, "little")
    elif data.startswith(b"BM"):
        width, height = _both(data, 18, 4, "little")
        found = width, abs(height - (1 << 32) if height >> 31 else height)  # < 0: top to bottom
    elif data[8:12] == b"WEBP":
        found = _webp(data)
    elif data.startswith(b"\xff\xd8"):
        found = _jpeg(data)
    else:
        found = _heic(data)
    return found if all(found) else None


def _both(data: bytes, at: int, size: int, order: str) -> tuple[int, int]:
    """Two numbers one behind the other; zeros where the header is cut."""
    if len(data) < at + 2 * size:
        return 0, 0
    first, second = data[at : at + size], data[at + size : at + 2 * size]
    if order == "big":
        return int.from_bytes(first, "big"), int.from_bytes(second, "big")
    return int.from_bytes(first, "little"), int.from_bytes(second, "little")


def _webp(data: bytes) -> tuple[int, int]:
    """The three forms: lossy, lossless, extended."""
    form = data[12:16]
    if len(data) < (25 if form == b"VP8L" else 30):
        return 0, 0
    if form == b"VP8X":
        width, height = _both(data, 24, 3, "little")
        return width + 1, height + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = _both(data, 26, 2, "little")
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    """From segment to segment up to the frame header."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in FRAMES:
            height, width = _both(data, at + 5, 2, "big")
            return width, height
        fill, alone = marker == 0xFF, marker in ALONE
        at += 1 if fill else 2 if alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0


def _heic(data: bytes) -> tuple[int, int]:
    """The largest of the `ispe` boxes: a picture may be made of tiles."""
    found = [(0, 0)]
    at = data.find(b"ispe")
    while at >= 0 and len(found) < 1000:
        found.append(_both(data, at + 8, 4, "big"))
        at = data.find(b"ispe", at + 4)
    return max(found)
