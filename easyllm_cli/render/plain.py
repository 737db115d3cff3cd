"""Renderer base class, and the renderers that print plain text, buffered or streamed.

This module imports no rich, to keep the start-up of commands in pipes short.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

from ..completion import Completion
from ..errors import IncompleteAnswer
from ..events import Event, Reasoning, Reclassified, Retrying, Start, Text
from .options import DisplayOptions, is_terminal
from .output import OutputStream, print_notice
from .reasoning import ReasoningOutput


class Renderer(ABC):
    """Displays the events of one answer.

    `shown_kinds`: kinds of events whose text is written to stdout as it arrives. `needs_ticks`:
    whether `tick` must be called about ten times a second. `wrote`: whether stdout has text.
    """

    shown_kinds: Collection[str] = ()
    needs_ticks = False
    wrote = False

    @abstractmethod
    def handle_event(self, event: Event) -> None:
        """Display one event of the answer."""

    def tick(self) -> None:
        """Update what changes with time, such as a spinner; raises nothing."""

    def resume(self) -> None:
        """Redraw after the process was suspended: other programs may have written meanwhile."""

    def suspend(self) -> None:
        """Erase the rows that will be drawn again, before the process is suspended (Ctrl-Z)."""

    def prepare_for_notice(self) -> None:
        """Make room on the terminal for a notice on stderr, which needs a line of its own."""

    def finish(self, completion: Completion) -> None:
        """Write what is left of the answer: it is complete, or --partial was given."""

    def close(self) -> None:
        """End the display, also after an error: end open lines, reset colours."""


def print_reclassified_notice() -> None:
    """Say on the terminal that the text so far turned out to be reasoning."""
    print_notice("easyllm: the text above was the model's reasoning; the answer follows")


class NullRenderer(Renderer):
    """Displays nothing; with --json the command prints one object at the end."""

    def handle_event(self, event: Event) -> None:
        pass


class BufferedRenderer(Renderer):
    """Prints the answer to stdout only when it is complete; reasoning goes to stderr."""

    def __init__(self, options: DisplayOptions, reasoning_output: ReasoningOutput) -> None:
        self.options = options
        self.stdout = OutputStream(1, is_terminal(1))
        self.reasoning_output = reasoning_output
        self.needs_ticks = reasoning_output.needs_ticks
        self._reasoning_parts: list[str] = []
        self._answering = False

    def handle_event(self, event: Event) -> None:
        if isinstance(event, Reasoning):
            self._answering = False
            if self.reasoning_output.on_terminal:
                self.reasoning_output.write(event.text)
            elif event.text:
                self._reasoning_parts.append(event.text)
        elif isinstance(event, Text):
            if not self._answering:
                self._answering = True
                self.reasoning_output.begin_answer()
        elif isinstance(event, Start):
            self.reasoning_output.show_start(event)
        elif isinstance(event, Retrying):
            self._reasoning_parts.clear()
            self.reasoning_output.show_retry(event.wait)
            self._answering = False

    def tick(self) -> None:
        self.reasoning_output.tick()

    def finish(self, completion: Completion) -> None:
        """Write the reasoning to stderr, if it is shown there, then the answer to stdout."""
        text = completion["text"]
        reasoning = completion["reasoning"] or ""
        if self.options.reasoning == "only":
            text = reasoning
        elif self.options.reasoning == "tags" and reasoning:
            text = f"<think>{reasoning}</think>\n\n{text}"
        if not self.reasoning_output.on_terminal:
            self._reasoning_parts = [reasoning] if reasoning else []
        self._end_reasoning()
        self.stdout.write_complete(self.format_answer(text))
        self.wrote = True

    def format_answer(self, text: str) -> str:
        """The answer's text as it is printed."""
        return text

    def resume(self) -> None:
        self.reasoning_output.resume()

    def suspend(self) -> None:
        self.reasoning_output.suspend()

    def prepare_for_notice(self) -> None:
        self.reasoning_output.prepare_for_notice()

    def _end_reasoning(self) -> None:
        if self._reasoning_parts:
            self.reasoning_output.write_complete("".join(self._reasoning_parts))
        self._reasoning_parts = []
        self.reasoning_output.close()

    def close(self) -> None:
        """Write the reasoning that a failed answer left unwritten."""
        self._end_reasoning()


class StreamingRenderer(Renderer):
    """Prints each delta to stdout as it arrives, also into a pipe."""

    def __init__(self, options: DisplayOptions, reasoning_output: ReasoningOutput) -> None:
        self.reasoning_mode = options.reasoning
        self.stdout = OutputStream(1, is_terminal(1))
        self.reasoning_output = reasoning_output
        self.needs_ticks = reasoning_output.needs_ticks
        on_stdout = {"only": ("reasoning",), "tags": ("text", "reasoning")}
        self.shown_kinds = on_stdout.get(self.reasoning_mode, ("text",))
        self._reasoning_output_active = True  # whether it may have drawn something
        self._thinking = False
        self.reclassified = False

    def handle_event(self, event: Event) -> None:
        if isinstance(event, Text):
            if self._reasoning_output_active:
                self._begin_answer()
            if self.reasoning_mode != "only":
                self.stdout.write(event.text)
                self.wrote = True
        elif isinstance(event, Reasoning) and event.text:
            self._write_reasoning(event.text)
        elif isinstance(event, Reclassified):
            self.reclassified = self.wrote
        elif isinstance(event, Start):
            self.reasoning_output.show_start(event)
        elif isinstance(event, Retrying):
            self._reasoning_output_active = True
            self.reasoning_output.show_retry(event.wait)

    def _write_reasoning(self, text: str) -> None:
        if self.reasoning_mode == "tags" and not self._thinking:
            self.stdout.write_raw("<think>")
        self._thinking = True
        if self.reasoning_mode in ("only", "tags"):
            self.reasoning_output.begin_answer()
            self.stdout.write(text)
            self.wrote = True
        else:
            if self.wrote and self.reasoning_output.shows_reasoning and self.stdout.terminal:
                self.stdout.end_line()
            self.reasoning_output.write(text)
        self._reasoning_output_active = True

    def tick(self) -> None:
        if self._reasoning_output_active:
            self.reasoning_output.tick()

    def resume(self) -> None:
        self.reasoning_output.resume()

    def suspend(self) -> None:
        self.reasoning_output.suspend()

    def prepare_for_notice(self) -> None:
        self.reasoning_output.prepare_for_notice()
        if self.stdout.terminal:
            self.stdout.end_line()

    def _begin_answer(self) -> None:
        self._reasoning_output_active = False
        if self._thinking and self.reasoning_mode == "tags":
            self.stdout.write_raw("</think>\n\n")
        self._thinking = False
        self.reasoning_output.begin_answer()

    def finish(self, completion: Completion) -> None:
        """Check that no text on stdout turned out to be reasoning.

        Raises:
            IncompleteAnswer: a `</think>` without an opener arrived after stdout got text.
        """
        if self.reclassified:
            raise IncompleteAnswer(
                "text that is already on stdout turned out to be reasoning",
                hint='set reasoning_tags = "implicit" in the profile, or use chat',
                retryable=False,
            )

    def close(self) -> None:
        if self._thinking and self.reasoning_mode == "tags":
            self.stdout.write_raw("</think>\n\n")
        self._thinking = False
        self.reasoning_output.close()
        self.stdout.end_line()


class PlainTerminalRenderer(StreamingRenderer):
    """Streams to a terminal without Markdown; a notice marks text that was reasoning."""

    def handle_event(self, event: Event) -> None:
        if isinstance(event, Reclassified):
            self.stdout.end_line()
            print_reclassified_notice()
            return
        super().handle_event(event)

    def finish(self, completion: Completion) -> None:
        """Do nothing: the text is on the screen already."""
