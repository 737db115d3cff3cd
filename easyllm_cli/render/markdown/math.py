"""Rules for markdown-it that keep LaTeX formulas as they are written.

In a line of text: `\\(…\\)`, `\\[…\\]`, `$$…$$` and `$…$`. On lines of their own, where Markdown
would read a list or a heading: `\\[…\\]`, `$$…$$` and `\\begin{…}…\\end{…}`; as in LaTeX, a blank
line cannot stand in such a block. A formula that is never closed is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

MATH_INLINE, MATH_BLOCK = "math_inline", "math_block"
# A block at the end of a text that goes on: it may still be closed, or turn out to be text.
OPEN_MATH_BLOCK = "open_math_block"
MAX_BLOCK_CHARS = 4000  # of a block; what ends further away is text with a formula in it
INLINE_MARKS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
BLOCK_MARK = re.compile(r"\\\[|\$\$|\\begin\{(\w+\*?)\}")
BLOCK_END = re.compile(r"[ \t.,;:]*")


def add_math_rules(parser: MarkdownIt) -> None:
    """Add the rules for formulas to a parser."""
    parser.inline.ruler.before("escape", MATH_INLINE, parse_math_inline)
    parser.block.ruler.before(
        "blockquote",
        MATH_BLOCK,
        parse_math_block,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )


def find_unescaped(text: str, mark: str, start: int, stop: int) -> int:
    """Return the index of the mark, without a backslash before it; -1 when there is none."""
    while (found := text.find(mark, start, stop)) >= 0:
        before = found
        while before > start and text[before - 1] == "\\":
            before -= 1
        if (found - before) % 2 == 0:
            return found
        start = found + 1
    return -1


def find_formulas(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each formula in a line of text without code."""
    failed: dict[str, range] = {}
    position = 0
    while (match := FORMULA_START.search(text, position)) is not None:
        end = find_formula_end(text, match.start(), len(text), failed)
        if end:
            yield match.start(), end
        position = end or match.end()


FORMULA_START = re.compile(r"\\.|\$", re.DOTALL)


def find_formula_end(text: str, start: int, stop: int, failed: dict[str, range]) -> int:
    """Return where the formula that begins at `start` ends; 0 when none begins there.

    A formula holds no back-tick: code comes first. `failed`: for each closing mark the characters
    among which it was not found, so that no text is searched twice.
    """
    mark = text[start : start + 2]
    closing = INLINE_MARKS.get(mark, "")
    if not closing:
        return _find_dollar_end(text, start, stop, failed) if mark[:1] == "$" else 0
    end = _find_closing(text, closing, start + 2, stop, failed)
    return end + 2 if end > start + 2 and text[start + 2 : end].strip() else 0


def _find_dollar_end(text: str, start: int, stop: int, failed: dict[str, range]) -> int:
    """As `find_formula_end` for `$…$`.

    Between the dollars no blank stands at the edges, and no digit follows them: "$5 and $6" is
    text.
    """
    if text[start - 1 : start] == "$" or text[start + 1 : start + 2].isspace():
        return 0
    end = _find_closing(text, "$", start + 1, stop, failed)
    if end <= start + 1 or text[end - 1].isspace():
        return 0
    following = text[end + 1 : min(end + 2, stop)]
    return 0 if following.isdigit() or following == "$" else end + 1


def _find_closing(text: str, mark: str, start: int, stop: int, failed: dict[str, range]) -> int:
    """Return the index of the closing mark before any back-tick; -1 when there is none."""
    searched = failed.get(mark, range(0))
    search_start = searched.stop if start in searched else start
    end = find_unescaped(text, mark, search_start, stop)
    backtick = text.find("`", search_start, stop if end < 0 else end)
    if end >= 0 and backtick < 0:
        return end
    failed[mark] = range(start, stop if backtick < 0 else backtick)
    return -1


def parse_math_inline(state: StateInline, silent: bool) -> bool:
    """Rule for a formula within a text."""
    if state.src[state.pos] not in "\\$":
        return False
    text, failed = state.env.get("inline_math", ("", {}))
    if text is not state.src:
        failed = {}
        state.env["inline_math"] = (state.src, failed)
    end = find_formula_end(state.src, state.pos, state.posMax, failed)
    if not end:
        return False
    if not silent:
        token = state.push(MATH_INLINE, "math", 0)
        token.content = state.src[state.pos : end]
    state.pos = end
    return True


def parse_math_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Rule for a formula on lines of its own.

    `state.env["more_follows"]`: the text goes on behind what is parsed here.
    """
    start = state.bMarks[start_line] + state.tShift[start_line]
    opening = BLOCK_MARK.match(state.src, start, state.eMarks[start_line])
    if opening is None or state.is_code_block(start_line):
        return False
    kind, stop_line = _find_block(state, opening, start_line, end_line)
    if not kind:
        return False
    if not silent:
        state.line = stop_line
        token = state.push(kind, "math", 0)
        token.content = state.getLines(start_line, stop_line, state.sCount[start_line], False)
        token.map = [start_line, stop_line]
    return True


def _find_block(
    state: StateBlock, opening: re.Match[str], start_line: int, end_line: int
) -> tuple[str, int]:
    """Return the kind of the block that begins on a line, "" for none, and the line behind it."""
    closing = f"\\end{{{opening[1]}}}" if opening[1] else INLINE_MARKS[opening[0]]
    line, end = _find_closing_line(state, opening, closing, (start_line, end_line))
    more_follows = state.env.get("more_follows", False)
    if end < 0:
        is_open = more_follows and line == len(state.bMarks) - 1
        return OPEN_MATH_BLOCK if is_open else "", line
    is_empty = not state.src[opening.end() : end].strip(" \t\n>")
    if is_empty or not BLOCK_END.fullmatch(state.src, end + len(closing), state.eMarks[line]):
        return "", line
    may_go_on = more_follows and state.eMarks[line] == len(state.src)
    return OPEN_MATH_BLOCK if may_go_on else MATH_BLOCK, line + 1


def _find_closing_line(
    state: StateBlock, opening: re.Match[str], closing: str, lines: tuple[int, int]
) -> tuple[int, int]:
    """Return the line that holds the closing mark, and the index of the mark.

    Without one: the line that ends the search, and -1. No line is searched twice for one mark.
    """
    start_line, end_line = lines
    searched: dict[str, range] = state.env.setdefault("searched_for_math", {})
    stop = opening.start() + MAX_BLOCK_CHARS
    line, end = start_line, -1
    if start_line in searched.get(closing, ()):
        line = searched[closing].stop
    while line < end_line and end < 0:
        start = state.bMarks[line] + state.tShift[line]
        if line == start_line:
            start = opening.end()
        elif not _can_hold_math(state, line, start):
            break
        line_end = min(state.eMarks[line], stop)
        end = find_unescaped(state.src, closing, start, line_end)
        if state.src.find("`", start, line_end if end < 0 else end) >= 0:
            end = -1
            break
        if end < 0 and line_end < state.eMarks[line]:
            break
        line += end < 0
    searched[closing] = range(start_line, line)
    return line, end


def _can_hold_math(state: StateBlock, line: int, start: int) -> bool:
    """Whether the line can belong to a formula that an earlier line began."""
    is_blank = start >= state.eMarks[line]
    return not (
        is_blank
        or state.sCount[line] < state.blkIndent
        or state.src.startswith("~~~", start, state.eMarks[line])
    )
