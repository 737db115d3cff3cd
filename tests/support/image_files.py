"""Makes image files with metadata: HEIF with its brands, and EXIF in JPEG, PNG and WebP."""

import struct
import zlib

from tests.support.images import png


def heif(major: bytes, *compatible: bytes) -> bytes:
    """Return the start of a file of the HEIF family, with these brands."""
    brands = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(brands) + 4) + brands + bytes(40)


HEIC = heif(b"heic", b"mif1", b"heic")


def exif(orientation: int, order: str = ">", kind: int = 3) -> bytes:
    """Return a TIFF block with a maker's name, the orientation and one more entry.

    `kind`: 3 = a short number, 4 = a long one.
    """
    short = struct.pack(order + "HH", orientation, 0)
    number = short if kind == 3 else struct.pack(order + "I", orientation)
    entries = [
        struct.pack(order + "HHI", 0x10F, 2, 3) + b"me\0\0",
        struct.pack(order + "HHI", 0x112, kind, 1) + number,
        struct.pack(order + "HHII", 0x11A, 5, 1, 100),
    ]
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)


def jpeg(tiff: bytes | None = None) -> bytes:
    """Return the segments of a JPEG: JFIF, EXIF if given, a frame, and the start of the data."""
    app1 = b""
    if tiff is not None:
        app1 = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    jfif = b"\xff\xe0\x00\x10JFIF\0" + bytes(9)
    frame = b"\xff\xc0\x00\x11\x08\x00\x08\x00\x10\x03" + bytes(9)
    return b"\xff\xd8" + jfif + app1 + frame + b"\xff\xda\x00\x02" + bytes(9) + b"\xff\xd9"


def png_with(tiff: bytes) -> bytes:
    """Return a PNG with an eXIf chunk before its end."""
    whole = png(2, 2, (1, 2, 3))
    end = len(whole) - 12
    content = b"eXIf" + tiff
    chunk = struct.pack(">I", len(tiff)) + content + struct.pack(">I", zlib.crc32(content))
    return whole[:end] + chunk + whole[end:]


def webp_with(tiff: bytes) -> bytes:
    """Return a WebP in the extended format, with an EXIF chunk at its end."""
    size = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + bytes(6)
    chunk = b"EXIF" + struct.pack("<I", len(tiff)) + tiff + b"\0" * (len(tiff) % 2)
    body = b"WEBP" + size + chunk
    return b"RIFF" + struct.pack("<I", len(body)) + body
