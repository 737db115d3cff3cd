"""Wraps help texts at words, sets them in two columns, and prints headings bold on a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

MIN_TEXT_WIDTH = 24  # a terminal with less room beside the names gets the text below them
# `Model:`, `Set up    init` and `All options:` at the beginning of a line.
HEADING = re.compile(r"^(?:[A-Z]\w+(?: \w+)?:|[A-Z]\w+(?: \w+)?(?=  ))", re.MULTILINE)


def wrap(text: str, width: int, first_indent: str = "", next_indent: str | None = None) -> str:
    """Wrap at spaces only. `next_indent`: None = as the first."""
    return textwrap.fill(
        text, width, initial_indent=first_indent,
        subsequent_indent=first_indent if next_indent is None else next_indent,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def two_columns(rows: Iterable[tuple[str, str]], width: int, name_width: int) -> str:
    """A table of names and texts; a name longer than `name_width` has its text below it."""
    indent = " " * (name_width + 4)
    if width - len(indent) < MIN_TEXT_WIDTH:
        indent = " " * 6
    lines = []
    for name, text in rows:
        if len(name) + 4 <= len(indent):
            lines.append(wrap(text, width, f"  {name}".ljust(len(indent)), indent))
        else:
            if len(name) + 2 > width:  # between choices a line may end
                name = name.replace("|", "| ")
            lines += [wrap(name, width, "  ", "    "), wrap(text, width, indent)]
    return "\n".join(lines)


def bold_headings(text: str, descriptor: int) -> str:
    """The page with bold headings if the stream is a terminal that shows styles."""
    from ..render.options import takes_color

    return HEADING.sub("\x1b[1m\\g<0>\x1b[0m", text) if takes_color(descriptor, "auto") else text
