"""For pipes: the answer's bytes and nothing else, whole or as they come; no rich, no ANSI."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection

from ..errors import IncompleteAnswer
from ..events import Completion, Event, Reasoning, Reclassified, Text
from . import Look, is_terminal
from .output import Stream

FENCE = re.compile(
    r"^(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})[^\n]*\n(?P<code>.*?)^ {0,3}(?P=mark)[`~]*[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


class Renderer(ABC):
    """Shows one answer. `shown`: the kinds of events whose text reaches stdout as it comes."""

    shown: Collection[str] = ()
    wrote = False

    @abstractmethod
    def event(self, event: Event) -> None:
        """One event of the answer."""

    def finish(self, completion: Completion) -> None:
        """The answer is complete (or is to be printed all the same)."""

    def close(self) -> None:
        """The answer is over, in whatever way: lines ended, colours reset."""


class Silent(Renderer):
    """Nothing before the end: --json prints its one object then."""

    def event(self, event: Event) -> None:
        pass


class Whole(Renderer):
    """Into a pipe, whole or not at all; reasoning to stderr where it is asked for."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.out = Stream(1, is_terminal(1))
        self.err = Stream(2, is_terminal(2))

    def event(self, event: Event) -> None:
        pass

    def finish(self, completion: Completion) -> None:
        reasoning = completion["reasoning"] or ""
        mode = self.look.reasoning
        text = completion["text"]
        if self.look.code:
            text = code_blocks(text, every=self.look.code == "all")
        if mode == "show" and reasoning:
            self.err.write(reasoning)
            self.err.end_line()
        if mode == "only":
            text = reasoning
        elif mode == "tags" and reasoning:
            text = f"<think>{reasoning}</think>\n\n{text}"
        self.out.write(text)
        self.out.end_line()
        self.wrote = True


class AsItComes(Renderer):
    """Into a pipe, every piece the moment it comes."""

    def __init__(self, look: Look) -> None:
        self.out = Stream(1, is_terminal(1))
        self.err = Stream(2, is_terminal(2))
        self.mode = look.reasoning
        self.shown = {"only": ("reasoning",), "tags": ("text", "reasoning")}.get(
            self.mode, ("text",)
        )
        self._thinking = False
        self.reclassified = False

    def event(self, event: Event) -> None:
        if isinstance(event, Text):
            if self._thinking:
                self._answer_begins()
            if self.mode != "only":
                self.out.write(event.text)
                self.wrote = True
        elif isinstance(event, Reasoning) and event.text:
            self._reason(event.text)
        elif isinstance(event, Reclassified):
            self.reclassified = self.wrote

    def _reason(self, text: str) -> None:
        if self.mode == "tags" and not self._thinking:
            self.out.codes("<think>")
        self._thinking = True
        if self.mode in ("only", "tags"):
            self.out.write(text)
            self.wrote = True
        elif self.mode == "show":
            self.err.write(text)

    def _answer_begins(self) -> None:
        self._thinking = False
        if self.mode == "tags":
            self.out.codes("</think>\n\n")
        elif self.mode == "show":
            self.err.end_line()

    def finish(self, completion: Completion) -> None:
        """A lone `</think>` came when its reasoning already stood on stdout.

        Raises:
            IncompleteAnswer: always then; names the setting that mends it.
        """
        if self.reclassified:
            raise IncompleteAnswer(
                "text that is already on stdout turned out to be reasoning",
                hint='set reasoning_tags = "implicit" in the profile, or use chat',
                retryable=False,
            )

    def close(self) -> None:
        if self._thinking:
            self._answer_begins()
        self.err.end_line()
        self.out.end_line()


def code_blocks(text: str, every: bool) -> str:
    """The first fenced block's content, or every one's.

    Raises:
        IncompleteAnswer: there is none.
    """
    found = [match["code"] for match in FENCE.finditer(text)]
    if not found:
        raise IncompleteAnswer(
            "the answer holds no code block", hint="ask for one, or leave out -x", retryable=False
        )
    return "".join(found) if every else found[0]
