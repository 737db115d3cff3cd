"""The answers of a comparison, and their figures, as a Markdown document for a pipe.

This module imports no rich, to keep the start-up of commands in pipes short.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..frozen_dataclass import FrozenDataclass
from .notices import text_width

Figures = dict[str, str]  # one row of the table: the title of a column, and its text
# A line that opens or closes a code block; an opening one of back-ticks has none behind it.
FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
# The columns whose texts are numbers.
NUMBERS = ("first token", "total", "tokens/s", "tokens", "cost")


class ShownAnswer(FrozenDataclass):
    """One answer as it is shown.

    `label`: the profile as it was named. `model`: the one that answered, "" = none did. `text`: the
    answer, or what arrived of it. `problem`: why it is not a whole answer, "" = it is one.
    """

    label: str
    model: str
    text: str
    problem: str = ""


def format_document(answers: Sequence[ShownAnswer], figures: Sequence[Figures]) -> str:
    """The answers one below the other, each with a heading, and then the table of figures."""
    parts: list[str] = []
    for answer in answers:
        model = f" ({answer.model})" if answer.model else ""
        parts += [f"## {answer.label}{model}", close_fence(answer.text.strip("\n"))]
        parts.append(f"*{answer.problem}*" if answer.problem else "")
    return "\n\n".join([*filter(None, parts), format_table(figures)]) + "\n"


def close_fence(text: str) -> str:
    """The text; a code block that is open at its end, as in a cut answer, is closed.

    Else the block would contain all that follows in the document. Source: CommonMark 0.31, 4.5.
    """
    mark = ""  # of the block that is open
    for line in text.split("\n"):
        fence = FENCE.match(line)
        if fence is None:
            continue
        if not mark:
            mark = fence[1]
        elif fence[1].startswith(mark) and not fence[2].strip():
            mark = ""
    return f"{text}\n{mark}" if mark else text


def format_table(figures: Sequence[Figures]) -> str:
    """A Markdown table, padded for people; columns without any text are left out."""
    titles = [title for title in figures[0] if any(row[title] for row in figures)]
    cells = [titles, *([row[title].replace("|", "\\|") for title in titles] for row in figures)]
    widths = [max(3, *map(text_width, column)) for column in zip(*cells, strict=True)]
    lines = [
        " | ".join(
            _pad(text, width, title in NUMBERS)
            for text, width, title in zip(row, widths, titles, strict=True)
        )
        for row in cells
    ]
    rule = "|".join(
        f"-{'-' * width}{':' if title in NUMBERS else '-'}"
        for title, width in zip(titles, widths, strict=True)
    )
    return "\n".join(
        f"|{line}|" for line in (f" {lines[0]} ", rule, *(f" {x} " for x in lines[1:]))
    )


def _pad(text: str, width: int, align_right: bool) -> str:
    blank = " " * (width - text_width(text))
    return blank + text if align_right else text + blank
