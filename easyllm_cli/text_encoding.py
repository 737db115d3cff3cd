"""Bytes of a text file or a pipe as text: UTF-8, and the right command for what is none.

Editors of Windows put a byte order mark before UTF-8, which is ignored (RFC 8259 §8.1 allows that
for JSON), and `>` of Windows PowerShell writes UTF-16, which is refused.
"""

from __future__ import annotations

from .errors import EasyLLMError, UsageError

UTF8_MARK = b"\xef\xbb\xbf"
# The longest first: UTF-32's mark begins with that of UTF-16.
OTHER_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
SAMPLE = 1024  # bytes that are looked at where no mark tells the encoding
CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\x08\x1b")


def decode_text(
    data: bytes,
    what: str,
    path: str = "",
    kind: type[EasyLLMError] = UsageError,
    if_image: str = "it is an image, and text is needed",
) -> str:
    """The text, without a byte order mark at its start; nothing else is trimmed.

    `path`: "" = stdin. `kind`: the error's class. `if_image`: what to do with a picture.
    Raises:
        kind: it is not UTF-8; names the first wrong byte, and the command that converts it.
    """
    refuse_utf16(data, what, path, kind)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        hint = _hint(data, error, path, if_image)
        raise kind(f"{what} is not UTF-8 at byte {error.start}", where=path, hint=hint) from None


def refuse_utf16(
    data: bytes, what: str, path: str = "", kind: type[EasyLLMError] = UsageError
) -> None:
    """Raise `kind` where the bytes are UTF-16 or UTF-32; names the command that converts them."""
    encoding = next((name for mark, name in OTHER_MARKS if data.startswith(mark)), "")
    encoding = encoding or _unmarked(data[:SAMPLE])
    if encoding:
        hint = converting(encoding, path)
        raise kind(f"{what} is {encoding}, and UTF-8 is needed", where=path, hint=hint)


def converting(encoding: str, path: str) -> str:
    """The command that makes UTF-8 of it."""
    if not path:
        return f"convert it: … | iconv -f {encoding} -t UTF-8 | easyllm …"
    import shlex

    return f"convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(path)}"


def _unmarked(sample: bytes) -> str:
    """UTF-16 without a mark, where it is plain: nearly every second byte is 0, no other one is."""
    if len(sample) < 4:
        return ""
    even, odd = sample[::2], sample[1::2]
    for low, high, name in ((even, odd, "UTF-16LE"), (odd, even, "UTF-16BE")):
        if high.count(0) * 4 >= len(high) * 3 and low.count(0) * 20 <= len(low):
            return name
    return ""


def _hint(data: bytes, error: UnicodeDecodeError, path: str, if_image: str) -> str:
    from .image_header import sniff  # on errors only

    if sniff(data):
        return if_image
    if not CONTROLS.isdisjoint(data[:SAMPLE]):
        return "it is no text"
    if error.reason == "unexpected end of data":
        return "its last character is cut in two"
    return converting("WINDOWS-1252", path).replace("it:", "it, if it comes from Windows:")
