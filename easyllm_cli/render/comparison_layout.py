"""Draws the answers of a comparison on a terminal: side by side, or one below the other."""

from __future__ import annotations

from collections.abc import Sequence

from .buffered_markdown import lay_out_markdown
from .columns import join_columns, measure_text_columns
from .comparison import NUMBERS, Figures, ShownAnswer
from .name_wrapping import wrap_names
from .options import is_terminal, terminal_size
from .record_list import Column, escape_invisible, lay_out_records
from .sanitize import sanitize_text
from .spans import BOLD, DIM, RED, Row
from .tables import print_rows
from .wrapping import wrap

SHORT_TITLES = {"first token": "first", "tokens/s": "tok/s"}
LEAVE_OUT_ORDERS = {"model": 1, "tokens": 2}


def print_comparison(
    answers: Sequence[ShownAnswer], figures: Sequence[Figures], color: str, *, is_data: bool
) -> None:
    """Print the answers and the table; in a pipe (--color always) nothing stands side by side.

    `is_data`: the answers are JSON, not Markdown. Raises as `OutputStream.write`.
    """
    width = terminal_size(1)[0]
    cells = measure_text_columns(len(answers), width) if is_terminal(1) else 0
    rows = lay_out_comparison(answers, figures, width, cells, is_data=is_data)
    print_rows(rows, color)


def lay_out_comparison(
    answers: Sequence[ShownAnswer],
    figures: Sequence[Figures],
    width: int,
    column_width: int,
    *,
    is_data: bool = False,
) -> list[Row]:
    """The rows of the answers and of the table.

    `column_width`: of each answer where they stand side by side; 0 = one below the other.
    """
    table = lay_out_figures(figures, width)
    if not column_width:
        blocks = [
            [*lay_out_heading(answer, width), (), *lay_out_answer(answer, width, is_data), ()]
            for answer in answers
        ]
        return [*(row for block in blocks for row in block), *table]
    headings = [lay_out_heading(answer, column_width) for answer in answers]
    height = max(map(len, headings))
    columns = [
        [
            *heading,
            *[()] * (height - len(heading) + 1),
            *lay_out_answer(each, column_width, is_data),
        ]
        for heading, each in zip(headings, answers, strict=True)
    ]
    return [*join_columns(columns, column_width), (), *table]


def lay_out_heading(answer: ShownAnswer, width: int) -> list[Row]:
    """The label, and the model in the same row or, where it does not fit, below."""
    label, model = escape_invisible(answer.label), escape_invisible(answer.model)
    if model and len(rows := wrap([(f"{label}  ", BOLD), (model, DIM)], width)) == 1:
        return rows
    parts = ((label, BOLD), (model, DIM))
    return [((row, style),) for text, style in parts for row in wrap_names(text, width)]


def lay_out_answer(answer: ShownAnswer, width: int, is_data: bool) -> list[Row]:
    """The rows of the answer, and why it is not a whole one."""
    if is_data:
        lines = sanitize_text(answer.text).strip("\n").split("\n") if answer.text else []
        rows: list[Row] = [((line, ""),) if line else () for line in lines]
    else:
        rows = lay_out_markdown(answer.text, width)
    if not answer.problem:
        return rows
    problem = wrap([(sanitize_text(answer.problem), RED)], width)
    return [*rows, (), *problem] if rows else problem


def lay_out_figures(figures: Sequence[Figures], width: int) -> list[Row]:
    """The table of figures, at most `width` cells wide."""
    columns = {
        title: Column(
            lambda row, title=title: row[title],  # type: ignore[misc]
            align_right=title in NUMBERS,
            short_title=SHORT_TITLES.get(title, ""),
            leave_out_order=LEAVE_OUT_ORDERS.get(title, 0),
        )
        for title in figures[0]
    }
    return lay_out_records(columns, figures, width)
