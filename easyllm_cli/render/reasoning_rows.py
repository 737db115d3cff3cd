"""Reasoning as rows: the last ones while it comes and one line at the end, or all of it."""

from __future__ import annotations

import time

from .spans import DIM, Row
from .wrapping import wrap

ROWS = 6  # of the reasoning that are seen while it comes
SIGN = "∴"
BAR = "│ "
CHARACTERS_PER_TOKEN = 4  # about, where the pieces are larger than tokens


class Thoughts:
    """`whole`: every row stays, else one line at the end tells of them."""

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._began = time.monotonic()
        self._text = ""  # what is not given for good yet
        self._pieces = 0
        self._characters = 0
        self._announced = False

    def feed(self, text: str) -> None:
        """Harmless text."""
        self._text += text
        self._pieces += bool(text)
        self._characters += len(text)

    def rows(self, width: int) -> tuple[list[Row], list[Row]]:
        """The rows that are done, and those that are live."""
        if not self._whole:
            self._text = self._text[-ROWS * max(width, 80) :]
            return [], [self._header(), *self._last(width)]
        done = [] if self._announced else [self._said("thinking")]
        self._announced = True
        *lines, self._text = self._text.split("\n")
        for line in lines:
            done += wrap([(line, DIM)], width) or [()]
        return done, wrap([(self._text, DIM)], width)

    def end(self, width: int, kept: bool, blank: bool) -> list[Row]:
        """The rows that stay. `kept`: those that are seen; `blank`: a blank row comes last."""
        if self._whole:
            done, last = self.rows(width)
            made = [*done, *last, self._summary()]
        elif kept:
            made = [self._summary(), *self._last(width)]
        else:
            made = [self._summary()]
        return [*made, ()] if blank else made

    def _last(self, width: int) -> list[Row]:
        rows: list[Row] = []
        for line in self._text.strip("\n").split("\n")[-ROWS:]:
            rows += wrap([(line, DIM)], width - len(BAR)) or [()]
        return [((BAR, DIM), *row) for row in rows[-ROWS:]]

    def _header(self) -> Row:
        return self._said(f"thinking {int(time.monotonic() - self._began)} s")

    def _summary(self) -> Row:
        """Tokens are estimated: no provider counts them before the answer's end."""
        tokens = max(self._pieces, self._characters // CHARACTERS_PER_TOKEN)
        seconds = time.monotonic() - self._began
        return self._said(f"thought for {seconds:.1f} s, about {tokens} tokens")

    def _said(self, text: str) -> Row:
        return ((f"{SIGN} {text}", DIM),)
