"""Decodes the bytes of a file or of stdin as UTF-8; the error names a conversion command.

Windows editors write a byte order mark before UTF-8. It is ignored (RFC 8259 §8.1 allows that for
JSON). `>` in Windows PowerShell writes UTF-16, which is refused.
"""

from __future__ import annotations

from .errors import EasyLLMError, UsageError

UTF8_BOM = b"\xef\xbb\xbf"
# The longest first: the mark of UTF-32 starts with that of UTF-16.
NON_UTF8_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
SAMPLE_BYTES = 1024  # bytes that are examined if there is no byte order mark
CONTROL_BYTES = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\x08\x1b")


def decode_text(
    data: bytes,
    what: str,
    path: str = "",
    error_class: type[EasyLLMError] = UsageError,
    image_hint: str = "it is an image, and text is needed",
) -> str:
    """Decode UTF-8, without a byte order mark at the start; nothing else is trimmed.

    `what`: the name for the error line. `path`: "" = stdin. `image_hint`: the hint for an image.
    Raises:
        error_class: it is not UTF-8; names the first invalid byte and a conversion command.
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
    """Raise `error_class` if the bytes are UTF-16 or UTF-32; the hint converts them."""
    encoding = next((name for mark, name in NON_UTF8_BOMS if data.startswith(mark)), "")
    encoding = encoding or _detect_utf16_without_bom(data[:SAMPLE_BYTES])
    if encoding:
        hint = format_conversion_hint(encoding, path)
        raise error_class(f"{what} is {encoding}, and UTF-8 is needed", where=path, hint=hint)


def format_conversion_hint(encoding: str, path: str) -> str:
    """A hint with the command that converts the file, or stdin, to UTF-8."""
    if not path:
        return f"convert it: … | iconv -f {encoding} -t UTF-8 | easyllm …"
    import shlex

    return f"convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(path)}"


def _detect_utf16_without_bom(sample: bytes) -> str:
    """Recognise UTF-16 without a mark: most bytes of one parity are 0, few of the other are."""
    if len(sample) < 4:
        return ""
    even, odd = sample[::2], sample[1::2]
    for low, high, name in ((even, odd, "UTF-16LE"), (odd, even, "UTF-16BE")):
        if high.count(0) * 4 >= len(high) * 3 and low.count(0) * 20 <= len(low):
            return name
    return ""


def _format_decode_hint(data: bytes, error: UnicodeDecodeError, path: str, image_hint: str) -> str:
    from .image_header import sniff_media_type  # imported only on errors

    if sniff_media_type(data):
        return image_hint
    if not CONTROL_BYTES.isdisjoint(data[:SAMPLE_BYTES]):
        return "it is not text"
    if error.reason == "unexpected end of data":
        return "its last character is cut in two"
    return format_conversion_hint("WINDOWS-1252", path).replace(
        "it:", "it, if it comes from Windows:"
    )
