"""Renders a complete answer as Markdown with ANSI codes into a pipe (--color always)."""

from __future__ import annotations

from .markdown.document import Document
from .options import terminal_size
from .plain import BufferedRenderer
from .sanitize import sanitize_text
from .spans import Row, ansi_from_row

CHUNK_CHARS = 4000  # characters parsed at once: a long answer then takes linear time


class BufferedMarkdownRenderer(BufferedRenderer):
    """A BufferedRenderer that draws the answer as on a terminal, COLUMNS or 80 cells wide."""

    def format_answer(self, text: str) -> str:
        rows = lay_out_markdown(text, terminal_size(1)[0])
        return "".join(f"{ansi_from_row(row, True)}\n" for row in rows)


def lay_out_markdown(text: str, width: int) -> list[Row]:
    """Lay out a complete Markdown text, made safe for a terminal, for `width` cells."""
    document = Document(width)
    text = sanitize_text(text)
    rows: list[Row] = []
    for start in range(0, len(text), CHUNK_CHARS):
        document.feed(text[start : start + CHUNK_CHARS])
        rows += document.take_rows()[0]
    return rows + document.end()
