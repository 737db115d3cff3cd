"""Shows on stderr how the answers of a comparison grow, until all are there and are printed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..events import Event, Reasoning, Reclassified, Retrying, Start, Text
from .options import can_move_cursor, takes_color, terminal_size
from .output import OutputStream
from .sanitize import Sanitizer, sanitize_text

if TYPE_CHECKING:
    from .live_region import LiveRegion
    from .markdown.document import Document
    from .spans import Row

FRAME_SECONDS = 1 / 12
DELAY_SECONDS = 0.3  # before the first frame: answers from a cache need none
IDLE_TO_CPU_RATIO = 8  # pause after a frame per CPU second it took
KEPT_ROWS = 200  # of each answer: more than a screen has


class AnswerPreview:
    """The state of one answer and the end of its text."""

    def __init__(self, label: str) -> None:
        self._label = sanitize_text(label)
        self._model = ""
        self._state = ""  # "" = waiting for the first token
        self._started_at = time.monotonic()
        self._ended = False
        self._begin_text()

    def _begin_text(self) -> None:
        self._document: Document | None = None
        self._sanitizer = Sanitizer()
        self._unread: list[str] = []
        self._rows: deque[Row] = deque(maxlen=KEPT_ROWS)

    def handle_event(self, event: Event) -> None:
        match event:
            case Start(_, model, _):
                self._model = sanitize_text(model).replace("\n", " ")
            case Text(text):
                self._state = "answering"
                self._unread.append(text)
            case Reasoning():
                self._state = "thinking"
            case Retrying():
                self._state = "retrying"
                self._begin_text()
            case Reclassified():
                self._begin_text()

    def end(self, state: str) -> None:
        """The answer is over; `state` says how."""
        seconds = time.monotonic() - self._started_at
        self._state, self._ended = f"{state}, {seconds:.1f} s", True

    def lay_out_status(self, width: int) -> list[Row]:
        """The label, and what the answer does."""
        from .name_wrapping import wrap_names
        from .spans import BOLD, DIM

        seconds = int(time.monotonic() - self._started_at)
        state = self._state if self._ended else f"{self._state or 'waiting'} {seconds} s"
        status = " · ".join(filter(None, [self._model, state]))
        parts = ((self._label, BOLD), (status, DIM))
        return [((row, style),) for text, style in parts for row in wrap_names(text, width)]

    def lay_out_text(self, width: int, height: int) -> list[Row]:
        """The last rows of the text so far, at most `height`."""
        from .markdown.document import Document
        from .wrapping import fold

        if height <= 0:
            return []
        if self._document is None:
            self._document = Document(width)
        document = self._document
        document.width = width
        document.feed(self._sanitizer.feed("".join(self._unread)))
        self._unread.clear()
        done, tail = document.take_rows()
        self._rows += done
        last = [*self._rows, *tail][-height:]
        return [part for row in last for part in fold(row, width)][-height:]


class ComparisonPreview:
    """Rows on stderr that disappear when the answers are printed.

    Answers stand side by side if the terminal is wide enough, else one below the other, and all of
    them fit on the screen: of each text the last rows are shown. Without a terminal, or with -q,
    nothing is shown. `shows_text`: the texts too, not only what the answers do.
    """

    def __init__(self, *, quiet: bool, color: str, shows_text: bool) -> None:
        self.needs_ticks = can_move_cursor(2) and not quiet
        self._shows_text = shows_text
        self._stderr = OutputStream(2, terminal=True)
        self._colored = takes_color(2, color)
        self._region: LiveRegion | None = None
        self._answers: Sequence[AnswerPreview] = ()
        self._title = ""
        self._next_draw_at = 0.0

    def begin(self, answers: Sequence[AnswerPreview], title: str = "") -> None:
        """Show these answers from now on; `title`: a row above them, "" = none."""
        self._answers = answers
        self._title = title
        self._next_draw_at = self._next_draw_at or time.monotonic() + DELAY_SECONDS

    def tick(self) -> None:
        """Draw a frame if one is due."""
        if not self.needs_ticks or time.monotonic() < self._next_draw_at:
            return
        if not self._stderr.is_writable():
            return
        start = time.process_time()
        with suppress(OSError, OutputError):
            region = self._ensure_region()
            region.draw([], self.lay_out(region.measure_width(), terminal_size(2)[1] - 1))
        pause = max(FRAME_SECONDS, IDLE_TO_CPU_RATIO * (time.process_time() - start))
        self._next_draw_at = time.monotonic() + pause

    def lay_out(self, width: int, height: int) -> list[Row]:
        """All answers in at most `height` rows, if that is possible."""
        from .columns import join_columns, measure_text_columns
        from .spans import DIM

        title: list[Row] = [((self._title, DIM),)] if self._title else []
        cells = measure_text_columns(len(self._answers), width)
        heads = [answer.lay_out_status(cells or width) for answer in self._answers]
        used = len(title) + (max(map(len, heads)) if cells else sum(map(len, heads)))
        room = (height - used) // (1 if cells else len(heads)) if self._shows_text else 0
        blocks = [
            [*head, *answer.lay_out_text(cells or width, room)] if room > 0 else head
            for head, answer in zip(heads, self._answers, strict=True)
        ]
        if cells:
            return [*title, *join_columns(blocks, cells)]
        return [*title, *(row for block in blocks for row in block)]

    def resume(self) -> None:
        """Draw again after the process was suspended: other programs may have written meanwhile."""
        if self._region:
            self._region.invalidate()

    def suspend(self) -> None:
        """Erase the rows before the process is suspended (Ctrl-Z)."""
        self.clear()

    def clear(self) -> None:
        """Erase the rows, for a notice or for the answers; a later tick draws them again."""
        with suppress(OSError, OutputError):
            if self._region:
                self._region.repair_interrupted_write()
                self._region.clear()

    def _ensure_region(self) -> LiveRegion:
        if self._region is None:
            from .live_region import LiveRegion

            self._region = LiveRegion(self._stderr, self._colored)
        return self._region
