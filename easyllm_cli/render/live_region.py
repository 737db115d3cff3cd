"""Draws rows on a terminal: finished rows once, and below them a tail that may still change.

Of the tail only the changed rows are drawn again. Of a tail that is taller than the screen the
first and the last rows are shown: when the terminal gets narrower, rows scroll off at the top, and
these are then the ones that come next in the scrollback anyway. The cursor is at the end of the
last row, or on an empty line when there is no tail. The terminal wraps rows that are too wide, so
that they copy as one line and are rewrapped after a resize. Rows with characters whose width
differs between terminals are folded here and drawn with autowrap off, so that their height is
certain. Rows are erased one by one: erase-below at the top row makes tmux (seen with 3.3a) push the
screen into its history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from .options import can_rewrap_rows, count_typed_bytes, terminal_size
from .output import OutputStream
from .spans import DIM, Row, ansi_from_row, merge_spans, row_width, text_from_row
from .wrapping import fold

ERASE_ROW = "\x1b[2K"
CURSOR_UP = "\x1b[1A"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
SYNC_BEGIN, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
RESET_TERMINAL = f"{WRAP_ON}\x1b[0m{SYNC_END}"
OMITTED_ROWS: Row = (("…", DIM),)  # stands for the rows of a tail that do not fit on the screen
# The width of these differs between terminals: joiners, variation selectors, skin tones, flags,
# combining accents.
AMBIGUOUS_WIDTH = re.compile(
    "[\u200b-\u200f\u20e3\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\u0300-\u036f]"
)


class LiveRegion:
    """The part of the screen, below all finished rows, that can still be redrawn."""

    def __init__(self, stream: OutputStream, colored: bool) -> None:
        self._stream = stream
        self._colored = colored
        self._size = terminal_size(stream.descriptor)
        self._width = self._size[0]
        self._shown: list[Row] = []  # rows of the tail on the screen, from the top
        self._heights: list[int] = []  # how many terminal rows each of them takes
        self._first_count = 0  # how many of the shown rows are the first ones of the tail
        self._typed_bytes = count_typed_bytes(stream.descriptor)
        self._stale = False  # whether everything shown must be redrawn
        self._unreachable_rows: list[Row] = []  # tail rows that a resize scrolled off
        self._done_count = 0  # finished rows above the tail, at least
        self._write_interrupted = False  # whether the last write was interrupted
        self._unconfirmed_rows: Sequence[Row] = ()  # finished rows of the last write

    def measure_width(self) -> int:
        """Return the width for laying out rows, in cells; handles a resize.

        A tail whose first rows have scrolled off the screen keeps its old width until these are
        finished: unchanged rows need not be written again.
        """
        size = terminal_size(self._stream.descriptor)
        if size != self._size:
            self._handle_resize(*size)
        if not self._unreachable_rows:
            self._width = self._size[0]
        return self._width

    @property
    def stale(self) -> bool:
        """Whether the tail must be redrawn although its text did not change."""
        return self._stale

    def _handle_resize(self, columns: int, rows: int) -> None:
        """Move the first rows of the tail that may have left the screen to the unreachable rows.

        A narrower terminal rewraps the tail. tmux then scrolls by as many rows as were added,
        even if the screen has blank rows below. Finished rows above the tail scroll off first.
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
        self._unreachable_rows += self._shown[: min(lost, self._first_count)]
        self._first_count = max(0, self._first_count - lost)
        del self._shown[:lost], self._heights[:lost]
        self._size = (columns, rows)
        self._stale = True

    def draw(self, done: Sequence[Row], tail: Sequence[Row]) -> None:
        """Write the finished rows `done` and show `tail` below them.

        Raises:
            BrokenPipeError: the reader has closed the pipe.
            OutputError: the write failed.
        """
        done, tail = self._skip_unreachable(list(done), list(tail))
        tail = [part for row in tail for part in self._fold_live_row(row)]
        first_rows, last_rows = self._crop_tail(tail)
        visible = [*first_rows, *last_rows]
        codes = self._encode_erase_after_typing()
        codes += self._encode_changes([*done, *visible], len(done))
        self._done_count += len(done)
        self._shown = visible
        self._heights = [row_height(row, self._size[0]) for row in visible]
        self._first_count = len(first_rows)
        self._stale = False
        self._unconfirmed_rows = done
        self._write(codes)

    def _fold_live_row(self, row: Row) -> list[Row]:
        """Fold a row of the tail if the terminal might wrap it at another place."""
        text = text_from_row(row)
        simple = text.isascii() and "\t" not in text
        return [row] if simple else fold(row, self._size[0])

    def _crop_tail(self, tail: list[Row]) -> tuple[list[Row], list[Row]]:
        """Return the first and the last rows of the tail that are shown, one line left free."""
        columns, rows = self._size
        room = max(1, rows - 1)
        heights = [row_height(row, columns) for row in tail]
        if sum(heights) <= room:
            return tail, []
        end_room = max(1, room // 3)
        first = count_fitting(heights, room - end_room - 1)
        last = count_fitting(heights[::-1], end_room)
        # The last row alone may be taller than its room.
        last_rows = tail[len(tail) - last :] if last else fold(tail[-1], columns)[-end_room:]
        return tail[:first], [OMITTED_ROWS, *last_rows] if room > 1 else last_rows

    def clear(self) -> None:
        """Erase the tail from the screen, so that something else can be written there."""
        codes = self._encode_erase_after_typing()
        codes += self._encode_erase(sum(self._heights)) if self._shown else ""
        self.invalidate()
        self._unconfirmed_rows = ()
        self._write(codes)

    def invalidate(self) -> None:
        """Forget the drawn tail: the next draw repeats it below whatever follows (Ctrl-Z, fg)."""
        self._shown, self._heights, self._first_count = [], [], 0
        self._stale = True

    def repair_interrupted_write(self) -> None:
        """After an interrupted write, reset the terminal and write the finished rows again."""
        if self._write_interrupted:
            self.invalidate()
            repeated = "".join(
                f"{ansi_from_row(row, self._colored)}\n" for row in self._unconfirmed_rows
            )
            self._write(f"{RESET_TERMINAL}\n{repeated}")

    def _skip_unreachable(self, done: list[Row], tail: list[Row]) -> tuple[list[Row], list[Row]]:
        """Leave out the unreachable rows, which are in the scrollback, if they say the same."""
        count = len(self._unreachable_rows)
        if not count:
            return done, tail
        rows = [*done, *tail][:count]
        if list(map(remove_spacing, rows)) != list(map(remove_spacing, self._unreachable_rows)):
            self._unreachable_rows = []  # changed: rather shown twice than lost
            return done, tail
        self._unreachable_rows = self._unreachable_rows[len(done) :]
        return done[count:], tail[max(0, count - len(done)) :]

    def _encode_changes(self, new_rows: list[Row], done_count: int) -> str:
        """Return the output that turns the shown rows into `new_rows`.

        The first `done_count` of these are finished.
        """
        shown, unchanged = self._shown, self._count_unchanged(new_rows, done_count)
        if unchanged == len(new_rows) < len(shown) and unchanged:
            unchanged -= 1  # redraw the last row, so that the cursor is at its end
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
        """Count the first rows that are on the screen already."""
        if self._stale:
            return 0
        count = 0
        for old, row in zip(self._shown, new_rows, strict=False):
            if old != row or (count < done_count and self._has_ambiguous_width(row)):
                break
            count += 1
        return count

    def _has_ambiguous_width(self, row: Row) -> bool:
        """Whether the terminal may have cut the row off while autowrap was off."""
        text = text_from_row(row)
        wide = not text.isascii() and row_width(row) >= self._size[0] - 1
        return wide or AMBIGUOUS_WIDTH.search(text) is not None

    def _encode_extension(self, new_rows: list[Row], unchanged_count: int, done_count: int) -> str:
        """Return only the new characters if the last row got longer and nothing else changed."""
        if not (
            unchanged_count == len(self._shown) - 1 == len(new_rows) - 1
            and done_count <= unchanged_count
        ):
            return ""
        appended = find_appended(self._shown[-1], new_rows[-1])
        return self._encode_live_row(appended, new_rows[-1]) if appended else ""

    def _encode_live_row(self, row: Row, whole_row: Row) -> str:
        """Encode a row of the tail, or only the end of `whole_row`."""
        text = ansi_from_row(row, self._colored)
        return text if text_from_row(whole_row).isascii() else f"{WRAP_OFF}{text}{WRAP_ON}"

    def _encode_erase(self, height: int) -> str:
        """Erase `height` rows upwards; the cursor ends at the start of the topmost."""
        return f"\r{ERASE_ROW}" + f"{CURSOR_UP}{ERASE_ROW}" * (height - 1)

    def _encode_erase_after_typing(self) -> str:
        """Erase the tail if Enter was typed since the last time: its echo moved the cursor down."""
        before, self._typed_bytes = self._typed_bytes, count_typed_bytes(self._stream.descriptor)
        if self._typed_bytes <= before:
            return ""
        height = max(1, sum(self._heights)) + 1
        self._shown, self._heights, self._first_count = [], [], 0
        return self._encode_erase(height)

    def _write(self, codes: str) -> None:
        if codes.count("\n") + codes.count(CURSOR_UP) > 1:
            codes = f"{SYNC_BEGIN}{codes}{SYNC_END}"
        self._write_interrupted = True
        self._stream.write_raw(codes)
        self._write_interrupted = False


def row_height(row: Row, columns: int) -> int:
    """How many terminal rows the row takes at this width."""
    return -(-row_width(row) // columns) or 1


def remove_spacing(row: Row) -> str:
    """Return the row's text without what changes with the widths of a table's columns."""
    return text_from_row(row).translate({ord(" "): None, ord("─"): None})


def count_fitting(heights: Sequence[int], limit: int) -> int:
    """Count the first rows whose heights together are within the limit."""
    return sum(total <= limit for total in accumulate(heights))


def find_appended(old: Row, new: Row) -> Row:
    """Return what `new` adds to the end of `old`; () when it does not begin with `old`."""
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
