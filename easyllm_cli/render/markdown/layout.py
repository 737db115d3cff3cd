"""Lays out Markdown blocks as rows; a block's rows never depend on the text after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from markdown_it.token import Token

from ..grid import lay_out_table
from ..spans import (
    BOLD,
    CYAN,
    DIM,
    UNDERLINE,
    Row,
    Span,
    merge_and_trim,
    merge_spans,
    sanitize_row_text,
)
from ..wrapping import MAX_PROSE_CELLS, wrap
from .inline import spans_from_inline
from .math import MATH_BLOCK, OPEN_MATH_BLOCK
from .parser import split_siblings
from .syntax import Highlighter

HEADING_STYLES = {"h1": f"{BOLD};{UNDERLINE}", "h2": BOLD}
OTHER_HEADING_STYLE = f"{BOLD};{DIM}"
RULE_CELLS = 24
BULLETS = "•◦▪"
# Inside a list item no blank row precedes these blocks.
NO_BLANK_BEFORE = (
    "bullet_list_open",
    "ordered_list_open",
    "fence",
    "code_block",
    MATH_BLOCK,
    OPEN_MATH_BLOCK,
)


@dataclass(frozen=True)
class Widths:
    """The widest that a block may be, in cells: `full` for tables, `prose` for text to be read."""

    full: int
    prose: int

    @classmethod
    def of(cls, width: int) -> Widths:
        """Return the widths on a terminal of this width."""
        return cls(width, min(width, MAX_PROSE_CELLS))

    def indent(self, cells: int) -> Widths:
        """Return the widths behind a prefix."""
        return Widths(self.full - cells, self.prose - cells)


def lay_out_block(tokens: Sequence[Token], widths: Widths, depth: int = 0) -> list[Row]:
    """Lay out one block; `depth` is the number of lists around it."""
    return BLOCK_LAYOUTS.get(tokens[0].type, _lay_out_paragraph)(tokens, widths, depth)


def lay_out_blocks(
    tokens: Sequence[Token], widths: Widths, depth: int, in_item: bool = False
) -> list[Row]:
    """Lay out the blocks inside another block, with blank rows between them."""
    rows: list[Row] = []
    previous_kind = ""
    for block in split_siblings(tokens):
        kind = block[0].type
        block_rows = lay_out_block(block, widths, depth)
        if (
            block_rows
            and has_blank_between(previous_kind, kind)
            and not (in_item and kind in NO_BLANK_BEFORE)
        ):
            rows.append(())
        rows += block_rows
        previous_kind = kind if block_rows else previous_kind
    return rows


def has_blank_between(before: str, kind: str) -> bool:
    """Whether a blank row separates two blocks; none between definitions."""
    return before != "" and not before == kind == "definition"


def rows_from_source(lines: Iterable[str]) -> list[Row]:
    """Return the Markdown source as rows, which the terminal wraps."""
    return [((sanitize_row_text(line), ""),) if line.strip() else () for line in lines]


def fence_row(info: str = "") -> Row:
    """Return the dim row that marks the beginning or end of a code block."""
    return ((f"```{sanitize_row_text(info)}", DIM),)


def _lay_out_paragraph(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    return wrap(spans_from_inline(tokens[1]), widths.prose)


def _lay_out_heading(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    style = HEADING_STYLES.get(tokens[0].tag, OTHER_HEADING_STYLE)
    return wrap(spans_from_inline(tokens[1], style), widths.prose)


def _lay_out_rule(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    return [(("─" * min(widths.full, RULE_CELLS), DIM),)]


def _lay_out_definition(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    return wrap([(sanitize_row_text(tokens[0].content), DIM)], widths.prose)


def _lay_out_code(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    """Lay out code without wrapping: the terminal wraps it, so that it copies unchanged."""
    token = tokens[0]
    info = token.info.strip()
    lines = token.content.removesuffix("\n").split("\n") if token.content else []
    return [fence_row(info), *Highlighter(info).highlight(lines), fence_row()]


def _lay_out_math(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    """Lay out a formula as it is written; like code it is not wrapped."""
    lines = tokens[0].content.removesuffix("\n").split("\n")
    return [merge_spans([(sanitize_row_text(line), CYAN)]) for line in lines]


def _lay_out_quote(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    rows = lay_out_blocks(tokens[1:-1], widths.indent(2), depth)
    return prefix_rows(rows, ("│ ", DIM), ("│ ", DIM))


def _lay_out_list(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    number = int(tokens[0].attrs.get("start", 1))
    ordered = tokens[0].type == "ordered_list_open"
    rows: list[Row] = []
    for item in split_siblings(tokens[1:-1]):
        # The number column has a fixed width, since the last number is not known yet.
        label = f"{number}.".rjust(3) + " " if ordered else f"{BULLETS[depth % len(BULLETS)]} "
        item_widths = widths.indent(len(label))
        item_rows = lay_out_blocks(item[1:-1], item_widths, depth + 1, in_item=True) or [()]
        rows += prefix_rows(item_rows, (label, BOLD if ordered else ""), (" " * len(label), ""))
        number += 1
    return rows


def _lay_out_table(tokens: Sequence[Token], widths: Widths, depth: int) -> list[Row]:
    cells: list[list[list[Span]]] = []
    align_right = [
        "right" in str(token.attrs.get("style", "")) for token in tokens if token.type == "th_open"
    ]
    for token in tokens:
        if token.type == "tr_open":
            cells.append([])
        elif token.type == "inline":
            style = BOLD if len(cells) == 1 else ""
            cells[-1].append(spans_from_inline(token, style, in_cell=True))
    return lay_out_table(cells, align_right, widths.full)


def prefix_rows(rows: Iterable[Row], first: Span, others: Span) -> list[Row]:
    """Prefix the first row with one span and the other rows with another."""
    labels = chain([first], repeat(others))
    return [
        merge_spans([label, *row]) if row else merge_and_trim([label])
        for label, row in zip(labels, rows, strict=False)
    ]


BLOCK_LAYOUTS: dict[str, Callable[[Sequence[Token], Widths, int], list[Row]]] = {
    "heading_open": _lay_out_heading,
    "hr": _lay_out_rule,
    "definition": _lay_out_definition,
    "fence": _lay_out_code,
    "code_block": _lay_out_code,
    MATH_BLOCK: _lay_out_math,
    OPEN_MATH_BLOCK: _lay_out_math,
    "blockquote_open": _lay_out_quote,
    "bullet_list_open": _lay_out_list,
    "ordered_list_open": _lay_out_list,
    "table_open": _lay_out_table,
}
