"""A table as rows: columns as wide as they need, narrowed where the terminal is too narrow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from .spans import DIM, Row, Span, merge_and_trim, row_width
from .wrapping import wrap

COLUMN_GAP_CELLS = 2  # cells between two columns
MIN_COLUMN_CELLS = (
    5  # cells; where a column cannot have them, each row of the table becomes a small list
)

TableRow = Sequence[Sequence[Span]]


def lay_out_table(table: Sequence[TableRow], align_right: Sequence[bool], width: int) -> list[Row]:
    """`table`: rows of cells, the header first; `right`: which columns stand to the right."""
    header, *body = table
    natural = [max(row_width(tuple(row[column])) for row in table) for column in range(len(header))]
    widths = fit_widths(natural, width - COLUMN_GAP_CELLS * (len(header) - 1))
    if not widths:
        return lay_out_as_lists(header, body, width)
    made = _lay_out_row(header, widths, align_right)
    made.append(merge_and_trim([("  ".join("─" * one for one in widths), DIM)]))
    for row in body:
        made += _lay_out_row(row, widths, align_right)
    return made


def fit_widths(natural_widths: Sequence[int], available_width: int) -> list[int]:
    """Widths that fit: the widest columns give first. Empty where there is no room for all."""
    if available_width < sum(min(one, MIN_COLUMN_CELLS) for one in natural_widths):
        return []
    low, high = MIN_COLUMN_CELLS, max(natural_widths)
    if sum(natural_widths) <= available_width:
        return [max(one, 1) for one in natural_widths]
    while low < high:  # the widest that a column may be
        middle = (low + high + 1) // 2
        if sum(min(one, middle) for one in natural_widths) <= available_width:
            low = middle
        else:
            high = middle - 1
    made = [max(min(one, low), 1) for one in natural_widths]
    for column, one in enumerate(natural_widths):
        if one > low and sum(made) < available_width:
            made[column] += 1
    return made


def _lay_out_row(row: TableRow, widths: Sequence[int], align_right: Sequence[bool]) -> list[Row]:
    """One row of the table, its cells wrapped."""
    wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    made: list[Row] = []
    for parts in zip_longest(*wrapped, fillvalue=()) if any(wrapped) else [[()] * len(widths)]:
        spans: list[Span] = []
        for column, part in enumerate(parts):
            blank = (" " * max(0, widths[column] - row_width(part)), "")
            spans += [blank, *part] if align_right[column] else [*part, blank]
            spans.append((" " * COLUMN_GAP_CELLS, ""))
        made.append(merge_and_trim(spans))
    return made


def lay_out_as_lists(header: TableRow, body: Sequence[TableRow], width: int) -> list[Row]:
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
