"""Reasoning as rows: the last ones while it comes and one line at the end, or all of it."""

from __future__ import annotations

import time

from .spans import DIM, Row
from .wrapping import wrap

MAX_LIVE_ROWS = 6  # of the reasoning that are seen while it comes
REASONING_SIGN = "∴"
ROW_PREFIX = "│ "
CHARACTERS_PER_TOKEN = 4  # about, where the pieces are larger than tokens


class ReasoningRows:
    """`whole`: every row stays, else one line at the end tells of them."""

    def __init__(self, show_all: bool) -> None:
        self._show_all = show_all
        self._started_at = time.monotonic()
        self._pending_text = ""  # what is not given for good yet
        self._chunk_count = 0
        self._character_count = 0
        self._header_shown = False

    def feed(self, text: str) -> None:
        """Harmless text."""
        self._pending_text += text
        self._chunk_count += bool(text)
        self._character_count += len(text)

    def take_rows(self, width: int) -> tuple[list[Row], list[Row]]:
        """The rows that are done, and those that are live."""
        if not self._show_all:
            self._pending_text = self._pending_text[-MAX_LIVE_ROWS * max(width, 80) :]
            return [], [self._header_row(), *self._wrap_last_rows(width)]
        finished = [] if self._header_shown else [self._format_row("thinking")]
        self._header_shown = True
        *lines, self._pending_text = self._pending_text.split("\n")
        for line in lines:
            finished += wrap([(line, DIM)], width) or [()]
        return finished, wrap([(self._pending_text, DIM)], width)

    def end(self, width: int, keep_rows: bool, blank_after: bool) -> list[Row]:
        """The rows that stay. `kept`: those that are seen; `blank`: a blank row comes last."""
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
            rows += wrap([(line, DIM)], width - len(ROW_PREFIX)) or [()]
        return [((ROW_PREFIX, DIM), *row) for row in rows[-MAX_LIVE_ROWS:]]

    def _header_row(self) -> Row:
        return self._format_row(f"thinking {int(time.monotonic() - self._started_at)} s")

    def _summary_row(self) -> Row:
        """Tokens are estimated: no provider counts them before the answer's end."""
        tokens = max(self._chunk_count, self._character_count // CHARACTERS_PER_TOKEN)
        seconds = time.monotonic() - self._started_at
        return self._format_row(f"thought for {seconds:.1f} s, about {tokens} tokens")

    def _format_row(self, text: str) -> Row:
        return ((f"{REASONING_SIGN} {text}", DIM),)
