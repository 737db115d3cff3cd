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

from .options import can_rewrap_rows, terminal_size
from .output import OutputStream
from .spans import Row, ansi_from_row, merge_spans, row_width, text_from_row
from .wrapping import fold

ERASE_ROW = "\x1b[2K"
CURSOR_UP = "\x1b[1A"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
SYNC_BEGIN, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
RESET_TERMINAL = f"{WRAP_ON}\x1b[0m{SYNC_END}"
# Terminals differ about the width of these: joiners, variants, skin tones, flags, accents.
AMBIGUOUS_WIDTH = re.compile(
    "[\u200b-\u200f\u20e3\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\u0300-\u036f]"
)


class LiveRegion:
    """One live place at the end of what a terminal shows."""

    def __init__(self, stream: OutputStream, colored: bool) -> None:
        self._stream = stream
        self._colored = colored
        self._size = terminal_size(stream.descriptor)
        self._width = self._size[0]
        self._shown: list[Row] = []  # the first of them topmost
        self._heights: list[int] = []  # how many rows of the terminal each of them takes
        self._cropped = False  # whether the tail had more rows above those
        self._stale = False  # whether what is shown must be drawn again
        self._unreachable_rows: list[Row] = []  # rows of the tail that a resize pushed out of reach
        self._done_count = 0  # rows that are done, at least
        self._write_interrupted = False  # whether a write was broken off
        self._unconfirmed_rows: Sequence[Row] = ()  # rows of it that are done

    def measure_width(self) -> int:
        """The width to lay rows out for; takes note of a resize.

        A tail whose first rows have scrolled out of reach keeps its old width until they are
        done: as the same rows they need not be written again.
        """
        size = terminal_size(self._stream.descriptor)
        if size != self._size:
            self._handle_resize(*size)
        if not self._unreachable_rows:
            self._width = self._size[0]
        return self._width

    @property
    def stale(self) -> bool:
        """Whether it is to be drawn again although no text came."""
        return self._stale

    def _handle_resize(self, columns: int, rows: int) -> None:
        """Set apart the first rows that may have left the screen.

        A narrower terminal wraps the tail again. tmux then moves as many rows into its history as
        have come up, even if the screen has blank rows below: those of the tail, too, but for the
        rows that are known to stand above it.
        """
        old_height = sum(self._heights)
        if columns != self._size[0] and can_rewrap_rows():
            self._heights = [row_height(row, columns) for row in self._shown]
        new_height = sum(self._heights)
        rows_above = max(0, min(self._done_count, min(rows, self._size[1]) - old_height))
        excess = max(new_height - rows, new_height - old_height - rows_above)
        lost = 0
        while excess > 0 and lost < len(self._shown) - 1:
            excess -= self._heights[lost]
            lost += 1
        if not self._cropped:
            self._unreachable_rows += self._shown[:lost]
        del self._shown[:lost], self._heights[:lost]
        self._size = (columns, rows)
        self._stale = True

    def draw(self, done: Sequence[Row], tail: Sequence[Row]) -> None:
        """Write the rows that are done for good, and show the tail below them.

        Raises:
            BrokenPipeError: nobody reads any more. OutputError: it cannot be written.
        """
        done, tail = self._skip_unreachable(list(done), list(tail))
        tail = [part for row in tail for part in self._fold_live_row(row)]
        visible = self._crop_tail(tail)
        codes = self._encode_changes([*done, *visible], len(done))
        self._done_count += len(done)
        self._shown = visible
        self._heights = [row_height(row, self._size[0]) for row in visible]
        self._cropped = len(visible) < len(tail)
        self._stale = False
        self._unconfirmed_rows = done
        self._write(codes)

    def _fold_live_row(self, row: Row) -> list[Row]:
        """The row as it is live: folded, if the terminal might wrap it elsewhere than we think."""
        text = text_from_row(row)
        simple = text.isascii() and "\t" not in text
        return [row] if simple else fold(row, self._size[0])

    def _crop_tail(self, tail: list[Row]) -> list[Row]:
        """The last rows of the tail that fit on the screen with the cursor's own line."""
        columns, rows = self._size
        room = max(1, rows - 1)
        first = len(tail)
        while first and (room := room - row_height(tail[first - 1], columns)) >= 0:
            first -= 1
        if first == len(tail) and tail:  # one row that is taller than the screen
            return fold(tail[-1], columns)[-max(1, rows - 1) :]
        return tail[first:]

    def clear(self) -> None:
        """Take the tail off the screen, so that something else can be written there."""
        codes = self._encode_erase(sum(self._heights)) if self._shown else ""
        self.invalidate()
        self._unconfirmed_rows = ()
        self._write(codes)

    def invalidate(self) -> None:
        """Others have written below the tail (Ctrl-Z, fg): it is drawn anew and stays above."""
        self._shown, self._heights, self._cropped = [], [], False
        self._stale = True

    def repair_interrupted_write(self) -> None:
        """After a write that was broken off: the terminal as it was, what was done once more."""
        if self._write_interrupted:
            self.invalidate()
            repeated = "".join(
                f"{ansi_from_row(row, self._colored)}\n" for row in self._unconfirmed_rows
            )
            self._write(f"{RESET_TERMINAL}\n{repeated}")

    def _skip_unreachable(self, done: list[Row], tail: list[Row]) -> tuple[list[Row], list[Row]]:
        """Without the rows that stand out of reach already, if they are still the same."""
        count = len(self._unreachable_rows)
        if not count:
            return done, tail
        if [*done, *tail][:count] != self._unreachable_rows:
            self._unreachable_rows = []  # they changed: shown twice rather than lost
            return done, tail
        self._unreachable_rows = self._unreachable_rows[len(done) :]
        return done[count:], tail[max(0, count - len(done)) :]

    def _encode_changes(self, new_rows: list[Row], done_count: int) -> str:
        """The codes that turn what is shown into the new rows, the first `done` for good."""
        shown, unchanged = self._shown, self._count_unchanged(new_rows, done_count)
        if unchanged == len(new_rows) < len(shown) and unchanged:
            unchanged -= 1  # the cursor must come to the end of the last row
        codes = ""
        if unchanged < len(shown):
            if extended := self._encode_extension(new_rows, unchanged, done_count):
                return extended
            codes = self._encode_erase(sum(self._heights[unchanged:]))
        elif shown and (unchanged < len(new_rows) or unchanged == done_count):
            codes = "\n"
        codes += "".join(
            f"{ansi_from_row(row, self._colored)}\n" for row in new_rows[unchanged:done_count]
        )
        return codes + "\n".join(
            self._encode_live_row(row, row) for row in new_rows[max(unchanged, done_count) :]
        )

    def _count_unchanged(self, new_rows: list[Row], done_count: int) -> int:
        """How many of the first rows stand on the screen as they should."""
        if self._stale:
            return 0
        count = 0
        for old, row in zip(self._shown, new_rows, strict=False):
            if old != row or (count < done_count and self._has_ambiguous_width(row)):
                break
            count += 1
        return count

    def _has_ambiguous_width(self, row: Row) -> bool:
        """Whether a terminal may have cut the row while autowrap was off."""
        text = text_from_row(row)
        wide = not text.isascii() and row_width(row) >= self._size[0] - 1
        return wide or AMBIGUOUS_WIDTH.search(text) is not None

    def _encode_extension(self, new_rows: list[Row], unchanged_count: int, done_count: int) -> str:
        """Only the new characters, where the last row has become longer and nothing else."""
        if not (
            unchanged_count == len(self._shown) - 1 == len(new_rows) - 1
            and done_count <= unchanged_count
        ):
            return ""
        appended = find_appended(self._shown[-1], new_rows[-1])
        return self._encode_live_row(appended, new_rows[-1]) if appended else ""

    def _encode_live_row(self, row: Row, whole_row: Row) -> str:
        """A row of the tail, or the end of the `whole` one."""
        text = ansi_from_row(row, self._colored)
        return text if text_from_row(whole_row).isascii() else f"{WRAP_OFF}{text}{WRAP_ON}"

    def _encode_erase(self, height: int) -> str:
        """From the last row upwards; leaves the cursor at the beginning of the topmost."""
        return f"\r{ERASE_ROW}" + f"{CURSOR_UP}{ERASE_ROW}" * (height - 1)

    def _write(self, codes: str) -> None:
        if codes.count("\n") + codes.count(CURSOR_UP) > 1:
            codes = f"{SYNC_BEGIN}{codes}{SYNC_END}"
        self._write_interrupted = True
        self._stream.write_raw(codes)
        self._write_interrupted = False


def row_height(row: Row, columns: int) -> int:
    """How many rows of a terminal the row takes."""
    return -(-row_width(row) // columns) or 1


def find_appended(old: Row, new: Row) -> Row:
    """What the new row has behind the old one; () = it does not begin with it."""
    if not old:
        return new
    *unchanged, (old_text, old_style) = old
    last = len(unchanged)
    if len(new) < len(old) or list(new[:last]) != unchanged:
        return ()
    new_text, new_style = new[last]
    if new_style != old_style or not new_text.startswith(old_text):
        return ()
    return merge_spans([(new_text[len(old_text) :], old_style), *new[last + 1 :]])
