"""A table as rows: columns as wide as they need, narrowed where the terminal is too narrow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from .spans import DIM, Row, Span, cells, joined
from .wrapping import wrap

GAP = 2  # cells between two columns
LEAST = 5  # cells; where a column cannot have them, each row of the table becomes a small list

Cells = Sequence[Sequence[Span]]


def grid(table: Sequence[Cells], right: Sequence[bool], width: int) -> list[Row]:
    """`table`: rows of cells, the header first; `right`: which columns stand to the right."""
    header, *body = table
    natural = [max(cells(tuple(row[column])) for row in table) for column in range(len(header))]
    widths = narrowed(natural, width - GAP * (len(header) - 1))
    if not widths:
        return as_lists(header, body, width)
    made = _line(header, widths, right)
    made.append(joined([("  ".join("─" * one for one in widths), DIM)]))
    for row in body:
        made += _line(row, widths, right)
    return made


def narrowed(natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the widest columns give first. Empty where there is no room for all."""
    if room < sum(min(one, LEAST) for one in natural):
        return []
    low, high = LEAST, max(natural)
    if sum(natural) <= room:
        return [max(one, 1) for one in natural]
    while low < high:  # the widest that a column may be
        middle = (low + high + 1) // 2
        if sum(min(one, middle) for one in natural) <= room:
            low = middle
        else:
            high = middle - 1
    made = [max(min(one, low), 1) for one in natural]
    for column, one in enumerate(natural):
        if one > low and sum(made) < room:
            made[column] += 1
    return made


def _line(row: Cells, widths: Sequence[int], right: Sequence[bool]) -> list[Row]:
    """One row of the table, its cells wrapped."""
    wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    made: list[Row] = []
    for parts in zip_longest(*wrapped, fillvalue=()) if any(wrapped) else [[()] * len(widths)]:
        spans: list[Span] = []
        for column, part in enumerate(parts):
            blank = (" " * max(0, widths[column] - cells(part)), "")
            spans += [blank, *part] if right[column] else [*part, blank]
            spans.append((" " * GAP, ""))
        made.append(joined(spans))
    return made


def as_lists(header: Cells, body: Sequence[Cells], width: int) -> list[Row]:
    """Every cell in a row of its own, behind its column's name."""
    made: list[Row] = []
    if not body:
        return [row for cell in header for row in wrap(cell, width)]
    for number, row in enumerate(body):
        if number:
            made.append(())
        for title, cell in zip(header, row, strict=True):
            if cell:
                made += wrap([*title, (": " if title else "", ""), *cell], width)
    return made
