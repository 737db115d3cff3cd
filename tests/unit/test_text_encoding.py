"""Bytes to text: a byte order mark is dropped, and bytes that are not UTF-8 give a clear error."""

import pytest

from easyllm_cli.errors import ConfigError, UsageError
from easyllm_cli.text_encoding import decode_text
from tests.support.images import gif_1x1, png

WORDS = "héllo € “quoted” ünïcode"
MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (MARK + b"text", "text"),
        (MARK, ""),
        (MARK + MARK + b"text", "\ufefftext"),
        (b"in the \xef\xbb\xbfmiddle", "in the \ufeffmiddle"),
        (MARK + b"  \r\n spaces \r\n", "  \r\n spaces \r\n"),
        ("\u00fc\u2028\x00\U0001f600".encode(), "\u00fc\u2028\x00\U0001f600"),
        (b"one\x00two\x00three\x00", "one\x00two\x00three\x00"),
        (b"\x00\x00", "\x00\x00"),
        (b"", ""),
    ],
)
def test_utf_8(data: bytes, wanted: str) -> None:
    assert decode_text(data, "the file") == wanted


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (WORDS.encode("utf-16"), "UTF-16"),
        (b"\xff\xfe" + WORDS.encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), "UTF-16"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xff\xfe" + "ключ".encode("utf-16-le"), "UTF-16"),
        (WORDS.encode("utf-16-le"), "UTF-16LE"),
        (WORDS.encode("utf-16-be"), "UTF-16BE"),
        ("hi".encode("utf-16-le"), "UTF-16LE"),
        ('{"role": "user"}\r\n'.encode("utf-16-be"), "UTF-16BE"),
        (WORDS.encode("utf-32"), "UTF-32"),
        (b"\x00\x00\xfe\xff" + WORDS.encode("utf-32-be"), "UTF-32"),
    ],
)
def test_utf_16_and_32_errors_name_the_iconv_command(data: bytes, encoding: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode_text(data, "the file", "my notes.txt")
    assert caught.value.message == f"the file is {encoding}, and UTF-8 is needed"
    assert caught.value.hint == f"convert it: iconv -f {encoding} -t UTF-8 'my notes.txt'"


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (WORDS.encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8 a.txt"),
        ("naïve".encode("latin-1"), "iconv -f WINDOWS-1252 -t UTF-8 a.txt"),
        ("BMW fährt über die Straße".encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8 a.txt"),
        ("übel\x1b[1m".encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8 a.txt"),
        (png(2, 2, (1, 2, 3)), "an image: -a FILE"),
        (gif_1x1() + b"\xff", "an image: -a FILE"),
        (b"\xff\xd8\xff\xe0", "an image: -a FILE"),
        (b"BM" + bytes(50) + b"\xff", "an image: -a FILE"),
        (b"\x7fELF\x02\x01\x01\x00\xff", "it is not text"),
        ("né".encode()[:-1], "its last character is cut in two"),
    ],
)
def test_other_bytes_get_a_hint(data: bytes, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_text(data, "the file", "a.txt", ConfigError, "an image: -a FILE")
    assert "not UTF-8 at byte" in caught.value.message
    assert hint in caught.value.hint
    assert ("image" in caught.value.hint) == ("image" in hint)


def test_hint_for_stdin_is_a_pipe() -> None:
    with pytest.raises(UsageError) as caught:
        decode_text(WORDS.encode("utf-16"), "stdin")
    assert caught.value.hint == "convert it: … | iconv -f UTF-16 -t UTF-8 | easyllm …"
