"""Wraps styled lines: at blanks, between ideographs, and inside words that are too long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells

from .spans import Row, Span, merge_and_trim
from .words import WORD_PATTERN

MAX_PROSE_CELLS = 100  # longer lines of text are hard to read
MIN_WRAP_CELLS = 4  # below this width rows are too wide, and the terminal wraps them


def wrap(spans: Sequence[Span], width: int) -> list[Row]:
    """Wrap into rows of at most `width` cells; a newline ends a row. No rows for empty text."""
    width = max(width, MIN_WRAP_CELLS)
    text = "".join(span_text for span_text, _ in spans)
    if not text:
        return []
    if "\n" not in text and cell_len(text) <= width:
        return [merge_and_trim(spans)]
    ranges: list[tuple[int, int]] = []
    offset = 0
    for line in text.split("\n"):
        ranges += [(offset + start, offset + end) for start, end in find_breaks(line, width)]
        offset += len(line) + 1
    return cut_spans(spans, ranges)


def measure_longest_word(spans: Sequence[Span]) -> int:
    """Return the width of the longest piece that is not wrapped but where it has to be."""
    text = "".join(span_text for span_text, _ in spans)
    words = (word for line in text.split("\n") for word in WORD_PATTERN.findall(line))
    return max((cell_len(word.rstrip(" ")) for word in words), default=0)


def find_breaks(line: str, width: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each row of a line, in characters."""
    start = end = used = 0
    for word in WORD_PATTERN.finditer(line):
        bare = word[0].rstrip(" ")
        size = cell_len(bare)
        if used and used + size > width:
            yield start, end
            start, used = word.start(), 0
        if size > width:
            for piece in chop_cells(bare, width)[:-1]:
                yield start, start + len(piece)
                start += len(piece)
            size = cell_len(line[start : word.start() + len(bare)])
        end = word.start() + len(bare)
        used += size + len(word[0]) - len(bare)
    yield start, end


def cut_spans(spans: Sequence[Span], ranges: Sequence[tuple[int, int]]) -> list[Row]:
    """Cut the text of the spans into rows by character ranges, which are in order."""
    rows: list[Row] = []
    index = span_start = 0  # the current span, and where it starts
    for start, end in ranges:
        while index < len(spans) and span_start + len(spans[index][0]) <= start:
            span_start += len(spans[index][0])
            index += 1
        cut: list[Span] = []
        current, position = index, span_start
        while current < len(spans) and position < end:
            text, style = spans[current]
            cut.append((text[max(start - position, 0) : end - position], style))
            position += len(text)
            current += 1
        rows.append(merge_and_trim(cut))
    return rows


def fold(row: Row, width: int) -> list[Row]:
    """Cut a row where the terminal would wrap it; tabs become blanks."""
    text = "".join(span_text for span_text, _ in row)
    if "\t" in text:
        row = expand_tabs(row)
        text = "".join(span_text for span_text, _ in row)
    if cell_len(text) <= width:
        return [row]
    ranges: list[tuple[int, int]] = []
    start = 0
    for piece in chop_cells(text, max(width, 2)):
        ranges.append((start, start + len(piece)))
        start += len(piece)
    return cut_spans(row, ranges)


def expand_tabs(row: Row) -> Row:
    """Replace tabs by blanks up to the next multiple of 8."""
    spans: list[Span] = []
    column = 0
    for text, style in row:
        for part in re.split("(\t)", text):
            shown = " " * (8 - column % 8) if part == "\t" else part
            column += cell_len(shown)
            spans.append((shown, style))
    return merge_and_trim(spans)
