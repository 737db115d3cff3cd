"""Sanitizing untrusted text for a terminal: no control code passes, at any split (FAULT-62)."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.render.record_list import escape_invisible
from easyllm_cli.render.sanitize import Sanitizer, sanitize_text

ESC, BEL, ST = "\x1b", "\x07", "\x1b\\"
# Payloads that rich lets through to a terminal, and some that it does not.
PAYLOADS = [
    f"{ESC}]52;c;aGk={BEL}", f"{ESC}]52;c;aGk={ST}", f"{ESC}]8;;https://evil{ST}bank{ESC}]8;;{ST}",
    f"{ESC}[2J{ESC}[H", f"{ESC}[31mred{ESC}[0m", f"{ESC}[1A{ESC}[2K", f"{ESC}]0;title{BEL}",
    f"{ESC}c", f"{ESC}[6n", f"{ESC}P+q544e{ST}", "\x9b31m", "\x9d0;title\x9c", "\x90q\x9c",
    "\x7f\x7f", "pass\rfail", "a\x08b", "\x00", "\x0b\x0c\x0e\x0f", "\u202eevil\u202c",
    "\u2066a\u2069", "\U000e0041\U000e007f", "\ufeffa", "a\u2028b\u2029c", "\ud800", "\x85",
    "\u061ca\u200eb\u200f",
]  # fmt: skip
FORBIDDEN = {
    *range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F),
    *range(0x2066, 0x206A), 0xFEFF, *range(0xD800, 0xE000), *range(0xE0000, 0xE0080),
    0x061C, 0x200E, 0x200F,
} - {0x09, 0x0A}  # fmt: skip
texts = st.lists(
    st.sampled_from([*PAYLOADS, "\r", "\n", "\r\n", "\t", "é", "日本", "😀", "plain words"])
    | st.characters(codec=None),
    max_size=12,
).map("".join)


def harmless(text: str) -> bool:
    return not any(ord(char) in FORBIDDEN for char in text)


def sanitize_in_pieces(pieces: Iterable[str]) -> str:
    sanitizer = Sanitizer()
    return "".join([*map(sanitizer.feed, pieces), sanitizer.end()])


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_fault_62_no_payload_gets_through_at_any_split(payload: str) -> None:
    whole = sanitize_text(payload)
    assert harmless(whole)
    assert sanitize_in_pieces(payload) == whole
    for at in range(len(payload) + 1):
        sanitizer = Sanitizer()
        first, second = sanitizer.feed(payload[:at]), sanitizer.feed(payload[at:])
        rest = sanitizer.end()
        assert harmless(first)
        assert harmless(second)
        assert harmless(rest)
        assert first + second + rest == whole


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_fault_62_payloads_split_at_every_byte(payload: str) -> None:
    raw = payload.encode("utf-8", "surrogatepass")
    for at in range(len(raw) + 1):
        pieces = [part.decode("utf-8", "replace") for part in (raw[:at], raw[at:])]
        assert harmless(sanitize_in_pieces(pieces))


@given(text=texts, cuts=st.lists(st.integers(0, 60), max_size=8))
def test_any_text_at_any_split_is_harmless_and_the_same(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    whole = sanitize_text(text)
    assert harmless(whole)
    assert sanitize_in_pieces(text[start:end] for start, end in pairwise(edges)) == whole
    assert sanitize_in_pieces(text) == whole
    assert sanitize_text(whole) == whole


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_ordinary_text_is_untouched(text: str) -> None:
    assert sanitize_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"), ("a\r\nb", "a\nb"), ("a\rb", "a␍b"), ("a\r", "a␍"),
        ("\r\r\n", "␍\n"), ("\r\n\r\n", "\n\n"), ("\n\r", "\n␍"), (ESC, "␛"), ("\x00", "␀"),
        ("\x7f", "␡"), ("\x9b", "\ufffd"), ("\x85", "\ufffd"), ("\u202e", "<U+202E>"),
        ("\u2069", "<U+2069>"), ("a\u200fb", "a<U+200F>b"), ("\u061c", "<U+061C>"),
        ("\u200e", "<U+200E>"), ("\u2028\u2029", "\n\n"), ("\ufeffa", "a"), ("\U000e0041a", "a"),
        ("\u200b", "\u200b"), ("é日😀", "é日😀"), ("\ud800", "\ufffd"), ("", ""),
    ],
    ids=ascii,
)  # fmt: skip
def test_replacements(text: str, shown: str) -> None:
    assert sanitize_text(text) == shown
    assert sanitize_in_pieces(text) == shown
    assert sanitize_in_pieces(["", *text, ""]) == shown


def test_a_held_return_does_not_hold_back_the_text_before_it() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed("progress\r") == "progress"
    assert sanitizer.feed("\nnext") == "\nnext"
    assert sanitizer.end() == ""
    assert sanitizer.end() == ""


@pytest.mark.parametrize(
    "char", ["\u200b", "\u200d", "\u2060", "\xad", "\ufeff", "\u200e", "\U000e0041"], ids=ascii
)
def test_invisible_characters_in_names_are_escaped(char: str) -> None:
    assert escape_invisible(f"gpt-{char}5") == f"gpt-<U+{ord(char):04X}>5"
    assert escape_invisible("gpt-5 é日\x1b") == "gpt-5 é日␛"
