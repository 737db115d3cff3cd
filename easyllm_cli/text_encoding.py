"""Bytes of a text file or a pipe as text: UTF-8, and the right command for what is none.

Editors of Windows put a byte order mark before UTF-8, which is ignored (RFC 8259 §8.1 allows that
for JSON), and `>` of Windows PowerShell writes UTF-16, which is refused.
"""

from __future__ import annotations

from .errors import EasyLLMError, UsageError

UTF8_BOM = b"\xef\xbb\xbf"
# The longest first: UTF-32's mark begins with that of UTF-16.
NON_UTF8_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
SAMPLE_BYTES = 1024  # bytes that are looked at where no mark tells the encoding
CONTROL_BYTES = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\x08\x1b")


def decode_text(
    data: bytes,
    what: str,
    path: str = "",
    error_class: type[EasyLLMError] = UsageError,
    image_hint: str = "it is an image, and text is needed",
) -> str:
    """The text, without a byte order mark at its start; nothing else is trimmed.

    `path`: "" = stdin. `kind`: the error's class. `if_image`: what to do with a picture.
    Raises:
        kind: it is not UTF-8; names the first wrong byte, and the command that converts it.
    """
    refuse_utf16(data, what, path, error_class)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        hint = _format_decode_hint(data, error, path, image_hint)
        raise error_class(
            f"{what} is not UTF-8 at byte {error.start}", where=path, hint=hint
        ) from None


def refuse_utf16(
    data: bytes, what: str, path: str = "", error_class: type[EasyLLMError] = UsageError
) -> None:
    """Raise `kind` where the bytes are UTF-16 or UTF-32; names the command that converts them."""
    encoding = next((name for mark, name in NON_UTF8_BOMS if data.startswith(mark)), "")
    encoding = encoding or _detect_utf16_without_bom(data[:SAMPLE_BYTES])
    if encoding:
        hint = format_conversion_hint(encoding, path)
        raise error_class(f"{what} is {encoding}, and UTF-8 is needed", where=path, hint=hint)


def format_conversion_hint(encoding: str, path: str) -> str:
    """The command that makes UTF-8 of it."""
    if not path:
        return f"convert it: … | iconv -f {encoding} -t UTF-8 | easyllm …"
    import shlex

    return f"convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(path)}"


def _detect_utf16_without_bom(sample: bytes) -> str:
    """UTF-16 without a mark, where it is plain: nearly every second byte is 0, no other one is."""
    if len(sample) < 4:
        return ""
    even, odd = sample[::2], sample[1::2]
    for low, high, name in ((even, odd, "UTF-16LE"), (odd, even, "UTF-16BE")):
        if high.count(0) * 4 >= len(high) * 3 and low.count(0) * 20 <= len(low):
            return name
    return ""


def _format_decode_hint(data: bytes, error: UnicodeDecodeError, path: str, image_hint: str) -> str:
    from .image_header import sniff_media_type  # on errors only

    if sniff_media_type(data):
        return image_hint
    if not CONTROL_BYTES.isdisjoint(data[:SAMPLE_BYTES]):
        return "it is no text"
    if error.reason == "unexpected end of data":
        return "its last character is cut in two"
    return format_conversion_hint("WINDOWS-1252", path).replace(
        "it:", "it, if it comes from Windows:"
    )
