"""Lays out a table as terminal rows; narrows the columns to fit the width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

from .spans import DIM, Row, Span, merge_and_trim, row_width
from .wrapping import measure_longest_word, wrap

COLUMN_GAP_CELLS = 2  # cells between two columns
# When a column would be narrower than this (in cells), each table row becomes a small list.
MIN_COLUMN_CELLS = 5

TableRow = Sequence[Sequence[Span]]


def lay_out_table(table: Sequence[TableRow], align_right: Sequence[bool], width: int) -> list[Row]:
    """Lay out a table, `width` cells wide; its first row is the header.

    `align_right`: for each column, whether its text is right-aligned.
    """
    header, *body = table
    columns = [[row[column] for row in table] for column in range(len(header))]
    widths = fit_widths(
        [max(map(measure_cell, cells)) for cells in columns],
        [max(map(measure_longest_word, cells)) for cells in columns],
        width - COLUMN_GAP_CELLS * (len(header) - 1),
    )
    if not widths:
        return lay_out_as_lists(header, body, width)
    rows = _lay_out_row(header, widths, align_right)
    rows.append(merge_and_trim([("  ".join("─" * cells for cells in widths), DIM)]))
    for row in body:
        rows += _lay_out_row(row, widths, align_right)
    return rows


def measure_cell(cell: Sequence[Span]) -> int:
    """Return the width of a cell's longest line."""
    if not any("\n" in text for text, _ in cell):
        return row_width(tuple(cell))
    return max(map(cell_len, "".join(text for text, _ in cell).split("\n")))


def fit_widths(
    natural_widths: Sequence[int], longest_words: Sequence[int], available_width: int
) -> list[int]:
    """Return column widths that fit; empty when they cannot fit.

    The widest columns are narrowed first. Words are broken only when no column has blanks left at
    which it could be wrapped instead.
    """
    if available_width < sum(min(natural, MIN_COLUMN_CELLS) for natural in natural_widths):
        return []
    if sum(longest_words) > available_width:
        return _share_width([1] * len(longest_words), longest_words, available_width)
    return _share_width(longest_words, natural_widths, available_width)


def _share_width(least: Sequence[int], most: Sequence[int], available_width: int) -> list[int]:
    """Return widths between `least` and `most`, as equal as possible, that fill the width."""

    def limit(level: int) -> list[int]:
        return [max(low, min(high, level), 1) for low, high in zip(least, most, strict=True)]

    low, high = 1, max(most)
    while low < high:  # binary search for the maximum width of a column
        middle = (low + high + 1) // 2
        if sum(limit(middle)) <= available_width:
            low = middle
        else:
            high = middle - 1
    widths = limit(low)
    for column, wider in enumerate(limit(low + 1)):
        if widths[column] < wider and sum(widths) < available_width:
            widths[column] += 1
    return widths


def _lay_out_row(row: TableRow, widths: Sequence[int], align_right: Sequence[bool]) -> list[Row]:
    """Lay out one table row with wrapped cells."""
    wrapped = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    rows: list[Row] = []
    for parts in zip_longest(*wrapped, fillvalue=()) if any(wrapped) else [[()] * len(widths)]:
        spans: list[Span] = []
        for column, part in enumerate(parts):
            blank = (" " * max(0, widths[column] - row_width(part)), "")
            spans += [blank, *part] if align_right[column] else [*part, blank]
            spans.append((" " * COLUMN_GAP_CELLS, ""))
        rows.append(merge_and_trim(spans))
    return rows


def lay_out_as_lists(header: TableRow, body: Sequence[TableRow], width: int) -> list[Row]:
    """Lay out each cell on a row of its own, after the name of its column."""
    rows: list[Row] = []
    if not body:
        return [row for cell in header for row in wrap(cell, width)]
    for number, row in enumerate(body):
        if number:
            rows.append(())
        for title, cell in zip(header, row, strict=True):
            if cell:
                rows += wrap([*title, (": " if title else "", ""), *cell], width)
    return rows
