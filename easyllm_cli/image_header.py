"""Reads format, size in pixels and orientation from an image's header; decodes no pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

# The first bytes tell the format. File names and declared media types are often wrong.
IMAGE_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# HEIF brands (ISO/IEC 23008-12): HEVC (the file is HEIC), any codec, other codecs.
HEIC_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"))
CODEC_NEUTRAL_BRANDS = frozenset((b"mif1", b"msf1"))
NON_HEVC_BRANDS = frozenset(
    (b"avif", b"avis", b"avci", b"avcs", b"j2ki", b"j2is", b"jpeg", b"vvic")
)
# Formats that no model accepts: (offset, bytes at that offset, format).
UNSUPPORTED_SIGNATURES = (
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"),
    (0, b"8BPS", "PSD"),
    (0, b"%PDF-", "PDF"),
)
# Pillow, which many servers use, rejects larger images as decompression bombs: the limit is twice
# its MAX_IMAGE_PIXELS (Pillow's Image.py). A photo of 100 megapixels is well below.
MAX_PIXELS = 2 * (1024**3 // 4 // 3)

# JPEG frame headers (SOF). C4 and CC are tables, C8 is reserved (ITU-T T.81).
JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A marker with a length field. Bytes before the next marker are skipped, as decoders do.
JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
# End of image, and start of the image data.
JPEG_HEADER_END_MARKERS = frozenset((0xD9, 0xDA))
# EXIF: the prefix of its segment, how many bytes of it are read, and two numbers of TIFF.
EXIF_PREFIX = b"Exif\0\0"
MAX_EXIF_BYTES = 1 << 16
TIFF_ORIENTATION_TAG = 0x112
TIFF_LONG_TYPE = 4
# The box with the size of an image in HEIC: its name and version 0.
HEIC_SIZE_BOX = re.compile(rb"ispe\x00\x00\x00\x00")
Size = tuple[int, int]


def sniff_media_type(data: bytes) -> str | None:
    """The media type according to the first bytes; None = not a known image format."""
    for magic, media_type in IMAGE_SIGNATURES:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if (
        data.startswith(b"BM") and b"\0" in data[:14]
    ):  # BMP's length fields have zero bytes, a text has none
        return "image/bmp"
    return _sniff_heif(data) if data[4:8] == b"ftyp" else None


def _sniff_heif(data: bytes) -> str | None:
    """HEIC, HEIF or None, by the major brand; for `mif1` (any codec) by the compatible brands."""
    major = data[8:12]
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in range(16, length, 4)}
    if major in HEIC_BRANDS or (major in CODEC_NEUTRAL_BRANDS and HEIC_BRANDS & brands):
        return "image/heic"
    if major in CODEC_NEUTRAL_BRANDS:
        return "image/heif" if NON_HEVC_BRANDS & brands else "image/heic"
    return None


def sniff_unsupported_format(data: bytes) -> str:
    """The name of a format that no model accepts (AVIF, TIFF, PDF, …); "" = none of these."""
    formats = (kind for at, magic, kind in UNSUPPORTED_SIGNATURES if data.startswith(magic, at))
    return next(formats, "")


def read_dimensions(data: bytes) -> Size | None:
    """Width and height according to the header; None = the header does not say.

    A GIF or HEIC can hold several images: the size is that of the largest.
    """
    if data.startswith(b"\x89PNG"):
        size = _read_number_pair(data, 16, 4, "big")
    elif data.startswith(b"GIF8"):
        size = _select_largest(_read_gif_sizes(data))
    elif data.startswith(b"BM"):
        size = _read_bmp_size(data)
    elif data[8:12] == b"WEBP":
        size = _read_webp_size(data)
    elif data.startswith(b"\xff\xd8"):
        size = _read_jpeg_size(data)
    else:
        boxes = HEIC_SIZE_BOX.finditer(data)  # an image may consist of tiles
        size = _select_largest(_read_number_pair(data, box.end(), 4, "big") for box in boxes)
    return size if all(size) else None


def _select_largest(sizes: Iterable[Size]) -> Size:
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def _read_number_pair(data: bytes, offset: int, number_bytes: int, byte_order: str) -> Size:
    """Two adjacent numbers; zeros if the header is cut."""
    if len(data) < offset + 2 * number_bytes:
        return 0, 0
    middle, end = offset + number_bytes, offset + 2 * number_bytes
    first, second = data[offset:middle], data[middle:end]
    if byte_order == "big":
        return int.from_bytes(first, "big"), int.from_bytes(second, "big")
    return int.from_bytes(first, "little"), int.from_bytes(second, "little")


def _read_gif_sizes(data: bytes) -> Iterable[Size]:
    """The size of the screen, then of every image, up to the end or the first invalid block."""
    yield _read_number_pair(data, 6, 2, "little")
    at = 13 + _read_palette_length(data, 10)
    while at < len(data) and data[at] in b"!,":
        if data[at : at + 1] == b",":
            yield _read_number_pair(data, at + 5, 2, "little")
            at += 11 + _read_palette_length(data, at + 9)
        else:
            at += 2
        while at < len(data) and data[at]:  # data blocks, each preceded by its length
            at += 1 + data[at]
        at += 1


def _read_palette_length(data: bytes, offset: int) -> int:
    """The length in bytes of the colour table; the flags at `offset` tell it."""
    flags = data[offset] if offset < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _read_bmp_size(data: bytes) -> Size:
    """Width and height of a BMP; a negative height means that the rows run from top to bottom.

    The old OS/2 header (12 bytes) has 16-bit numbers.
    """
    if data[14:18] == b"\x0c\x00\x00\x00":
        return _read_number_pair(data, 18, 2, "little")
    width, height = _read_number_pair(data, 18, 4, "little")
    return width, (1 << 32) - height if height >> 31 else height


def _read_webp_size(data: bytes) -> Size:
    """Width and height of a WebP in its three forms: lossy, lossless, extended."""
    form = data[12:16]
    if len(data) < (25 if form == b"VP8L" else 30):
        return 0, 0
    if form == b"VP8X":
        width, height = _read_number_pair(data, 24, 3, "little")
        return width + 1, height + 1
    if form == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = _read_number_pair(data, 26, 2, "little")
    return width & 0x3FFF, height & 0x3FFF


def _read_jpeg_size(data: bytes) -> Size:
    """Width and height of a JPEG, from its first frame header; zeros if there is none."""
    at = 2
    while marker := JPEG_MARKER.search(data, at):
        at = marker.start()
        if data[at + 1] in JPEG_FRAME_MARKERS:
            height, width = _read_number_pair(data, at + 5, 2, "big")
            return width, height
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return 0, 0


def read_orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 = upright, or no EXIF.

    EXIF in a HEIC is ignored: HEIC has its own rotation box, which decoders apply.
    """
    if data.startswith(b"\xff\xd8"):
        return _orientation_from_tiff(_find_jpeg_exif(data))
    if data.startswith(b"\x89PNG"):
        at = data.find(b"eXIf")
        return _orientation_from_tiff(data[at + 4 : at + 4 + MAX_EXIF_BYTES]) if at > 0 else 1
    if data[8:12] == b"WEBP":
        at = data.find(b"EXIF", 12)
        return _orientation_from_tiff(data[at + 8 : at + 8 + MAX_EXIF_BYTES]) if at > 0 else 1
    return 1


def _find_jpeg_exif(data: bytes) -> bytes:
    """The content of the EXIF segment, which comes before the image data; b"" = none."""
    at = 2
    while marker := JPEG_MARKER.search(data, at):
        at = marker.start()
        length = max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if data[at + 1] in JPEG_HEADER_END_MARKERS:
            break
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == EXIF_PREFIX:
            return data[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _orientation_from_tiff(exif: bytes) -> int:
    """The orientation in the first directory of a TIFF header; 1 = none."""
    exif = exif.removeprefix(EXIF_PREFIX)
    byte_order: Literal["big", "little"] = "big" if exif.startswith(b"MM") else "little"
    if exif[:4] not in (b"MM\0*", b"II*\0"):
        return 1
    directory = int.from_bytes(exif[4:8], byte_order)
    entry_count = int.from_bytes(exif[directory : directory + 2], byte_order)
    for at in range(directory + 2, directory + 2 + 12 * entry_count, 12):
        entry = exif[at : at + 12]
        if len(entry) < 12:
            break
        if int.from_bytes(entry[:2], byte_order) == TIFF_ORIENTATION_TAG:
            is_long = int.from_bytes(entry[2:4], byte_order) == TIFF_LONG_TYPE
            value = int.from_bytes(entry[8 : 12 if is_long else 10], byte_order)
            return value if 1 <= value <= 8 else 1
    return 1
