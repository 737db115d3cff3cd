"""Splits a stream's text into reasoning and answer at inline marks such as `<think>…</think>`.

The marks are `reasoning_marks.REASONING_MARKS` and harmony's; a mark may be cut anywhere between
two chunks. Rules:
- A block counts only at the start of the answer; white space and other blocks may precede it.
- Nested tags of the same name are counted: `<think>a<think>b</think>c</think>d` is the reasoning
  `a<think>b</think>c` and the answer `d`.
- White space at the edges of a block is dropped; a blank line joins two blocks.
- A closer without an opener turns all text before it into reasoning, unless it is quoted or in a
  code block.
- Marks around the answer itself are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import StringIO

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
    may_contain_mark,
    parse_block_start,
    partial_mark_length,
    strip_answer_ends,
)

MAX_TAGS_CHECKED = 100
MAX_LEADING_SPACE_CHARS = 65_536  # white space held before the answer
MAX_ANSWER_END_CHARS = 1024  # end marks and white space held after the answer


def is_quoted(text: str) -> bool:
    """Whether a mark right after `text` is in quotes, back-ticks or a fenced code block."""
    return text.endswith(("`", '"', "'", "\\")) or (
        len(re.findall(r"^ {0,3}(?:```|~~~)", text, re.MULTILINE)) % 2 == 1
    )


class TagSplitter:
    """State machine: takes chunks of text and yields Text, Reasoning and Reclassified events.

    `mode`: the profile's `reasoning_tags`: "auto", "implicit" (the text starts inside a block) or
    "off". `hold`: in "auto", hold text back until no lone closer can follow; without it, a lone
    closer yields Reclassified for text already sent.
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
        self._held_space = ""  # white space at the end of the reasoning
        self._block_count = 0
        self._has_reasoning = False
        self._separated = False
        # Inside a block: the marks to look for, and the number of nested openers for each closer.
        self._block_marks: Marks = ()
        self._nested: dict[str, int] = {}
        self._state_after_opener = self._state  # after an opener and its white space
        # In a marked answer: its end marks, whether the current one is real (None = not checked),
        # whether a part of the answer came before, and the blank line between the parts.
        self._answer_ends: Marks = ()
        self._is_real_end: bool | None = None
        self._has_answer = False
        self._gap = ""
        self._open_tag_count = 0
        self._marks_checked = 0

    def split(self, event: Event) -> Iterable[Event]:
        """The event, with the reasoning in its text split off. Held text comes before Done."""
        if not isinstance(event, Text):
            is_passed = not isinstance(event, Reasoning | Done)
            return (event,) if is_passed else self._split_other(event)
        if self._passes_unchanged(event.text):
            return (event,)  # most of the text, without the cost of a generator
        return self.feed(event.text)

    def _passes_unchanged(self, text: str) -> bool:
        """Whether the text is a whole piece of the answer: no mark begins or ends in it."""
        if self._rest or self._hold or not text:
            return False
        if self._state == self._read_watched_answer and not may_contain_mark(text):
            self._answer_so_far.write(text)
            return True
        return self._state == self._read_plain_answer

    def _split_other(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Reasoning):
            yield from self.handle_separate_reasoning()
        elif isinstance(event, Done):
            yield from self.end()
        yield event

    def feed(self, text: str) -> Iterator[Event]:
        """Add text, and yield the events that are certain now."""
        self._rest += text
        while self._rest:
            before = (len(self._rest), self._state)
            yield from self._state()
            if (len(self._rest), self._state) == before:
                return

    def handle_separate_reasoning(self) -> Iterator[Event]:
        """Call when the protocol sends reasoning in its own field.

        Held text is then part of the answer, and a lone closer is ordinary text.
        """
        self._separated = True
        if self._hold:
            yield from self._release_held_text()
        if self._state == self._read_watched_answer:
            self._state = self._read_plain_answer
        elif self._state == self._read_implicit:  # the text does not start inside a block
            self._state = self._read_start
        self._hold = False

    def end(self) -> Iterator[Event]:
        """End of the stream: yield what is held back, as reasoning or text by the current state."""
        rest, self._rest = self._rest.lstrip() if self._block_count else self._rest, ""
        in_reasoning = self._state_after_opener == self._read_reasoning and self._state in (
            self._skip_opening_space,
            self._read_reasoning,
        )
        if self._state == self._read_channel_answer and self._ends_answer(rest):
            rest = strip_answer_ends(rest, self._answer_ends, MAX_ANSWER_END_CHARS)
        if in_reasoning or self._state == self._read_implicit:
            yield from self._emit_reasoning(rest)
        elif (
            rest.startswith(HARMONY_STARTS)
            and is_header_prefix(rest)
            and self._state != self._read_plain_answer
        ):
            self._held_space = "\n\n" if self._has_reasoning else ""
            yield from self._emit_reasoning(rest)  # an incomplete header is not part of the answer
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

    # The states: each consumes as much of `self._rest` as it can.

    def _read_start(self) -> Iterator[Event]:
        """State before the answer: expects white space, then a block or the answer's text."""
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
        """First state of mode "implicit": the template opened the block; an opener is optional."""
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
        """Enter a block: reasoning, or an answer with marks around it."""
        length, closer, self._answer_ends = block
        self._hold = False  # no text came before the block
        self._rest = text[length:].lstrip()
        self._nested = {}
        if closer is None:
            self._begin_channel_answer()
        else:
            # Held, so that an empty block leaves no blank line.
            self._held_space = "\n\n" if self._has_reasoning else ""
            self._block_marks = (
                (text[:length], closer) if closer else HARMONY_ENDS + HARMONY_HEADERS
            )
            self._state_after_opener = self._read_reasoning
        self._block_count += 1
        self._state = self._state_after_opener if self._rest else self._skip_opening_space

    def _begin_channel_answer(self) -> None:
        """Enter an answer that has marks around it."""
        self._state_after_opener = self._state = self._read_channel_answer
        self._gap = "\n\n" if self._has_answer else ""

    def _skip_opening_space(self) -> Iterator[Event]:
        """State after an opener: drops white space."""
        self._rest = self._rest.lstrip()
        if self._rest:
            self._state = self._state_after_opener
        yield from ()

    def _read_reasoning(self) -> Iterator[Event]:
        """State inside a reasoning block: yields reasoning until the closer."""
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
        """Yield reasoning, and hold the white space at its end until more reasoning follows."""
        stripped = text.rstrip()
        if stripped:
            yield Reasoning(self._held_space + stripped)
            self._held_space = ""
            self._has_reasoning = True
        self._held_space += text[len(stripped) :]

    def _read_channel_answer(self) -> Iterator[Event]:
        """State inside a marked answer. An end mark is real if nothing or a block follows it."""
        end_marks = (
            self._answer_ends + HARMONY_HEADERS
            if self._answer_ends == HARMONY_ENDS
            else self._answer_ends
        )
        while end_marks and (found := next(find_marks(self._rest, end_marks), None)):
            at, mark = found
            yield from self._emit_channel_answer(at)
            following = strip_answer_ends(self._rest, self._answer_ends, MAX_ANSWER_END_CHARS)
            if (
                self._ends_answer(self._rest)
                and len(self._rest) - len(following) < MAX_ANSWER_END_CHARS
            ):
                if parse_block_start(following):
                    self._rest, self._is_real_end = following, None
                    self._state, self._has_answer = self._read_start, True
                    return
                if any(end.startswith(following) for end in self._answer_ends) or is_block_prefix(
                    following
                ):
                    return
            self._is_real_end = None
            yield from self._emit_channel_answer(len(mark))
            if self._marks_checked > MAX_TAGS_CHECKED:  # the answer is about marks
                self._state = self._read_plain_answer
                return
        yield from self._emit_channel_answer(
            len(self._rest) - (partial_mark_length(self._rest, end_marks) if end_marks else 0)
        )

    def _ends_answer(self, rest: str) -> bool:
        """Whether `rest` starts with an end mark that is not quoted. The result is remembered."""
        if self._is_real_end is None and rest.startswith(self._answer_ends + HARMONY_HEADERS):
            self._marks_checked += 1
            self._is_real_end = self._marks_checked <= MAX_TAGS_CHECKED and not is_quoted(
                self._answer_so_far.getvalue()
            )
        return bool(self._is_real_end)

    def _emit_channel_answer(self, length: int) -> Iterator[Event]:
        """Yield the next `length` characters of a marked answer."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._answer_so_far.write(piece)
            yield Text(self._gap + piece)
            self._gap = ""

    def _read_watched_answer(self) -> Iterator[Event]:
        """State inside an unmarked answer that a lone closer may still turn into reasoning.

        A quoted mark is text, and so is a closer whose opener is in the answer.
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
        """Yield the next `length` characters of the answer, or hold them with `hold`."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._answer_so_far.write(piece)
            if not self._hold:
                yield Text(piece)

    def _reclassify(self, before: str) -> Iterator[Event]:
        """Turn the text before a lone closer into reasoning."""
        if self._hold:
            if before.strip():
                yield Reasoning(before.strip())
        elif before:
            yield Reclassified()

    def _read_plain_answer(self) -> Iterator[Event]:
        """State inside the rest of the answer: yields all text unchanged."""
        piece, self._rest = self._rest, ""
        yield Text(piece)
