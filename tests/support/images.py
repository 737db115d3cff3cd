"""Makes small valid PNG and GIF images, without an image library."""

import struct
import zlib


def png(width: int, height: int, rgb: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""
    return _png(width, height, zlib.compress(_rows(width, height, rgb)))


def uncompressed_png(width: int, height: int, rgb: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour whose bytes are the same with every zlib; at most 64 KB."""
    rows = _rows(width, height, rgb)
    # The header of zlib's format; one stored block, the last; its length, and that inverted.
    head = b"\x78\x01\x01" + struct.pack("<HH", len(rows), 0xFFFF - len(rows))
    return _png(width, height, head + rows + struct.pack(">I", zlib.adler32(rows)))


def _rows(width: int, height: int, rgb: tuple[int, int, int]) -> bytes:
    return (b"\x00" + bytes(rgb) * width) * height  # 0: this row is not filtered


def _png(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, true colour
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
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
