"""The size of a terminal, and what it does with the rows that stand on it when that changes."""

from __future__ import annotations

import os

USUAL = (80, 24)


def size_of(descriptor: int) -> tuple[int, int]:
    """Columns and rows; COLUMNS and LINES where the terminal does not know, else 80 x 24."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except (OSError, ValueError):
        columns = rows = 0
    return (
        columns or _number("COLUMNS") or USUAL[0],
        rows or _number("LINES") or USUAL[1],
    )


def _number(variable: str) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 5 else 0


def wraps_again() -> bool:
    """Whether rows that have become too wide are wrapped: most terminals, but not these."""
    old = os.environ.get("XTERM_VERSION") or os.environ.get("TERM") == "linux"
    return bool(os.environ.get("TMUX") or not (old or os.environ.get("STY")))
