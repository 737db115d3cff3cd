"""What the user wants to see, and what the streams can show: terminals, colours, sizes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False, repr=False)
class DisplayOptions:
    """What the user wants to see. `whole`: nothing before the end, unless a terminal watches."""

    buffered: bool = True
    reasoning: str = "auto"
    json: bool = False
    jsonl: bool = False
    code: str | None = None
    color: str = "auto"
    quiet: bool = False
    raw: bool = False


def is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def can_move_cursor(descriptor: int) -> bool:
    """Whether rows on this stream can be drawn again: a terminal, and one that says which."""
    return is_terminal(descriptor) and os.environ.get("TERM", "dumb") not in ("", "dumb")


def takes_color(descriptor: int, color: str) -> bool:
    """Whether colours go to this stream: --color, NO_COLOR, TERM=dumb, a terminal."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(descriptor)


DEFAULT_TERMINAL_SIZE = (80, 24)


def terminal_size(descriptor: int) -> tuple[int, int]:
    """Columns and rows; COLUMNS and LINES where the terminal does not know, else 80 x 24."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except (OSError, ValueError):
        columns = rows = 0
    return (
        columns or _read_size_variable("COLUMNS") or DEFAULT_TERMINAL_SIZE[0],
        rows or _read_size_variable("LINES") or DEFAULT_TERMINAL_SIZE[1],
    )


def _read_size_variable(variable: str) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 5 else 0


def can_rewrap_rows() -> bool:
    """Whether rows that have become too wide are wrapped: most terminals, but not these."""
    old = os.environ.get("XTERM_VERSION") or os.environ.get("TERM") == "linux"
    return bool(os.environ.get("TMUX") or not (old or os.environ.get("STY")))
