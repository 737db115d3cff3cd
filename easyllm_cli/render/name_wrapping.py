"""Wraps names, paths and URLs: at blanks, and inside a long word after `/`, `-`, `:` or `.`."""

from __future__ import annotations

import re

from rich.cells import cell_len, chop_cells

from .wrapping import MIN_WRAP_CELLS

NAME_PART = re.compile(r"[^/\-:.]*[/\-:.]+|[^/\-:.]+")


def wrap_names(text: str, width: int) -> list[str]:
    """Wrap a text without newlines into rows of at most `width` cells; no rows for empty text."""
    width = max(width, MIN_WRAP_CELLS)
    if not text or cell_len(text) <= width:
        return [text] if text else []
    rows: list[str] = []
    row: str | None = None
    for word in text.split(" "):
        joined = word if row is None else f"{row} {word}"
        if cell_len(joined) <= width:
            row = joined
            continue
        if row and row.strip():
            rows.append(row.rstrip())
        *full_rows, row = break_name(word, width)
        rows += full_rows
    return [*rows, row] if row else rows


def break_name(name: str, width: int) -> list[str]:
    """Cut a word after its marks, as late as possible; a part that is too wide is cut anywhere."""
    rows = [""]
    for part in NAME_PART.findall(name):
        if cell_len(rows[-1] + part) <= width:
            rows[-1] += part
        else:
            rows += chop_cells(part, width)
    return rows if rows[0] else rows[1:] or [""]
