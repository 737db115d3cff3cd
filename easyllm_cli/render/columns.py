"""Lays out texts side by side, in columns of one width with a line between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from .spans import DIM, Row, Span, merge_and_trim, row_width
from .wrapping import fold

MIN_TERMINAL_WIDTH = 100  # cells; on a narrower terminal nothing stands side by side
MIN_TEXT_WIDTH = 30  # cells; in a narrower column text is hard to read
SEPARATOR: Span = (" │ ", DIM)


def measure_text_columns(count: int, width: int) -> int:
    """The width of each of `count` columns on a terminal, in cells; 0 = they do not fit."""
    cells = (width - len(SEPARATOR[0]) * (count - 1)) // count
    return cells if width >= MIN_TERMINAL_WIDTH and cells >= MIN_TEXT_WIDTH else 0


def join_columns(columns: Sequence[Sequence[Row]], width: int) -> list[Row]:
    """Join the rows of columns of `width` cells; a row that is wider is folded in its column."""
    folded = [[part for row in rows for part in fold(row, width)] for rows in columns]
    joined: list[Row] = []
    for parts in zip_longest(*folded, fillvalue=()):
        spans: list[Span] = []
        for number, part in enumerate(parts):
            spans += [SEPARATOR] if number else []
            spans += [*part, (" " * (width - row_width(part)), "")]
        joined.append(merge_and_trim(spans))
    return joined
