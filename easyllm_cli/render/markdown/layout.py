"""Blocks as rows of a width; what a block looks like never depends on what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat

from markdown_it.token import Token

from ..grid import grid
from ..spans import BOLD, DIM, UNDERLINE, Row, Span, clean, joined, merged
from ..wrapping import wrap
from .inline import spans_of
from .parser import siblings
from .syntax import Lexer

HEADINGS = {"h1": f"{BOLD};{UNDERLINE}", "h2": BOLD}
OTHER_HEADING = f"{BOLD};{DIM}"
RULE = 24  # cells
BULLETS = "•◦▪"
# Between two blocks of a list item stands no blank row where the second is one of these.
CLOSE_BY = ("bullet_list_open", "ordered_list_open", "fence", "code_block")


def rows_of(tokens: Sequence[Token], width: int, depth: int = 0) -> list[Row]:
    """The rows of one block; `depth` is the number of lists around it."""
    return KINDS.get(tokens[0].type, _paragraph)(tokens, width, depth)


def stacked(tokens: Sequence[Token], width: int, depth: int, in_item: bool = False) -> list[Row]:
    """The blocks inside another, a blank row between them."""
    made: list[Row] = []
    before = ""
    for block in siblings(tokens):
        kind = block[0].type
        rows = rows_of(block, width, depth)
        if rows and apart(before, kind) and not (in_item and kind in CLOSE_BY):
            made.append(())
        made += rows
        before = kind if rows else before
    return made


def apart(before: str, kind: str) -> bool:
    """Whether a blank row stands between two blocks; definitions stand together."""
    return before != "" and not before == kind == "definition"


def as_written(lines: Iterable[str]) -> list[Row]:
    """The Markdown itself, which the terminal wraps."""
    return [((clean(line), ""),) if line.strip() else () for line in lines]


def fence_row(info: str = "") -> Row:
    """What stands above and below code: it says where the code begins, and is not part of it."""
    return ((f"```{clean(info)}", DIM),)


def _paragraph(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    return wrap(spans_of(tokens[1]), width)


def _heading(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    return wrap(spans_of(tokens[1], HEADINGS.get(tokens[0].tag, OTHER_HEADING)), width)


def _rule(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    return [(("─" * min(width, RULE), DIM),)]


def _definition(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    return wrap([(clean(tokens[0].content), DIM)], width)


def _code(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    """Code that is not folded: the terminal wraps it, so that it copies out as it is."""
    token = tokens[0]
    info = token.info.strip()
    lines = token.content.removesuffix("\n").split("\n") if token.content else []
    return [fence_row(info), *Lexer(info).rows(lines), fence_row()]


def _quote(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    return indented(stacked(tokens[1:-1], width - 2, depth), ("│ ", DIM), ("│ ", DIM))


def _list(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    number = int(tokens[0].attrs.get("start", 1))
    ordered = tokens[0].type == "ordered_list_open"
    made: list[Row] = []
    for item in siblings(tokens[1:-1]):
        # The column of numbers is always as wide, since the last number is not known yet.
        label = f"{number}.".rjust(3) + " " if ordered else f"{BULLETS[depth % len(BULLETS)]} "
        rows = stacked(item[1:-1], width - len(label), depth + 1, in_item=True) or [()]
        made += indented(rows, (label, BOLD if ordered else ""), (" " * len(label), ""))
        number += 1
    return made


def _table(tokens: Sequence[Token], width: int, depth: int) -> list[Row]:
    cells: list[list[list[Span]]] = []
    right = [
        "right" in str(token.attrs.get("style", "")) for token in tokens if token.type == "th_open"
    ]
    for token in tokens:
        if token.type == "tr_open":
            cells.append([])
        elif token.type == "inline":
            cells[-1].append(spans_of(token, BOLD if len(cells) == 1 else ""))
    return grid(cells, right, width)


def indented(rows: Iterable[Row], first: Span, others: Span) -> list[Row]:
    """The rows behind a label that stands before the first, and what stands before the others."""
    labels = chain([first], repeat(others))
    return [
        merged([label, *row]) if row else joined([label])
        for label, row in zip(labels, rows, strict=False)
    ]


KINDS: dict[str, Callable[[Sequence[Token], int, int], list[Row]]] = {
    "heading_open": _heading,
    "hr": _rule,
    "definition": _definition,
    "fence": _code,
    "code_block": _code,
    "blockquote_open": _quote,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "table_open": _table,
}
