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
    CLOSER_OF,
    HARMONY_ENDS,
    HEADERS,
    LONE,
    STARTS,
    WATCHED,
    Block,
    Words,
    behind_ends,
    block_at,
    marks_in,
    may_be_block,
    may_be_header,
    unfinished,
)

ENOUGH_TAGS = 100
MOST_SPACE = 65_536  # characters of white space before the answer that are held
MOST_BEHIND = 1024  # characters of ends and white space that are held behind an answer


def quoted(text: str) -> bool:
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
        self._read = {"auto": self._start, "implicit": self._implicit, "off": self._plain}[mode]
        self._rest = ""
        self._seen = StringIO()
        self._space = ""  # white space of the reasoning that is held
        self._blocks = 0
        self._reasoned = False
        self._separated = False
        # Inside a block: the marks that count, and how many openers wait for each closer.
        self._tags: Words = ()
        self._nested: dict[str, int] = {}
        self._then = self._read  # the state behind an opener and its white space
        # In the answer: what may end it, whether the end in front counts, what stood before.
        self._ends: Words = ()
        self._counts: bool | None = None
        self._answered = False
        self._gap = ""
        self._opened = 0
        self._looked = 0

    def feed(self, text: str) -> Iterator[Event]:
        """The events that are certain now."""
        self._rest += text
        while self._rest:
            before = (len(self._rest), self._read)
            yield from self._read()
            if (len(self._rest), self._read) == before:
                return

    def separated(self) -> Iterator[Event]:
        """The protocol itself sent reasoning: held text is answer, a lone closer is text."""
        self._separated = True
        if self._hold:
            yield from self._release()
        if self._read == self._watch:
            self._read = self._plain
        elif self._read == self._implicit:  # the server separates: no block is open
            self._read = self._start
        self._hold = False

    def end(self) -> Iterator[Event]:
        """What was held back is what it seems."""
        rest, self._rest = self._rest.lstrip() if self._blocks else self._rest, ""
        within = self._then == self._inside and self._read in (self._opening, self._inside)
        if self._read == self._final and self._ends_answer(rest):
            rest = behind_ends(rest, self._ends, MOST_BEHIND)
        if within or self._read == self._implicit:
            yield from self._thought(rest)
        elif rest.startswith(STARTS) and may_be_header(rest) and self._read != self._plain:
            self._space = "\n\n" if self._reasoned else ""
            yield from self._thought(rest)  # a header that was cut is no answer
        elif rest and not (self._blocks and not rest.strip()):
            self._seen.write(rest)
            if not self._hold:
                yield Text(self._gap + rest)
        if self._hold:
            yield from self._release()

    def _release(self) -> Iterator[Event]:
        held = self._seen.getvalue()
        self._seen = StringIO()
        if held:
            yield Text(held)

    # The states: each takes what it can off `self._rest`.

    def _start(self) -> Iterator[Event]:
        """Before the answer: white space, then a block or the answer's first character."""
        text = self._rest.lstrip()
        block = block_at(text)
        if block:
            self._open(block, text)
        elif (not text or may_be_block(text)) and len(self._rest) < MOST_SPACE:
            return
        elif self._ends:
            self._rest = text
            self._answer()
        elif self._blocks or self._separated:
            self._rest = text if self._blocks else self._rest
            self._read = self._plain
        else:
            self._read = self._watch
        yield from ()

    def _implicit(self) -> Iterator[Event]:
        """The model's template opened the block; some models write the opener all the same."""
        text = self._rest.lstrip()
        block = block_at(text)
        if block is None and (not text or may_be_block(text)):
            return
        self._open(block or (0, None, ()), text)
        if block is None:
            self._tags = WATCHED
            self._then = self._read = self._inside
        yield from ()

    def _open(self, block: Block, text: str) -> None:
        """A block begins: reasoning, or the answer in its channel."""
        length, closer, self._ends = block
        self._hold = False  # nothing is held: a block stands at the answer's start
        self._rest = text[length:].lstrip()
        self._nested = {}
        if closer is None:
            self._answer()
        else:
            # Nothing of the blank line shows when the block is empty.
            self._space = "\n\n" if self._reasoned else ""
            self._tags = (text[:length], closer) if closer else HARMONY_ENDS + HEADERS
            self._then = self._inside
        self._blocks += 1
        self._read = self._then if self._rest else self._opening

    def _answer(self) -> None:
        """The answer begins, in a channel that may say where it ends."""
        self._then = self._read = self._final
        self._gap = "\n\n" if self._answered else ""

    def _opening(self) -> Iterator[Event]:
        """Right after an opener: white space is dropped."""
        self._rest = self._rest.lstrip()
        if self._rest:
            self._read = self._then
        yield from ()

    def _inside(self) -> Iterator[Event]:
        """Reasoning, shown as it comes, until its closer."""
        for at, mark in marks_in(self._rest, self._tags):
            closer = CLOSER_OF.get(mark)
            if closer:
                self._nested[closer] = self._nested.get(closer, 0) + 1
            elif self._nested.get(mark):
                self._nested[mark] -= 1
            else:
                piece, self._rest = self._rest[:at], self._rest[at:]
                self._rest = self._rest.removeprefix("" if mark in HEADERS else mark)
                self._ends = LONE.get(mark, self._ends)
                self._read = self._start
                yield from self._thought(piece)
                return
        at = len(self._rest) - unfinished(self._rest, self._tags)
        piece, self._rest = self._rest[:at], self._rest[at:]
        yield from self._thought(piece)

    def _thought(self, text: str) -> Iterator[Event]:
        """Reasoning without the white space at its end, which is kept for what follows."""
        shown = text.rstrip()
        if shown:
            yield Reasoning(self._space + shown)
            self._space = ""
            self._reasoned = True
        self._space += text[len(shown) :]

    def _final(self) -> Iterator[Event]:
        """The answer in a channel: what may end it does where nothing or a block follows."""
        tags = self._ends + HEADERS if self._ends == HARMONY_ENDS else self._ends
        while tags and (found := next(marks_in(self._rest, tags), None)):
            at, mark = found
            yield from self._said(at)
            behind = behind_ends(self._rest, self._ends, MOST_BEHIND)
            if self._ends_answer(self._rest) and len(self._rest) - len(behind) < MOST_BEHIND:
                if block_at(behind):
                    self._rest, self._counts = behind, None
                    self._read, self._answered = self._start, True
                    return
                if any(end.startswith(behind) for end in self._ends) or may_be_block(behind):
                    return
            self._counts = None
            yield from self._said(len(mark))
            if self._looked > ENOUGH_TAGS:  # the answer is about marks
                self._read = self._plain
                return
        yield from self._said(len(self._rest) - (unfinished(self._rest, tags) if tags else 0))

    def _ends_answer(self, rest: str) -> bool:
        """Whether what may end the answer, and stands in front now, is no text of its own."""
        if self._counts is None and rest.startswith(self._ends + HEADERS):
            self._looked += 1
            self._counts = self._looked <= ENOUGH_TAGS and not quoted(self._seen.getvalue())
        return bool(self._counts)

    def _said(self, length: int) -> Iterator[Event]:
        """The next characters of the answer in a channel."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._seen.write(piece)
            yield Text(self._gap + piece)
            self._gap = ""

    def _watch(self) -> Iterator[Event]:
        """The answer, until a lone closer tells that its beginning was reasoning.

        Quoted tags are text, and a closer that an opener in the text belongs to is text as well.
        """
        while found := next(marks_in(self._rest, WATCHED), None):
            at, tag = found
            yield from self._written(at)
            before = self._seen.getvalue()
            self._looked += 1
            if tag in CLOSER_OF:
                self._opened += not quoted(before)
            elif self._opened and not quoted(before):
                self._opened -= 1
            elif not quoted(before) and not any(map(before.rpartition("\n")[2].count, CLOSER_OF)):
                self._rest = self._rest[len(tag) :]
                self._blocks = 1
                self._reasoned = bool(before.strip())
                self._ends = LONE[tag]
                self._read = self._start
                yield from self._reclassify(before)
                self._hold = False
                self._seen = StringIO()
                return
            yield from self._written(len(tag))
            if self._looked > ENOUGH_TAGS:  # the answer is about tags
                yield from self.separated()
                return
        yield from self._written(len(self._rest) - unfinished(self._rest, WATCHED))

    def _written(self, length: int) -> Iterator[Event]:
        """The next characters of the answer, which may have to wait."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._seen.write(piece)
            if not self._hold:
                yield Text(piece)

    def _reclassify(self, before: str) -> Iterator[Event]:
        if self._hold:
            if before.strip():
                yield Reasoning(before.strip())
        elif before:
            yield Reclassified()

    def _plain(self) -> Iterator[Event]:
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
                    for one in splitter.separated():
                        yield one
                elif isinstance(event, Done):
                    for one in splitter.end():
                        yield one
                yield event
        except EasyLLMError:
            for one in splitter.end():
                yield one
            raise
