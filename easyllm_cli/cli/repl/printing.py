"""What the repl prints besides answers: replies of its commands, dim lines, earlier turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...render.notices import lay_out
from ...render.options import DIM_CODE, paint, takes_color, takes_layout, terminal_size
from ...render.output import OutputStream
from ...render.sanitize import sanitize_text
from ...secret import redact

if TYPE_CHECKING:
    from ...messages import Message

MAX_QUESTION_LINES = 10  # of an earlier question; its answer is shown whole


def print_text(text: str) -> None:
    """Print lines on stdout, made safe for a terminal. Raises as `OutputStream.write`."""
    OutputStream(1, terminal=True).write_complete(f"{text}\n")


def print_wrapped(text: str, *, dim: bool = False) -> None:
    """Print one line on stdout, wrapped at words, dim if it is of little weight."""
    line = sanitize_text(redact(" ".join(text.split())))
    rows = "\n".join(lay_out([line], terminal_size(1)[0]))
    if dim and takes_color(1, "auto"):
        rows = paint(rows, DIM_CODE)
    OutputStream(1, terminal=False).write_raw(f"{rows}\n")


def print_messages(messages: Iterable[Message], prompt: str, color: str) -> None:
    """Print earlier turns as they once looked: questions behind the prompt, answers laid out."""
    for message in messages:
        if message.role == "user":
            lines = message.text.split("\n")
            more = len(lines) - MAX_QUESTION_LINES
            shown = [*lines[:MAX_QUESTION_LINES], *([f"… ({more} more lines)"] * (more > 0))]
            names = [f"[image {image.name}]" for image in message.images]
            print_text(prompt + "\n".join([*shown, *names]))
        elif message.role == "assistant":
            _print_answer(message.text, color)


def _print_answer(text: str, color: str) -> None:
    if not takes_layout(1, color):
        print_text(text)
        return
    from ...render.buffered_markdown import lay_out_markdown
    from ...render.tables import print_rows

    print_rows(lay_out_markdown(text, terminal_size(1)[0]), color)
