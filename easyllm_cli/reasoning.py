"""Tells reasoning from answer where a model marks it inline, live and at any split.

Rules (DESIGN §7, "Inline tags"): a block counts only at the answer's start, where white space and
further blocks may precede it. Nested tags of the same name are counted, so `<think>a<think>b
</think>c</think>d` is reasoning `a<think>b</think>c` and answer `d`. White space at a block's
edges is dropped; blocks are joined by a blank line. A `</think>` that nothing opened turns all
text so far into reasoning, unless it is quoted or stands in a code block.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from .errors import EasyLLMError
from .events import Done, Event, Reasoning, Reclassified, Text
from .pieces import Pieces

NAMES = ("think", "thinking", "thought", "seed:think")
OPENERS = tuple(f"<{name}>" for name in NAMES)
CLOSERS = tuple(f"</{name}>" for name in NAMES)
ENOUGH_TAGS = 100
MOST_SPACE = 65_536  # characters of white space before the answer that are held
ANY_TAG = re.compile("|".join(map(re.escape, OPENERS + CLOSERS)))


def unfinished(text: str, tags: tuple[str, ...]) -> int:
    """How many of the last characters could be the beginning of one of the tags."""
    start = text.rfind("<", max(0, len(text) - max(map(len, tags))))
    begun = start >= 0 and any(tag.startswith(text[start:]) for tag in tags)
    return len(text) - start if begun else 0


def quoted(text: str) -> bool:
    """Whether what follows `text` stands in quotes, in back-ticks or in a fenced code block."""
    return text.endswith(("`", '"', "'", "\\")) or (
        len(re.findall(r"^ {0,3}(?:```|~~~)", text, re.MULTILINE)) % 2 == 1
    )


class TagSplitter:
    """Text in pieces goes in, Text and Reasoning events come out.

    `mode`: the profile's reasoning_tags ("auto", "implicit", "off"). `hold`: whether text is held
    until it is known that no lone `</think>` follows.
    """

    def __init__(self, mode: str = "auto", hold: bool = False) -> None:
        self._hold = hold and mode == "auto"
        self._read = {"auto": self._start, "implicit": self._implicit, "off": self._plain}[mode]
        self._rest = ""
        self._seen = Pieces()
        self._tags = (OPENERS[0], CLOSERS[0])
        self._depth = 0
        self._space = ""
        self._blocks = 0
        self._separated = False
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
        if self._depth or self._read == self._implicit:
            yield from self._thought(rest)
        elif rest and not (self._blocks and not rest.strip()):
            self._seen.add(rest)
            if not self._hold:
                yield Text(rest)
        if self._hold:
            yield from self._release()

    def _release(self) -> Iterator[Event]:
        held = "".join(self._seen)
        self._seen = Pieces()
        if held:
            yield Text(held)

    # The states: each takes what it can off `self._rest`.

    def _start(self) -> Iterator[Event]:
        """Before the answer: white space, then a block or the answer's first character."""
        text = self._rest.lstrip()
        opener = next((tag for tag in OPENERS if text.startswith(tag)), None)
        if opener:
            self._open(opener, text[len(opener) :])
        elif (not text or any(tag.startswith(text) for tag in OPENERS)) and (
            len(self._rest) < MOST_SPACE
        ):
            return
        elif self._blocks or self._separated:
            self._rest = text if self._blocks else self._rest
            self._read = self._plain
        else:
            self._read = self._watch
        yield from ()

    def _implicit(self) -> Iterator[Event]:
        """The model's template opened the block; some models write the opener all the same."""
        text = self._rest.lstrip()
        if text.startswith(OPENERS[0]):
            text = text[len(OPENERS[0]) :]
        elif not text or OPENERS[0].startswith(text):
            return
        self._open(OPENERS[0], text)
        yield from ()

    def _open(self, opener: str, rest: str) -> None:
        self._tags = (opener, opener.replace("<", "</"))
        self._depth = 1
        self._hold = False  # nothing is held: a block stands at the answer's start
        self._blocks += 1
        # Blocks are joined by a blank line; nothing of it shows when the block is empty.
        self._space = "\n\n" if self._blocks > 1 else ""
        self._rest = rest.lstrip()
        self._read = self._inside if self._rest else self._opening

    def _opening(self) -> Iterator[Event]:
        """Right after an opener: white space is dropped."""
        self._rest = self._rest.lstrip()
        if self._rest:
            self._read = self._inside
        yield from ()

    def _inside(self) -> Iterator[Event]:
        """Reasoning, shown as it comes, until its closer."""
        opener, closer = self._tags
        at = self._rest.find(closer)
        if at < 0:
            at = len(self._rest) - unfinished(self._rest, (closer, opener))
            piece, self._rest = self._rest[:at], self._rest[at:]
            self._depth += piece.count(opener)
            yield from self._thought(piece)
            return
        piece = self._rest[:at]
        self._depth += piece.count(opener) - 1
        self._rest = self._rest[at + len(closer) :]
        if self._depth:
            yield from self._thought(piece + closer)
            return
        yield from self._thought(piece)
        self._read = self._start

    def _thought(self, text: str) -> Iterator[Event]:
        """Reasoning without the white space at its end, which is kept for what follows."""
        shown = text.rstrip()
        if shown:
            yield Reasoning(self._space + shown)
            self._space = ""
        self._space += text[len(shown) :]

    def _watch(self) -> Iterator[Event]:
        """The answer, until a lone closer tells that its beginning was reasoning.

        Quoted tags are text, and a closer that an opener in the text belongs to is text as well.
        """
        while found := ANY_TAG.search(self._rest):
            yield from self._written(found.start())
            tag = found[0]
            before = "".join(self._seen)
            self._looked += 1
            if tag in OPENERS:
                self._opened += not quoted(before)
            elif self._opened and not quoted(before):
                self._opened -= 1
            elif not quoted(before) and not any(map(before.rpartition("\n")[2].count, OPENERS)):
                self._rest = self._rest[len(tag) :]
                self._blocks = 1
                self._read = self._start
                yield from self._reclassify(before)
                self._hold = False
                self._seen = Pieces()
                return
            yield from self._written(len(tag))
            if self._looked > ENOUGH_TAGS:  # the answer is about tags
                yield from self.separated()
                return
        yield from self._written(len(self._rest) - unfinished(self._rest, OPENERS + CLOSERS))

    def _written(self, length: int) -> Iterator[Event]:
        """The next characters of the answer, which may have to wait."""
        piece, self._rest = self._rest[:length], self._rest[length:]
        if piece:
            self._seen.add(piece)
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
