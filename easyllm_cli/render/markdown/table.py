"""Rules for markdown-it: tables as models write them.

As GitHub's tables, but a `|` in code, or in a formula, does not end a cell, and cells that a row
has too many stay in its last one, so that no text is lost. `<br>` is a token of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from .math import find_formulas

TABLE, BREAK_TAG = "table_with_code", "break_tag"
BREAK_TAG_PATTERN = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
DELIMITER_ROW = re.compile(r"[-:|][-:|][-:| \t]*|[:|][ \t][-:| \t]*")
DELIMITER_CELL = re.compile(r":?-+:?")
BACKTICKS = re.compile("`+")
PIPE = re.compile(r"\|")
CODE, FORMULA = 1, 2  # kinds of characters in a row; 0 = other text
# Empty cells that are added to short rows; more would take many times the text's size.
MAX_ADDED_CELLS = 0x10000


def add_table_rules(parser: MarkdownIt) -> None:
    """Add the rules for tables and `<br>` to a parser.

    Fences and headings come before tables: their first line alone says what they are.
    """
    parser.block.ruler.before("lheading", TABLE, parse_table, {"alt": ["paragraph", "reference"]})
    parser.inline.ruler.before("autolink", BREAK_TAG, parse_break_tag)


def parse_break_tag(state: StateInline, silent: bool) -> bool:
    """Rule for `<br>`, `<br/>` and `<br />`."""
    match = BREAK_TAG_PATTERN.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.push(BREAK_TAG, "br", 0).content = match[0]
    state.pos = match.end()
    return True


def parse_table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Rule for a table."""
    if start_line + 2 > end_line or state.sCount[start_line + 1] < state.blkIndent:
        return False
    if state.is_code_block(start_line) or state.is_code_block(start_line + 1):
        return False
    alignments = parse_delimiter_row(_read_line(state, start_line + 1))
    header_line = _read_line(state, start_line)
    if not alignments or "|" not in header_line:
        return False
    header = split_cells(header_line, len(alignments))
    if len(header) != len(alignments):
        return False
    if not silent:
        _push_table(state, (start_line, end_line), header, alignments)
    return True


def parse_delimiter_row(line: str) -> list[str]:
    """Return the alignment of each column ("left", "center", "right" or ""); [] for other lines."""
    if not DELIMITER_ROW.fullmatch(line):
        return []
    cells = [cell.strip() for cell in line.split("|")]
    cells = cells[not cells[0] : len(cells) - (not cells[-1])]
    if not all(DELIMITER_CELL.fullmatch(cell) for cell in cells):
        return []
    sides = {(True, True): "center", (True, False): "left", (False, True): "right"}
    return [sides.get((cell[0] == ":", cell[-1] == ":"), "") for cell in cells]


def split_cells(line: str, count: int) -> list[str]:
    """Split a table row into its cells, which should be `count`; code is never split.

    Formulas are not split where that gives too many cells: prices look like formulas, too.
    """
    kinds = bytearray(len(line))  # of each character: text, code or formula
    for start, end in find_formulas(line):
        kinds[start:end] = bytes([FORMULA]) * (end - start)
    for start, end in find_code(line):
        kinds[start:end] = bytes([CODE]) * (end - start)
    cells = _split_outside(line, kinds, bytes([CODE]))
    return cells if len(cells) <= count else _split_outside(line, kinds, bytes([CODE, FORMULA]))


def find_code(line: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each piece of inline code."""
    runs = [match.span() for match in BACKTICKS.finditer(line)]
    next_of_size: dict[int, int] = {}  # size of a run -> index of the next run of that size
    closing = [0] * len(runs)  # the run that closes the code which each run opens
    for number in reversed(range(len(runs))):
        size = runs[number][1] - runs[number][0]
        closing[number] = next_of_size.get(size, 0)
        next_of_size[size] = number
    number = 0
    while number < len(runs):
        start = runs[number][0]
        if closing[number] and line[start - 1 : start] != "\\":
            number = closing[number]
            yield start, runs[number][1]
        number += 1


def _split_outside(line: str, kinds: bytearray, unsplit: bytes) -> list[str]:
    """Split a row at its pipes but those in text of the kinds `unsplit`; `\\|` is a pipe."""
    cells = [""]
    position = 0
    for match in PIPE.finditer(line):
        pipe = match.start()
        if pipe and line[pipe - 1] == "\\":
            if kinds[pipe] != FORMULA:
                cells[-1] += line[position : pipe - 1]
                position = pipe
        elif kinds[pipe] not in unsplit:
            cells[-1] += line[position:pipe]
            cells.append("")
            position = pipe + 1
    cells[-1] += line[position:]
    cells = cells[not cells[0] :]
    return [cell.strip() for cell in (cells if not cells or cells[-1] else cells[:-1])]


def _push_table(
    state: StateBlock, lines: tuple[int, int], header: Sequence[str], alignments: Sequence[str]
) -> None:
    """Push the tokens of a table, and move the state behind it."""
    start_line, end_line = lines
    outer_type, state.parentType = state.parentType, "table"
    table_range = [start_line, 0]
    state.push("table_open", "table", 1).map = table_range
    state.push("thead_open", "thead", 1).map = [start_line, start_line + 1]
    _push_row(state, start_line, "th", header, alignments)
    state.push("thead_close", "thead", -1)
    rows = list(_read_body(state, start_line + 2, end_line, len(header)))
    body_end = start_line + 2 + len(rows)
    if rows:
        state.push("tbody_open", "tbody", 1).map = [start_line + 2, body_end]
        for line, cells in enumerate(rows, start_line + 2):
            _push_row(state, line, "td", cells, alignments)
        state.push("tbody_close", "tbody", -1)
    state.push("table_close", "table", -1)
    table_range[1] = state.line = body_end
    state.parentType = outer_type


def _read_body(
    state: StateBlock, start_line: int, end_line: int, count: int
) -> Iterator[list[str]]:
    """Yield the cells of each row below the header, `count` cells each."""
    ending_rules = state.md.block.ruler.getRules("blockquote")
    added_cells = 0
    for line in range(start_line, end_line):
        text = _read_line(state, line)
        if not text or state.sCount[line] < state.blkIndent or state.is_code_block(line):
            return
        if any(rule(state, line, end_line, True) for rule in ending_rules):
            return
        cells = split_cells(text, count)
        added_cells += max(0, count - len(cells))
        if added_cells > MAX_ADDED_CELLS:
            return
        last = " | ".join(cells[count - 1 :])
        yield (
            [*cells[: count - 1], last]
            if len(cells) > count
            else [
                *cells,
                *[""] * (count - len(cells)),
            ]
        )


def _push_row(
    state: StateBlock, line: int, tag: str, cells: Sequence[str], alignments: Sequence[str]
) -> None:
    """Push the tokens of one row."""
    state.push("tr_open", "tr", 1).map = [line, line + 1]
    for cell, alignment in zip(cells, alignments, strict=True):
        opening = state.push(f"{tag}_open", tag, 1)
        if alignment:
            opening.attrs = {"style": f"text-align:{alignment}"}
        content = state.push("inline", "", 0)
        content.map = [line, line + 1]
        content.content = cell
        content.children = []
        state.push(f"{tag}_close", tag, -1)
    state.push("tr_close", "tr", -1)


def _read_line(state: StateBlock, line: int) -> str:
    """Return a line without the blanks around it."""
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip(" \t")
