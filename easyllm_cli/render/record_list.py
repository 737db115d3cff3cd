"""Lays out a list of records for the terminal's width: as a table, or each one as a small list.

Names are never cut while another way is left: first the headers get shorter, then columns are left
out, and only then a name is broken at its marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from .grid import COLUMN_GAP_CELLS
from .name_wrapping import wrap_names
from .sanitize import sanitize_text
from .spans import BOLD, DIM, Row, Span, merge_and_trim, row_width

# On a narrower terminal no column is left out: each record becomes a small list instead.
MIN_TABLE_CELLS = 50
MIN_NAME_CELLS = 12  # a column of names is never wrapped to less


@dataclass(frozen=True, eq=False)
class Column:
    """One column: the text it shows of a record, and how it gives way on a narrow terminal.

    `short_title`: its header where the whole one takes too much room.
    `leave_out_order`: the columns with the lowest number are left out first; 0 = it stays.
    `min_cells`: text that is wrapped before columns are left out, to this width; 0 = a name.
    """

    text: Callable[[Any], str]
    align_right: bool = False
    short_title: str = ""
    leave_out_order: int = 0
    min_cells: int = 0


Columns = dict[str, Column]
Cells = dict[str, list[str]]  # a column's title: its texts, one for each record


def lay_out_records(columns: Columns, records: Sequence[Any], width: int) -> list[Row]:
    """Lay out the records, at most `width` cells wide; leaves out empty columns."""
    first = next(iter(columns))
    cells = {
        title: [escape_invisible(column.text(record)).replace("\n", " ") for record in records]
        for title, column in columns.items()
    }
    cells = {title: texts for title, texts in cells.items() if title == first or any(texts)}
    used = {title: columns[title] for title in cells}
    for headers, minimums in _possible_tables(used, width):
        shown = {title: [headers[title], *cells[title]] for title in headers}
        widths = fit_columns(shown, minimums, width)
        if widths:
            left_out = [title for title in cells if title not in headers]
            return [*_lay_out_table(used, shown, widths), *_lay_out_left_out(left_out, width)]
    return _lay_out_lists(cells, width)


def _possible_tables(
    columns: Columns, width: int
) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """Yield the headers by title, and the least widths, of each table to try; the best first."""
    minimums = {title: column.min_cells for title, column in columns.items()}
    orders = sorted({column.leave_out_order for column in columns.values()} - {0})
    left = dict(columns)
    for order in [0, *(orders if width >= MIN_TABLE_CELLS else [])]:
        for title in [title for title in left if order and left[title].leave_out_order == order]:
            del left[title]
        yield {title: title for title in left}, minimums
        yield {title: column.short_title or title for title, column in left.items()}, minimums
    if width >= MIN_TABLE_CELLS and len(left) == 1:
        yield {title: title for title in left}, dict.fromkeys(left, MIN_NAME_CELLS)


def fit_columns(shown: Cells, minimums: dict[str, int], width: int) -> dict[str, int]:
    """Return column widths that fit; {} = none do.

    Columns with a minimum are narrowed, the widest first, and cut words only if that is needed.
    """
    available = width - COLUMN_GAP_CELLS * (len(shown) - 1)
    widths = {title: _widest(texts) for title, texts in shown.items()}
    narrowable = {title: least for title, least in minimums.items() if least and title in shown}
    whole_words = {
        title: max(least, _widest(word for text in shown[title] for word in text.split()))
        for title, least in narrowable.items()
    }
    for limits in (whole_words, narrowable):
        for title in limits:
            widths[title] = min(widths[title], max(limits[title], available))
        while sum(widths.values()) > available:
            left = [title for title in limits if widths[title] > limits[title]]
            if not left:
                break
            widths[max(left, key=lambda title: widths[title])] -= 1
        else:
            return widths
    return {}


def _widest(texts: Iterable[str]) -> int:
    return max((row_width(((text, ""),)) for text in texts), default=0) or 1


def _lay_out_table(columns: Columns, shown: Cells, widths: dict[str, int]) -> list[Row]:
    """Lay out the header, a line, and the records; wrapped cells take several rows."""
    align_right = [columns[title].align_right for title in shown]
    header, *body = zip(*shown.values(), strict=True)
    rows = _lay_out_row(header, list(widths.values()), align_right, BOLD)
    rows.append(merge_and_trim([("  ".join("─" * cells for cells in widths.values()), DIM)]))
    for texts in body:
        rows += _lay_out_row(texts, list(widths.values()), align_right, "")
    return rows


def _lay_out_row(
    texts: Sequence[str], widths: list[int], align_right: list[bool], style: str
) -> list[Row]:
    wrapped = [wrap_names(text, width) for text, width in zip(texts, widths, strict=True)]
    rows: list[Row] = []
    for parts in zip_longest(*wrapped, fillvalue="") if any(wrapped) else [[""] * len(widths)]:
        spans: list[Span] = []
        for part, width, right in zip(parts, widths, align_right, strict=True):
            blank = (" " * max(0, width - row_width(((part, ""),))), "")
            spans += [blank, (part, style)] if right else [(part, style), blank]
            spans.append((" " * COLUMN_GAP_CELLS, ""))
        rows.append(merge_and_trim(spans))
    return rows


def _lay_out_left_out(titles: list[str], width: int) -> list[Row]:
    """Say which columns the terminal has no room for."""
    if not titles:
        return []
    text = f"no room for {', '.join(titles)}: --json shows them"
    return [(), *[((row, DIM),) for row in wrap_names(text, width)]]


def _lay_out_lists(cells: Cells, width: int) -> list[Row]:
    """Lay out each cell on a row of its own, after the title of its column."""
    rows: list[Row] = []
    for number, texts in enumerate(zip(*cells.values(), strict=True)):
        if number:
            rows.append(())
        for title, text in zip(cells, texts, strict=True):
            if text.strip():
                wrapped = wrap_names(f"{title}: {text.strip()}", width)
                size = len(title) + 1 if wrapped[0].startswith(f"{title}:") else 0
                rows.append(merge_and_trim([(wrapped[0][:size], BOLD), (wrapped[0][size:], "")]))
                rows += [((row, ""),) for row in wrapped[1:]]
    return rows or [((title, BOLD),) for title in cells]


def escape_invisible(text: str) -> str:
    """Sanitize a name and show invisible characters, so that two names never look the same."""
    if text.isascii():
        return sanitize_text(text)
    return sanitize_text(
        "".join(
            f"<U+{ord(char):04X}>" if unicodedata.category(char) == "Cf" else char for char in text
        )
    )
