"""On a terminal: the answer grows as Markdown on stdout, the reasoning stands apart on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..completion import Completion
from ..events import Event, Reasoning, Reclassified, Retrying, Start, Text
from .options import Look, takes_color
from .output import Stream, complain
from .plain import Renderer
from .reasoning import Aside

if TYPE_CHECKING:
    from .markdown.live import LiveMarkdown

SEEN = "easyllm: the text above was the model's reasoning; the answer follows"


class Screen(Renderer):
    """`--reasoning only` shows the reasoning in the answer's place."""

    ticks = True

    def __init__(self, look: Look, aside: Aside) -> None:
        self.aside = aside
        self._only = look.reasoning == "only"
        self.shown = ("reasoning",) if self._only else ("text",)
        self._out = Stream(1, terminal=True)
        self._colored = takes_color(1, look.color)
        self._answer: LiveMarkdown | None = None
        self._beside = True  # whether something of the aside may stand on the screen

    def event(self, event: Event) -> None:
        match event:
            case Text(text):
                if not self._only:
                    self._write(text)
            case Reasoning(text):
                if self._only and text:
                    self._write(text)
                elif not self._only:
                    self._reason(text)
            case Start():
                self.aside.start(event)
            case Retrying(_, wait, _):
                self.aside.retry(wait)
                self._beside = True
            case Reclassified():
                self._end_answer()
                complain(SEEN)

    def _write(self, text: str) -> None:
        if self._beside:
            self.aside.answer_begins()
            self._beside = False
        self.wrote = True
        if self._answer is None:
            self._answer = live_markdown()(self._out, self._colored)
        self._answer.write(text)

    def _reason(self, text: str) -> None:
        """A piece of reasoning; when the answer has begun already, it makes room."""
        if self._answer is not None:
            if not (self.aside.wanted and text):
                return
            self._answer.lift()
        self._beside = True
        self.aside.write(text)

    def tick(self) -> None:
        """What is not seen yet; what draws it is loaded while the first token is waited for."""
        if self._beside:
            live_markdown()
            self.aside.tick()
        elif self._answer is not None and self._out.ready():
            self._answer.tick()

    def resume(self) -> None:
        self.aside.resume()
        if self._answer is not None:
            self._answer.resume()

    def interrupt(self) -> None:
        self.aside.interrupt()
        if self._answer is not None:
            self._answer.lift()

    def finish(self, completion: Completion) -> None:
        """The last rows, for good; raises as Stream.write."""
        self._end_answer()

    def close(self) -> None:
        self.aside.close()
        self._end_answer()

    def _end_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.end()


def live_markdown() -> type[LiveMarkdown]:
    """The class, with the parser and all: 35 ms, so not before the request is on its way."""
    from .markdown.live import LiveMarkdown

    return LiveMarkdown
