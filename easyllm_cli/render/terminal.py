"""Terminal renderer: the answer as live Markdown on stdout, the reasoning on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..completion import Completion
from ..events import Event, Reasoning, Reclassified, Retrying, Start, Text
from .options import DisplayOptions, takes_color
from .output import OutputStream
from .plain import Renderer, print_reclassified_notice
from .reasoning import ReasoningOutput

if TYPE_CHECKING:
    from .markdown.live import LiveMarkdown


class TerminalRenderer(Renderer):
    """Draws an answer as live Markdown; --reasoning only draws the reasoning instead."""

    needs_ticks = True

    def __init__(self, options: DisplayOptions, reasoning_output: ReasoningOutput) -> None:
        self.reasoning_output = reasoning_output
        self._reasoning_only = options.reasoning == "only"
        self.shown_kinds = ("reasoning",) if self._reasoning_only else ("text",)
        self._stdout = OutputStream(1, terminal=True)
        self._colored = takes_color(1, options.color)
        self._answer: LiveMarkdown | None = None
        self._reasoning_output_active = True  # whether it may have drawn something

    def handle_event(self, event: Event) -> None:
        match event:
            case Text(text):
                if not self._reasoning_only:
                    self._write_markdown(text)
            case Reasoning(text):
                if self._reasoning_only and text:
                    self._write_markdown(text)
                elif not self._reasoning_only:
                    self._write_reasoning(text)
            case Start():
                self.reasoning_output.show_start(event)
            case Retrying(_, wait, _):
                self.reasoning_output.show_retry(wait)
                self._reasoning_output_active = True
            case Reclassified():
                self._end_answer()
                print_reclassified_notice()

    def _write_markdown(self, text: str) -> None:
        if self._reasoning_output_active:
            self.reasoning_output.begin_answer()
            self._reasoning_output_active = False
        self.wrote = True
        if self._answer is None:
            self._answer = load_live_markdown()(self._stdout, self._colored)
        self._answer.write(text)

    def _write_reasoning(self, text: str) -> None:
        """Show a reasoning delta; if the answer has begun, clear its tail from the screen first."""
        if self._answer is not None:
            if not (self.reasoning_output.shows_reasoning and text):
                return
            self._answer.clear_tail()
        self._reasoning_output_active = True
        self.reasoning_output.write(text)

    def tick(self) -> None:
        """Draw pending rows; imports the Markdown renderer while waiting for the first token."""
        if self._reasoning_output_active:
            load_live_markdown()
            self.reasoning_output.tick()
        elif self._answer is not None and self._stdout.is_writable():
            self._answer.tick()

    def resume(self) -> None:
        self.reasoning_output.resume()
        if self._answer is not None:
            self._answer.resume()

    def suspend(self) -> None:
        self.reasoning_output.suspend()
        if self._answer is not None:
            self._answer.clear_tail()

    def prepare_for_notice(self) -> None:
        self.reasoning_output.prepare_for_notice()
        if self._answer is not None:
            self._answer.clear_tail()

    def finish(self, completion: Completion) -> None:
        """Draw the last rows; raises as `OutputStream.write`."""
        self._end_answer()

    def close(self) -> None:
        self.reasoning_output.close()
        self._end_answer()

    def _end_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.end()


def load_live_markdown() -> type[LiveMarkdown]:
    """Import LiveMarkdown; takes 35 ms, so call it after the request has been sent."""
    from .markdown.live import LiveMarkdown

    return LiveMarkdown
