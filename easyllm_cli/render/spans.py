"""Styled text: a row is a tuple of spans, a span is a pair of text and SGR parameters.

The only colours are the terminal's own red, magenta, green and cyan, which are readable on light
and on dark backgrounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len

from .sanitize import SANITIZE_TABLE

Span = tuple[str, str]
Row = tuple[Span, ...]

BOLD, DIM, ITALIC, UNDERLINE, STRIKE = "1", "2", "3", "4", "9"
RED, GREEN, MAGENTA, CYAN = "31", "32", "35", "36"
# The Markdown parser can decode sanitized text into control characters again (`&#x202e;`,
# `<http://a/%1B>`), so rows are sanitized once more. A row contains no newline.
ROW_SANITIZE_TABLE = SANITIZE_TABLE | {ord(char): " " for char in "\n\u2028\u2029"}


def sanitize_row_text(text: str) -> str:
    """Sanitize text for a row: newlines become blanks, tabs stay."""
    return text if text.isprintable() else text.translate(ROW_SANITIZE_TABLE)


@lru_cache(256)
def combine_styles(style: str, added_style: str) -> str:
    """Combine the SGR parameters of two styles, without duplicates."""
    if not style or not added_style:
        return style or added_style
    codes = style.split(";")
    added = [code for code in added_style.split(";") if code not in codes]
    return ";".join([*codes, *added])


@lru_cache(256)
def remove_color(style: str) -> str:
    """Remove colours from a style; bold, dim and other attributes stay (NO_COLOR)."""
    return ";".join(code for code in style.split(";") if code not in (RED, GREEN, MAGENTA, CYAN))


def merge_spans(spans: Iterable[Span]) -> Row:
    """Return a row in which neighbouring spans of one style are joined."""
    merged: list[Span] = []
    for text, style in spans:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        elif text:
            merged.append((text, style))
    return tuple(merged)


def merge_and_trim(spans: Iterable[Span]) -> Row:
    """As `merge_spans`, without blanks at the row's end."""
    merged = list(merge_spans(spans))
    while merged:
        text, style = merged.pop()
        if text := text.rstrip(" "):
            return (*merged, (text, style))
    return ()


def row_width(row: Row) -> int:
    """Width of a row in terminal cells; a tab extends to the next multiple of 8."""
    width = 0
    for text, _ in row:
        first, *others = text.split("\t")
        width += cell_len(first)
        for part in others:
            width += 8 - width % 8 + cell_len(part)
    return width


def ansi_from_row(row: Row, colored: bool) -> str:
    """Return the row with ANSI codes; a style that extends the last one writes only what is new."""
    parts: list[str] = []
    last_style = ""
    for text, style in row:
        new_style = style if colored else remove_color(style)
        parts.append(f"{_ansi_for_style_change(last_style, new_style)}{sanitize_row_text(text)}")
        last_style = new_style
    return "".join(parts) + _ansi_for_style_change(last_style, "")


@lru_cache(256)
def _ansi_for_style_change(old_style: str, new_style: str) -> str:
    """Return the ANSI codes that change one style into another."""
    if new_style == old_style:
        return ""
    old_codes, new_codes = old_style.split(";") if old_style else [], new_style.split(";")
    if old_codes and not set(old_codes) <= set(new_codes):
        return f"\x1b[0;{new_style}m" if new_style else "\x1b[0m"
    return f"\x1b[{';'.join(code for code in new_codes if code not in old_codes)}m"


def max_row_bytes(row: Row) -> int:
    """Upper limit of the bytes that writing the row and its newline takes."""
    return 1 + sum(
        (len(text) if text.isascii() else len(text.encode("utf-8", "replace")))
        + (len(style) + 8 if style else 0)
        for text, style in row
    )


def text_from_row(row: Row) -> str:
    """Return the row's text without styles."""
    return "".join(text for text, _ in row)
