"""How an answer is shown: chosen once from the streams, the options and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import Look, is_terminal, moves_cursor

if TYPE_CHECKING:
    from .plain import Renderer
    from .reasoning import Aside


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
