"""For pipes: the answer's bytes and nothing else, whole or as they come; no rich, no ANSI."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from ..errors import IncompleteAnswer
from ..events import Completion, Event, Reasoning, Reclassified, Retrying, Text
from . import Look, is_terminal
from .output import Stream
from .reasoning import ReasoningBlock


class Renderer(ABC):
    """Shows one answer. `shown`: the kinds of events whose text reaches stdout as it comes."""

    shown: Collection[str] = ()
    wrote = False

    @abstractmethod
    def event(self, event: Event) -> None:
        """One event of the answer."""

    def interrupt(self) -> None:
        """A line of ours comes on stderr: on a terminal it begins on a line of its own."""

    def finish(self, completion: Completion) -> None:
        """The answer is complete (or is to be printed all the same)."""

    def close(self) -> None:
        """The answer is over, in whatever way: lines ended, colours reset."""


class Silent(Renderer):
    """Nothing before the end: --json prints its one object then."""

    def event(self, event: Event) -> None:
        pass


class Whole(Renderer):
    """Into a pipe, whole or not at all; reasoning to stderr where it is asked for or watched."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.out = Stream(1, is_terminal(1))
        self.block = ReasoningBlock(look)
        self._thoughts: list[str] = []

    def event(self, event: Event) -> None:
        if isinstance(event, Reasoning) and event.text:
            if self.block.live:
                self.block.write(event.text)
            else:
                self._thoughts.append(event.text)
        elif isinstance(event, Text) and self.block.live:
            self.block.close()
        elif isinstance(event, Retrying):
            self._thoughts.clear()

    def finish(self, completion: Completion) -> None:
        """The whole answer on stdout."""
        text = completion["text"]
        reasoning = completion["reasoning"] or ""
        if self.look.reasoning == "only":
            text = reasoning
        elif self.look.reasoning == "tags" and reasoning:
            text = f"<think>{reasoning}</think>\n\n{text}"
        if not self.block.live:
            self._thoughts = [reasoning] if reasoning else []
        self._end_reasoning()
        self.out.write(text)
        self.out.end_line()
        self.wrote = True

    def interrupt(self) -> None:
        self.block.interrupt()

    def _end_reasoning(self) -> None:
        for thought in self._thoughts:
            self.block.write(thought)
        self._thoughts = []
        self.block.close()

    def close(self) -> None:
        """An answer that failed: its reasoning is not lost where it was asked for."""
        self._end_reasoning()


class AsItComes(Renderer):
    """Every piece the moment it comes, into a pipe too."""

    def __init__(self, look: Look) -> None:
        self.mode = look.reasoning
        self.out = Stream(1, is_terminal(1))
        self.block = ReasoningBlock(look)
        on_stdout = {"only": ("reasoning",), "tags": ("text", "reasoning")}
        self.shown = on_stdout.get(self.mode, ("text",))
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
        else:
            self.block.write(text)

    def interrupt(self) -> None:
        self.block.interrupt()
        if self.out.terminal:
            self.out.end_line()

    def _answer_begins(self) -> None:
        self._thinking = False
        if self.mode == "tags":
            self.out.codes("</think>\n\n")
        self.block.close()

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
        self.out.end_line()
