"""For pipes: the answer's bytes and nothing else, whole or as they come; no rich, no ANSI."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from ..completion import Completion
from ..errors import IncompleteAnswer
from ..events import Event, Reasoning, Reclassified, Retrying, Start, Text
from .options import Look, is_terminal
from .output import Stream, complain
from .reasoning import Aside


class Renderer(ABC):
    """Shows one answer. `shown`: the kinds of events whose text reaches stdout as it comes;
    `ticks`: `tick` is to be called some ten times a second, also while nothing comes."""

    shown: Collection[str] = ()
    ticks = False
    wrote = False

    @abstractmethod
    def event(self, event: Event) -> None:
        """One event of the answer."""

    def tick(self) -> None:
        """Time has passed; raises nothing."""

    def resume(self) -> None:
        """The process was stopped for a while, and others have written in between."""

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

    def __init__(self, look: Look, aside: Aside) -> None:
        self.look = look
        self.out = Stream(1, is_terminal(1))
        self.aside = aside
        self.ticks = aside.ticks
        self._thoughts: list[str] = []
        self._answering = False

    def event(self, event: Event) -> None:
        if isinstance(event, Reasoning):
            self._answering = False
            if self.aside.watched:
                self.aside.write(event.text)
            elif event.text:
                self._thoughts.append(event.text)
        elif isinstance(event, Text):
            if not self._answering:
                self._answering = True
                self.aside.answer_begins()
        elif isinstance(event, Start):
            self.aside.start(event)
        elif isinstance(event, Retrying):
            self._thoughts.clear()
            self.aside.retry(event.wait)
            self._answering = False

    def tick(self) -> None:
        self.aside.tick()

    def finish(self, completion: Completion) -> None:
        """The whole answer on stdout."""
        text = completion["text"]
        reasoning = completion["reasoning"] or ""
        if self.look.reasoning == "only":
            text = reasoning
        elif self.look.reasoning == "tags" and reasoning:
            text = f"<think>{reasoning}</think>\n\n{text}"
        if not self.aside.watched:
            self._thoughts = [reasoning] if reasoning else []
        self._end_reasoning()
        self.out.whole(text)
        self.wrote = True

    def resume(self) -> None:
        self.aside.resume()

    def interrupt(self) -> None:
        self.aside.interrupt()

    def _end_reasoning(self) -> None:
        if self._thoughts:
            self.aside.whole("".join(self._thoughts))
        self._thoughts = []
        self.aside.close()

    def close(self) -> None:
        """An answer that failed: its reasoning is not lost where it was asked for."""
        self._end_reasoning()


class AsItComes(Renderer):
    """Every piece the moment it comes, into a pipe too."""

    def __init__(self, look: Look, aside: Aside) -> None:
        self.mode = look.reasoning
        self.out = Stream(1, is_terminal(1))
        self.aside = aside
        self.ticks = aside.ticks
        on_stdout = {"only": ("reasoning",), "tags": ("text", "reasoning")}
        self.shown = on_stdout.get(self.mode, ("text",))
        self._beside = True  # whether something of the aside may stand on the screen
        self._thinking = False
        self.reclassified = False

    def event(self, event: Event) -> None:
        if isinstance(event, Text):
            if self._beside:
                self._answer_begins()
            if self.mode != "only":
                self.out.write(event.text)
                self.wrote = True
        elif isinstance(event, Reasoning) and event.text:
            self._reason(event.text)
        elif isinstance(event, Reclassified):
            self.reclassified = self.wrote
        elif isinstance(event, Start):
            self.aside.start(event)
        elif isinstance(event, Retrying):
            self._beside = True
            self.aside.retry(event.wait)

    def _reason(self, text: str) -> None:
        if self.mode == "tags" and not self._thinking:
            self.out.codes("<think>")
        self._thinking = True
        if self.mode in ("only", "tags"):
            self.aside.answer_begins()
            self.out.write(text)
            self.wrote = True
        else:
            if self.wrote and self.aside.wanted and self.out.terminal:
                self.out.end_line()
            self.aside.write(text)
        self._beside = True

    def tick(self) -> None:
        if self._beside:
            self.aside.tick()

    def resume(self) -> None:
        self.aside.resume()

    def interrupt(self) -> None:
        self.aside.interrupt()
        if self.out.terminal:
            self.out.end_line()

    def _answer_begins(self) -> None:
        self._beside = False
        if self._thinking and self.mode == "tags":
            self.out.codes("</think>\n\n")
        self._thinking = False
        self.aside.answer_begins()

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
        if self._thinking and self.mode == "tags":
            self.out.codes("</think>\n\n")
        self._thinking = False
        self.aside.close()
        self.out.end_line()


class Terminal(AsItComes):
    """Plain live text on stdout. What turns out to be reasoning is said, since it is seen."""

    def event(self, event: Event) -> None:
        if isinstance(event, Reclassified):
            self.out.end_line()
            complain("easyllm: the text above was the model's reasoning; the answer follows")
            return
        super().event(event)

    def finish(self, completion: Completion) -> None:
        """Nothing: it all stands on the screen."""
