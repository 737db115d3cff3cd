"""Display options of an answer, and what the output streams support: cursor, colour, size."""

from __future__ import annotations

import os
import sys

from ..frozen_dataclass import FrozenDataclass


class DisplayOptions(FrozenDataclass):
    """How the user wants an answer displayed.

    `buffered`: into a pipe, print nothing until the answer is complete. `reasoning`: "auto",
    "show", "hide", "only" or "tags" (--reasoning). `code`: print code blocks only, "first" or
    "all" (-x). `color`: "auto", "always" or "never". `raw`: no Markdown. `at_end`: show
    nothing before the end, as it is only a part of the answer.
    """

    buffered: bool = True
    reasoning: str = "auto"
    json: bool = False
    jsonl: bool = False
    code: str | None = None
    color: str = "auto"
    quiet: bool = False
    raw: bool = False
    at_end: bool = False


def is_terminal(descriptor: int) -> bool:
    """Whether the file descriptor is a terminal; False when it is closed."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def can_move_cursor(descriptor: int) -> bool:
    """Whether drawn rows can be redrawn: a terminal whose TERM is set and not "dumb"."""
    return is_terminal(descriptor) and os.environ.get("TERM", "dumb") not in ("", "dumb")


def takes_color(descriptor: int, color: str) -> bool:
    """Whether to write colours to this stream.

    --color decides; "auto" means a terminal without NO_COLOR and without TERM=dumb.
    """
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(descriptor)


def takes_layout(descriptor: int, color: str) -> bool:
    """Whether to draw tables and Markdown on this stream: a terminal, or --color always."""
    return color == "always" or is_terminal(descriptor)


# The terminal's own colours: users choose themes in which these are readable.
RED_CODE, GREEN_CODE, DIM_CODE, RESET_CODE = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def paint(text: str, code: str) -> str:
    """Return the text in a colour, or unchanged if `code` is ""."""
    return f"{code}{text}{RESET_CODE}" if code else text


DEFAULT_TERMINAL_SIZE = (80, 24)


def terminal_size(descriptor: int) -> tuple[int, int]:
    """Columns and rows of the terminal; falls back to COLUMNS and LINES, then to 80 x 24."""
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
    """Whether the terminal rewraps rows when it gets narrower.

    Most do; xterm, the Linux console and GNU screen do not; tmux does, also inside them.
    """
    old = os.environ.get("XTERM_VERSION") or os.environ.get("TERM") == "linux"
    return bool(os.environ.get("TMUX") or not (old or os.environ.get("STY")))


def count_typed_bytes(descriptor: int) -> int:
    """Count the bytes of the lines typed on the terminal, and echoed, that no program has read."""
    if sys.platform == "win32":
        return 0
    import fcntl
    import termios

    try:
        modes = termios.tcgetattr(descriptor)[3]
        waiting = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    except (OSError, termios.error):  # no terminal
        return 0
    echoed = modes & termios.ECHO and modes & termios.ICANON
    return int.from_bytes(waiting, sys.byteorder) if echoed else 0
