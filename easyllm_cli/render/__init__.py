"""How an answer is shown: chosen once from the streams, the options and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plain import Renderer


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


def is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def takes_color(descriptor: int, color: str) -> bool:
    """Whether ANSI codes go to this stream: --color, NO_COLOR, TERM=dumb, a terminal."""
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
    if is_terminal(1) and look.code is None:
        from .terminal import Terminal

        return Terminal(look)
    from .plain import AsItComes, Whole

    grows = not look.whole and look.code is None
    return AsItComes(look) if grows else Whole(look)
