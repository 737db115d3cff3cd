"""How an answer is shown: chosen once from the streams, the options and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plain import Renderer
    from .reasoning import Aside


@dataclass(frozen=True, eq=False, repr=False)
class Look:
    """What the user wants to see. `whole`: nothing before the end, unless a terminal watches."""

    whole: bool = True
    reasoning: str = "auto"
    json: bool = False
    jsonl: bool = False
    code: str | None = None
    color: str = "auto"
    quiet: bool = False
    raw: bool = False


def is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def moves_cursor(descriptor: int) -> bool:
    """Whether rows on this stream can be drawn again: a terminal, and one that says which."""
    return is_terminal(descriptor) and os.environ.get("TERM", "dumb") not in ("", "dumb")


def takes_color(descriptor: int, color: str) -> bool:
    """Whether colours go to this stream: --color, NO_COLOR, TERM=dumb, a terminal."""
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(descriptor)


def choose(look: Look) -> Renderer:
    """The renderer for this look and these streams; only what it needs is imported."""
    if look.jsonl:
        from .json import JSONLines

        return JSONLines()
    if look.json:
        from .plain import Silent

        return Silent()
    aside = choose_aside(look)
    if is_terminal(1) and look.code is None:
        if look.raw or look.reasoning == "tags" or not moves_cursor(1):
            from .plain import Terminal

            return Terminal(look, aside)
        from .terminal import Screen

        return Screen(look, aside)
    from .plain import AsItComes, Whole

    grows = not look.whole and look.code is None
    return AsItComes(look, aside) if grows else Whole(look, aside)


def choose_aside(look: Look) -> Aside:
    """What stands on stderr beside the answer: live rows, or text as it comes."""
    if moves_cursor(2):
        from .live_panel import Panel

        return Panel(look)
    from .reasoning import ReasoningBlock

    return ReasoningBlock(look)
