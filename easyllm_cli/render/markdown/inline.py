"""Converts the inline Markdown of a block to spans: emphasis, code, links, images."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it.token import Token

from ..spans import (
    BOLD,
    CYAN,
    DIM,
    ITALIC,
    STRIKE,
    UNDERLINE,
    Span,
    combine_styles,
    sanitize_row_text,
)
from .math import MATH_INLINE
from .table import BREAK_TAG

INLINE_STYLES = {"em_open": ITALIC, "strong_open": BOLD, "s_open": STRIKE, "link_open": UNDERLINE}
LINE_BREAKS = {"softbreak": " ", "hardbreak": "\n"}
DISPLAY_MARKS = ("\\[", "$$")  # of formulas that stand apart from the text around them


def spans_from_inline(inline: Token, style: str = "", in_cell: bool = False) -> list[Span]:
    """Return the spans of an inline token, based on `style`; "\\n" is a hard break.

    `in_cell`: in a table cell, where `<br>` breaks the line.
    """
    return _InlineConverter(style, in_cell).convert(inline.children or [])


class _InlineConverter:
    def __init__(self, style: str, in_cell: bool) -> None:
        self.in_cell = in_cell
        self.spans: list[Span] = []
        self.styles = [style]
        self.links: list[tuple[int, str]] = []  # index in `spans` of the label's start, and the URL

    def convert(self, children: Sequence[Token]) -> list[Span]:
        for token in children:
            if token.nesting > 0:
                self._open(token)
            elif token.nesting < 0:
                self._close(token)
            else:
                self._add_leaf(token)
        return self.spans

    def _open(self, token: Token) -> None:
        self.styles.append(combine_styles(self.styles[-1], INLINE_STYLES.get(token.type, "")))
        if token.type == "link_open":
            self.links.append((len(self.spans), str(token.attrs.get("href", ""))))

    def _close(self, token: Token) -> None:
        self.styles.pop()
        if token.type == "link_close":
            start, target = self.links.pop()
            label = "".join(text for text, _ in self.spans[start:])
            if target not in (label, f"mailto:{label}"):
                self._add(
                    f" ({sanitize_row_text(target)})" if label else sanitize_row_text(target), DIM
                )

    def _add_leaf(self, token: Token) -> None:
        if token.type in LINE_BREAKS:
            self._add(LINE_BREAKS[token.type])
        elif token.type == "code_inline":
            self._add(sanitize_row_text(token.content), CYAN)
        elif token.type == MATH_INLINE:
            self._add_math(token.content)
        elif token.type == BREAK_TAG and self.in_cell:
            self._add("\n")
        elif token.type == "image":
            self._add("[image] ", DIM)
            self.convert(token.children or [])
            self._add(f" ({sanitize_row_text(str(token.attrs.get('src', '')))})", DIM)
        else:
            self._add(sanitize_row_text(token.content).replace("\t", " "))

    def _add_math(self, text: str) -> None:
        """Add a formula; only the lines of one that stands apart matter."""
        lines = text.split("\n") if text.startswith(DISPLAY_MARKS) else [text]
        self._add("\n".join(sanitize_row_text(line).replace("\t", " ") for line in lines), CYAN)

    def _add(self, text: str, style: str = "") -> None:
        self.spans.append((text, combine_styles(self.styles[-1], style)))
