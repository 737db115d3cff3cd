"""Rows onto a terminal: what is done is written once, of the open tail only what has changed.

The cursor stands at the end of the last row that was drawn, or on a fresh line where there is
none. A row that is too wide is wrapped by the terminal, so that it copies out as one and is
wrapped again after a resize; but where terminals may differ about a character's width, it is
folded here and drawn with autowrap off, so that no terminal makes two rows of one. Rows are
erased one by one: erasing all below pushes the screen of tmux into its history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .options import size_of, wraps_again
from .output import Stream
from .spans import Row, cells, merged, paint, plain
from .wrapping import fold

ERASE_ROW = "\x1b[2K"
UP = "\x1b[1A"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
TOGETHER, DRAWN = "\x1b[?2026h", "\x1b[?2026l"
RESTORED = f"{WRAP_ON}\x1b[0m{DRAWN}"
# Terminals differ about the width of these: joiners, variants, skin tones, flags, accents.
ODD = re.compile(
    "[\u200b-\u200f\u20e3\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\u0300-\u036f]"
)


class Region:
    """One live place at the end of what a terminal shows."""

    def __init__(self, stream: Stream, colored: bool) -> None:
        self._stream = stream
        self._colored = colored
        self._size = size_of(stream.descriptor)
        self._width = self._size[0]
        self._shown: list[Row] = []  # the first of them topmost
        self._heights: list[int] = []  # how many rows of the terminal each of them takes
        self._cropped = False  # whether the tail had more rows above those
        self._stale = False  # whether what is shown must be drawn again
        self._above: list[Row] = []  # rows of the tail that a resize pushed out of reach
        self._written = 0  # rows that are done, at least
        self._torn = False  # whether a write was broken off
        self._owed: Sequence[Row] = ()  # rows of it that are done

    def measure(self) -> int:
        """The width to lay rows out for; takes note of a resize.

        A tail whose first rows have scrolled out of reach keeps its old width until they are
        done: as the same rows they need not be written again.
        """
        size = size_of(self._stream.descriptor)
        if size != self._size:
            self._resized(*size)
        if not self._above:
            self._width = self._size[0]
        return self._width

    @property
    def stale(self) -> bool:
        """Whether it is to be drawn again although no text came."""
        return self._stale

    def _resized(self, columns: int, rows: int) -> None:
        """Set apart the first rows that may have left the screen.

        A narrower terminal wraps the tail again. tmux then moves as many rows into its history as
        have come up, even if the screen has blank rows below: those of the tail, too, but for the
        rows that are known to stand above it.
        """
        before = sum(self._heights)
        if columns != self._size[0] and wraps_again():
            self._heights = [height(row, columns) for row in self._shown]
        now = sum(self._heights)
        behind_done = max(0, min(self._written, min(rows, self._size[1]) - before))
        out = max(now - rows, now - before - behind_done)
        gone = 0
        while out > 0 and gone < len(self._shown) - 1:
            out -= self._heights[gone]
            gone += 1
        if not self._cropped:
            self._above += self._shown[:gone]
        del self._shown[:gone], self._heights[:gone]
        self._size = (columns, rows)
        self._stale = True

    def frame(self, done: Sequence[Row], tail: Sequence[Row]) -> None:
        """Write the rows that are done for good, and show the tail below them.

        Raises:
            BrokenPipeError: nobody reads any more. OutputError: it cannot be written.
        """
        done, tail = self._without_above(list(done), list(tail))
        tail = [part for row in tail for part in self._drawable(row)]
        seen = self._last(tail)
        codes = self._change([*done, *seen], len(done))
        self._written += len(done)
        self._shown = seen
        self._heights = [height(row, self._size[0]) for row in seen]
        self._cropped = len(seen) < len(tail)
        self._stale = False
        self._owed = done
        self._write(codes)

    def _drawable(self, row: Row) -> list[Row]:
        """The row as it is live: folded, if the terminal might wrap it elsewhere than we think."""
        text = plain(row)
        simple = text.isascii() and "\t" not in text
        return [row] if simple else fold(row, self._size[0])

    def _last(self, tail: list[Row]) -> list[Row]:
        """The last rows of the tail that fit on the screen with the cursor's own line."""
        columns, rows = self._size
        room = max(1, rows - 1)
        first = len(tail)
        while first and (room := room - height(tail[first - 1], columns)) >= 0:
            first -= 1
        if first == len(tail) and tail:  # one row that is taller than the screen
            return fold(tail[-1], columns)[-max(1, rows - 1) :]
        return tail[first:]

    def lift(self) -> None:
        """Take the tail off the screen, so that something else can be written there."""
        codes = self._erase(sum(self._heights)) if self._shown else ""
        self.forget()
        self._owed = ()
        self._write(codes)

    def forget(self) -> None:
        """Others have written below the tail (Ctrl-Z, fg): it is drawn anew and stays above."""
        self._shown, self._heights, self._cropped = [], [], False
        self._stale = True

    def restore(self) -> None:
        """After a write that was broken off: the terminal as it was, what was done once more."""
        if self._torn:
            self.forget()
            again = "".join(f"{paint(row, self._colored)}\n" for row in self._owed)
            self._write(f"{RESTORED}\n{again}")

    def _without_above(self, done: list[Row], tail: list[Row]) -> tuple[list[Row], list[Row]]:
        """Without the rows that stand out of reach already, if they are still the same."""
        count = len(self._above)
        if not count:
            return done, tail
        if [*done, *tail][:count] != self._above:
            self._above = []  # they changed: shown twice rather than lost
            return done, tail
        self._above = self._above[len(done) :]
        return done[count:], tail[max(0, count - len(done)) :]

    def _change(self, new: list[Row], done: int) -> str:
        """The codes that turn what is shown into the new rows, the first `done` for good."""
        shown, same = self._shown, self._same(new, done)
        if same == len(new) < len(shown) and same:
            same -= 1  # the cursor must come to the end of the last row
        codes = ""
        if same < len(shown):
            if extended := self._extended(new, same, done):
                return extended
            codes = self._erase(sum(self._heights[same:]))
        elif shown and (same < len(new) or same == done):
            codes = "\n"
        codes += "".join(f"{paint(row, self._colored)}\n" for row in new[same:done])
        return codes + "\n".join(self._live(row, row) for row in new[max(same, done) :])

    def _same(self, new: list[Row], done: int) -> int:
        """How many of the first rows stand on the screen as they should."""
        if self._stale:
            return 0
        count = 0
        for old, row in zip(self._shown, new, strict=False):
            if old != row or (count < done and self._in_doubt(row)):
                break
            count += 1
        return count

    def _in_doubt(self, row: Row) -> bool:
        """Whether a terminal may have cut the row while autowrap was off."""
        text = plain(row)
        wide = not text.isascii() and cells(row) >= self._size[0] - 1
        return wide or ODD.search(text) is not None

    def _extended(self, new: list[Row], same: int, done: int) -> str:
        """Only the new characters, where the last row has become longer and nothing else."""
        if not (same == len(self._shown) - 1 == len(new) - 1 and done <= same):
            return ""
        more = behind(self._shown[-1], new[-1])
        return self._live(more, new[-1]) if more else ""

    def _live(self, row: Row, whole: Row) -> str:
        """A row of the tail, or the end of the `whole` one."""
        text = paint(row, self._colored)
        return text if plain(whole).isascii() else f"{WRAP_OFF}{text}{WRAP_ON}"

    def _erase(self, height: int) -> str:
        """From the last row upwards; leaves the cursor at the beginning of the topmost."""
        return f"\r{ERASE_ROW}" + f"{UP}{ERASE_ROW}" * (height - 1)

    def _write(self, codes: str) -> None:
        if codes.count("\n") + codes.count(UP) > 1:
            codes = f"{TOGETHER}{codes}{DRAWN}"
        self._torn = True
        self._stream.codes(codes)
        self._torn = False


def height(row: Row, columns: int) -> int:
    """How many rows of a terminal the row takes."""
    return -(-cells(row) // columns) or 1


def behind(old: Row, new: Row) -> Row:
    """What the new row has behind the old one; () = it does not begin with it."""
    if not old:
        return new
    *before, (text, style) = old
    last = len(before)
    if len(new) < len(old) or list(new[:last]) != before:
        return ()
    longer, other = new[last]
    if other != style or not longer.startswith(text):
        return ()
    return merged([(longer[len(text) :], style), *new[last + 1 :]])
