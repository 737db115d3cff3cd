"""Makes small valid PNG and GIF images, without an image library."""

import struct
import zlib


def png(width: int, height: int, rgb: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""
    row = b"\x00" + bytes(rgb) * width  # 0: this row is not filtered
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, true colour
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def gif_1x1() -> bytes:
    """Return a GIF of one black pixel."""
    screen = struct.pack("<HHBBB", 1, 1, 0x80, 0, 0)  # 0x80: a palette of two colours follows
    palette = bytes((0, 0, 0)) + bytes((255, 255, 255))
    image = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    pixel = bytes((2, 2, 0x44, 0x01, 0))  # LZW: clear, colour 0, end
    return b"GIF89a" + screen + palette + image + pixel + b";"
