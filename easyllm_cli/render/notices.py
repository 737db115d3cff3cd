"""Lays out notices, errors and findings for a terminal: wrapped at words, in rows.

Imports no rich, which would make a command that only fails slow.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from .options import paint
from .words import WORD_PATTERN

INDENT = "  "  # of every row but the first
PREFIX = "easyllm:"
ZERO_WIDTH_CATEGORIES = ("Mn", "Me", "Cf")


def lay_out(parts: Sequence[str], width: int, indent: str = INDENT, whole: str = "") -> list[str]:
    """Wrap the parts into rows of at most `width` cells; each part begins a row.

    A word that is wider stays whole: the terminal wraps it, and it can be copied. `whole`: the end
    of a part that counts as one word, such as a path with blanks. So does what follows the last
    colon, which is often a command, if it fits in a row.
    """
    rows: list[str] = []
    for part in parts:
        end = whole if part.endswith(whole) else ""
        head, _, tail = part.removeprefix(PREFIX).rpartition(": ")
        if head and not end and text_width(indent + tail) <= width:
            end = tail
        words = WORD_PATTERN.findall(part.removesuffix(end))
        rows += _wrap_words(filter(None, [*words, end]), width, indent if rows else "", indent)
    return rows


def _wrap_words(words: Iterable[str], width: int, first_indent: str, indent: str) -> list[str]:
    """Fill rows with the words, as many as fit; each word includes the blanks behind it."""
    rows: list[str] = []
    row = first_indent
    for word in words:
        is_empty = not row.strip(" ")
        if not is_empty and text_width(row) + text_width(word.rstrip(" ")) > width:
            rows.append(row.rstrip(" "))
            row = indent
        row += word
    return [*rows, row.rstrip(" ")]


def text_width(text: str) -> int:
    """Width of the text in terminal cells; a tab counts as its longest."""
    text = text.replace("\t", " " * 8)
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(char) in ZERO_WIDTH_CATEGORIES
        else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def paint_prefix(line: str, code: str) -> str:
    """Colour the `easyllm:` at the beginning of a line that has one."""
    if not line.startswith(PREFIX):
        return line
    return paint(PREFIX, code) + line.removeprefix(PREFIX)
