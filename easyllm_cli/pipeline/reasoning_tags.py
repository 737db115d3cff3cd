"""Tells reasoning from answer where a model marks it inline, live and at any split.

A block counts only at the answer's start, where white space and further blocks may precede it;
its marks are those of `marks.MARKS` and of harmony. Nested tags of the same name are counted, so
`<think>a<think>b</think>c</think>d` is reasoning `a<think>b</think>c` and answer `d`. White space
at a block's edges is dropped; blocks are joined by a blank line. A closer that nothing opened
turns all text so far into reasoning, unless it is quoted or stands in a code block. Where a
family marks the answer as well, those marks are dropped, in front of it and at its end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from io import StringIO
from typing import Any

from ..errors import EasyLLMError
from ..events import Done, Event, Reasoning, Reclassified, Text
from .reasoning_marks import (
    ANSWER_ENDS_BY_LONE_CLOSER,
    CLOSER_BY_OPENER,
    HARMONY_ENDS,
    HARMONY_HEADERS,
    HARMONY_STARTS,
    OPENERS_AND_LONE_CLOSERS,
    BlockStart,
    Marks,
    find_marks,
    is_block_prefix,
    is_header_prefix,
    parse_block_start,
    partial_mark_length,
    strip_answer_ends,
)

MAX_TAGS_CHECKED = 100
MAX_LEADING_SPACE_CHARS = 65_536  # characters of white space before the answer that are held
MAX_ANSWER_END_CHARS = 1024  # characters of ends and white space that are held behind an answer


def is_quoted(text: str) -> bool:
    """Whether what follows `text` stands in quotes, in back-ticks or in a fenced code block."""
    return text.endswith(("`", '"', "'", "\\")) or (
        len(re.findall(r"^ {0,3}(?:```|~~~)", text, re.MULTILINE)) % 2 == 1
    )


class TagSplitter:
    """Text in pieces goes in, Text and Reasoning events come out.

    `mode`: the profile's reasoning_tags ("auto", "implicit", "off"). `hold`: whether text is held
    until it is known that no lone closer follows.
    """

    def __init__(self, mode: str = "auto", hold: bool = False) -> None:
        self._hold = hold and mode == "auto"
        self._state = {
            "auto": self._read_start,
            "implicit": self._read_implicit,
            "off": self._read_plain_answer,
        }[mode]
        self._rest = ""
        self._answer_so_far = StringIO()
        self._held_space = ""  # white space of the reasoning that is held
        self._block_count = 0
        self._has_reasoning = False
        self._separated = False
        # Inside a block: the marks that count, and how many openers wait for each closer.
        self._block_marks: Marks = ()
        self._nested: dict[str, int] = {}
        self._state_after_opener = self._state  # the state behind an opener and its white space
        # In the answer: what may end it, whether the end in front counts, what stood before.
        self._answer_ends: Marks = ()
        self._is_real_end: bool | None = None
        self._has_answer = False
        self._gap = ""
        self._open_tag_count = 0
        self._marks_checked = 0

    def feed(self, text: str) -> Iterator[Event]:
        """The events that are certain now."""
        self._rest += text
        while self._rest:
            before = (len(self._rest), self._state)
            yield from self._state()
            if (len(self._rest), self._state) == before:
                return

    def handle_separate_reasoning(self) -> Iterator[Event]:
        """The protocol itself sent reasoning: held text is answer, a lone closer is text."""
        self._separated = True
        if self._hold:
            yield from self._release_held_text()
        if self._state == self._read_watched_answer:
            self._state = self._read_plain_answer
        elif self._state == self._read_implicit:  # the server separates: no block is open
            self._state = self._read_start
        self._hold = False

    def end(self) -> Iterator[Event]:
        """What was held back is what it seems."""
        rest, self._rest = self._rest.lstrip() if self._block_count else self._rest, ""
        within = self._state_after_opener == self._read_reasoning and self._state in (
            self._skip_opening_space,
            self._read_reasoning,
        )
        if self._state == self._read_channel_answer and self._ends_answer(rest):
            rest = strip_answer_ends(rest, self._answer_ends, MAX_ANSWER_END_CHARS)
        if within or self._state == self._read_implicit:
            yield from self._emit_reasoning(rest)
        elif (
            rest.startswith(HARMONY_STARTS)
            and is_header_prefix(rest)
            and self._state != self._read_plain_answer
        ):
            self._held_space = "\n\n" if self._has_reasoning else ""
            yield from self._emit_reasoning(rest)  # a header that was cut is no answer
        elif rest and not (self._block_count and not rest.strip()):
            self._answer_so_far.write(rest)
            if not self._hold:
                yield Text(self._gap + rest)
        if self._hold:
            yield from self._release_held_text()

    def _release_held_text(self) -> Iterator[Event]:
        held = self._answer_so_far.getvalue()
        self._answer_so_far = StringIO()
        if held:
            yield Text(held)

    # The states: each takes what it can off `self._rest`.

    def _read_start(self) -> Iterator[Event]:
        """Before the answer: white space, then a block or the answer's first character."""
        text = self._rest.lstrip()
        block = parse_block_start(text)
        if block:
            self._open_block(block, text)
        elif (not text or is_block_prefix(text)) and len(self._rest) < MAX_LEADING_SPACE_CHARS:
            return
        elif self._answer_ends:
            self._rest = text
            self._begin_channel_answer()
        elif self._block_count or self._separated:
            self._rest = text if self._block_count else self._rest
            self._state = self._read_plain_answer
        else:
            self._state = self._read_watched_answer
        yield from ()

    def _read_implicit(self) -> Iterator[Event]:
        """The model's template opened the block; some models write the opener all the same."""
        text = self._rest.lstrip()
        block = parse_block_start(text)
        if block is None and (not text or is_block_prefix(text)):
            return
        self._open_block(block or (0, None, ()), text)
        if block is None:
            self._block_marks = OPENERS_AND_LONE_CLOSERS
            self._state_after_opener = self._state = self._read_reasoning
        yield from ()

    def _open_block(self, block: BlockStart, text: str) -> None:
        """A block begins: reasoning, or the answer in its channel."""
        length, closer, self._answer_ends = block
        self._hold = False  # nothing is held: a block stands at the answer's start
        self._rest = text[length:].lstrip()
        self._nested = {}
        if closer is None:
            self._begin_channel_answer()
        else:
            # Nothing of the blank line shows when the block is empty.
            self._held_space = "\n\n" if self._has_reasoning else ""
            self._block_marks = (
                (text[:length], closer) if closer else HARMONY_ENDS + HARMONY_HEADERS
            )
            self._state_after_opener = self._read_reasoning
        self._block_count += 1
        self._state = self._state_after_opener if self._rest else self._skip_opening_space

    def _begin_channel_answer(self) -> None:
        """The answer begins, in a channel that may say where it ends."""
        self._state_after_opener = self._state = self._read_channel_answer
        self._gap = "\n\n" if self._has_answer else ""

    def _skip_opening_space(self) -> Iterator[Event]:
        """Right after an opener: white space is dropped."""
        self._rest = self._rest.lstrip()
        if self._rest:
            self._state = self._state_after_opener
        yield from ()

    def _read_reasoning(self) -> Iterator[Event]:
        """Reasoning, shown as it comes, until its closer."""
        for at, mark in find_marks(self._rest, self._block_marks):
            closer = CLOSER_BY_OPENER.get(mark)
            if closer:
                self._nested[closer] = self._nested.get(closer, 0) + 1
            elif self._nested.get(mark):
                self._nested[mark] -= 1
            else:
                piece, self._rest = self._rest[:at], self._rest[at:]
                self._rest = self._rest.removeprefix("" if mark in HARMONY_HEADERS else mark)
                self._answer_ends = ANSWER_ENDS_BY_LONE_CLOSER.get(mark, self._answer_ends)
                self._state = self._read_start
                yield from self._emit_reasoning(piece)
                return
        at = len(self._rest) - partial_mark_length(self._rest, self._block_marks)
        piece, self._rest = self._rest[:at], self._rest[at:]
        yield from self._emit_reasoning(piece)

    def _emit_reasoning(self, text: str) -> Iterator[Event]:
        """Reasoning without the white space at its end, which is kept for what follows."""
        shown = text.rstrip()
        if shown:
            yield Reasoning(self._held_space + shown)
            self._held_space = ""
            self._has_reasoning = True
        self._held_space += text[len(shown) :]

    def _read_channel_answer(self) -> Iterator[Event]:
        """The answer in a channel: what may end it does where nothing or a block follows."""
        tags = (
            self._answer_ends + HARMONY_HEADERS
            if self._answer_ends == HARMONY_ENDS
            else self._answer_ends
        )
        while tags and (found := next(find_marks(self._rest, tags), None)):
            at, mark = found
            yield from self._emit_channel_answer(at)
            behind = strip_answer_ends(self._rest, self._answer_ends, MAX_ANSWER_END_CHARS)
            if (
                self._ends_answer(self._rest)
                and len(self._rest) - len(behind) < MAX_ANSWER_END_CHARS
            ):
                if parse_block_start(behind):
                    self._rest, self._is_real_end = behind, None
                    self._state, self._has_answer = self._read_start, True
                    return
                if any(end.startswith(behind) for end in self._answer_ends) or is_block_prefix(
                    behind
                ):
                    return
            self._is_real_end = None
            yield from self._emit_channel_answer(len(mark))
            if self._marks_checked > MAX_TAGS_CHECKED:  # the answer is about marks
                self._state = self._read_plain_answer
                return
        yield from self._emit_channel_answer(
            len(self._rest) - (partial_mark_length(self._rest, tags) if tags else 0)
        )

    def _ends_answer(self, rest: str) -> bool:
        """Whether what may end the answer, and stands in front now, is no text of its own."""
        if self._is_real_end is None and rest.startswith(self._answer_ends + HARMONY_HEADERS):
            self._marks_checked += 1
            self._is_real_end = self._marks_checked <= MAX_TAGS_CHECKED and not is_quoted(
                self._answer_so_far.getvalue()
            )
        return bool(self._is_real_end)

    def _emit_channel_answer(self, length: int) -> Iterator[Event]:
        """The next characters of the answer in a channel."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._answer_so_far.write(piece)
            yield Text(self._gap + piece)
            self._gap = ""

    def _read_watched_answer(self) -> Iterator[Event]:
        """The answer, until a lone closer tells that its beginning was reasoning.

        Quoted tags are text, and a closer that an opener in the text belongs to is text as well.
        """
        while found := next(find_marks(self._rest, OPENERS_AND_LONE_CLOSERS), None):
            at, tag = found
            yield from self._emit_watched_answer(at)
            before = self._answer_so_far.getvalue()
            self._marks_checked += 1
            if tag in CLOSER_BY_OPENER:
                self._open_tag_count += not is_quoted(before)
            elif self._open_tag_count and not is_quoted(before):
                self._open_tag_count -= 1
            elif not is_quoted(before) and not any(
                map(before.rpartition("\n")[2].count, CLOSER_BY_OPENER)
            ):
                self._rest = self._rest[len(tag) :]
                self._block_count = 1
                self._has_reasoning = bool(before.strip())
                self._answer_ends = ANSWER_ENDS_BY_LONE_CLOSER[tag]
                self._state = self._read_start
                yield from self._reclassify(before)
                self._hold = False
                self._answer_so_far = StringIO()
                return
            yield from self._emit_watched_answer(len(tag))
            if self._marks_checked > MAX_TAGS_CHECKED:  # the answer is about tags
                yield from self.handle_separate_reasoning()
                return
        yield from self._emit_watched_answer(
            len(self._rest) - partial_mark_length(self._rest, OPENERS_AND_LONE_CLOSERS)
        )

    def _emit_watched_answer(self, length: int) -> Iterator[Event]:
        """The next characters of the answer, which may have to wait."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._answer_so_far.write(piece)
            if not self._hold:
                yield Text(piece)

    def _reclassify(self, before: str) -> Iterator[Event]:
        if self._hold:
            if before.strip():
                yield Reasoning(before.strip())
        elif before:
            yield Reclassified()

    def _read_plain_answer(self) -> Iterator[Event]:
        """The answer, taken as it is."""
        piece, self._rest = self._rest, ""
        yield Text(piece)


async def split_tags(
    events: AsyncIterator[Event], mode: str = "auto", hold: bool = False
) -> AsyncIterator[Event]:
    """The same events with inline reasoning as Reasoning; see TagSplitter for `mode`, `hold`.

    What was held back comes out before the stream's end, its error included.
    """
    splitter = TagSplitter(mode, hold)
    stream: Any = events
    async with aclosing(stream):
        try:
            async for event in stream:
                if isinstance(event, Text):
                    for one in splitter.feed(event.text):
                        yield one
                    continue
                if isinstance(event, Reasoning):
                    for one in splitter.handle_separate_reasoning():
                        yield one
                elif isinstance(event, Done):
                    for one in splitter.end():
                        yield one
                yield event
        except EasyLLMError:
            for one in splitter.end():
                yield one
            raise
