"""Lays out reasoning as rows: the last six while it streams, then one summary line; or all."""

from __future__ import annotations

import time

from .spans import DIM, Row
from .wrapping import MAX_PROSE_CELLS, wrap

MAX_LIVE_ROWS = 6  # rows of reasoning that are visible while it streams
REASONING_SIGN = "∴"
ROW_PREFIX = "│ "
CHARACTERS_PER_TOKEN = 4  # estimate for deltas of several tokens


class ReasoningRows:
    """Rows of one reasoning text. `show_all`: keep every row, else only a summary line."""

    def __init__(self, show_all: bool) -> None:
        self._show_all = show_all
        self._started_at = time.monotonic()
        self._pending_text = ""  # not yet returned as finished rows
        self._chunk_count = 0
        self._character_count = 0
        self._header_shown = False

    def feed(self, text: str) -> None:
        """Add sanitized text."""
        self._pending_text += text
        self._chunk_count += bool(text)
        self._character_count += len(text)

    def take_rows(self, width: int) -> tuple[list[Row], list[Row]]:
        """Return the newly finished rows and the live rows, wrapped to `width` cells."""
        if not self._show_all:
            self._pending_text = self._pending_text[-MAX_LIVE_ROWS * MAX_PROSE_CELLS :]
            return [], [self._header_row(), *self._wrap_last_rows(width)]
        finished = [] if self._header_shown else [self._format_row("thinking")]
        self._header_shown = True
        *lines, self._pending_text = self._pending_text.split("\n")
        for line in lines:
            finished += wrap([(line, DIM)], min(width, MAX_PROSE_CELLS)) or [()]
        return finished, wrap([(self._pending_text, DIM)], min(width, MAX_PROSE_CELLS))

    def end(self, width: int, keep_rows: bool, blank_after: bool) -> list[Row]:
        """Return the rows that stay.

        `keep_rows`: keep the visible rows below the summary. `blank_after`: end in a blank row.
        """
        if self._show_all:
            done, live = self.take_rows(width)
            rows = [*done, *live, self._summary_row()]
        elif keep_rows:
            rows = [self._summary_row(), *self._wrap_last_rows(width)]
        else:
            rows = [self._summary_row()]
        return [*rows, ()] if blank_after else rows

    def _wrap_last_rows(self, width: int) -> list[Row]:
        rows: list[Row] = []
        for line in self._pending_text.strip("\n").split("\n")[-MAX_LIVE_ROWS:]:
            rows += wrap([(line, DIM)], min(width, MAX_PROSE_CELLS) - len(ROW_PREFIX)) or [()]
        return [((ROW_PREFIX, DIM), *row) for row in rows[-MAX_LIVE_ROWS:]]

    def _header_row(self) -> Row:
        return self._format_row(f"thinking {int(time.monotonic() - self._started_at)} s")

    def _summary_row(self) -> Row:
        """Duration and estimated tokens: providers report token counts only at the answer's end."""
        tokens = max(self._chunk_count, self._character_count // CHARACTERS_PER_TOKEN)
        seconds = time.monotonic() - self._started_at
        return self._format_row(f"thought for {seconds:.1f} s, about {tokens} tokens")

    def _format_row(self, text: str) -> Row:
        return ((f"{REASONING_SIGN} {text}", DIM),)
