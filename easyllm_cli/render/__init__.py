"""How an answer is shown: chosen once from the streams, the options and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import DisplayOptions, can_move_cursor, is_terminal

if TYPE_CHECKING:
    from .plain import Renderer
    from .reasoning import ReasoningOutput


def choose_renderer(options: DisplayOptions) -> Renderer:
    """The renderer for this look and these streams; only what it needs is imported."""
    if options.jsonl:
        from .json import JSONLinesRenderer

        return JSONLinesRenderer()
    if options.json:
        from .plain import NullRenderer

        return NullRenderer()
    aside = choose_reasoning_output(options)
    if is_terminal(1) and options.code is None:
        if options.raw or options.reasoning == "tags" or not can_move_cursor(1):
            from .plain import PlainTerminalRenderer

            return PlainTerminalRenderer(options, aside)
        from .terminal import TerminalRenderer

        return TerminalRenderer(options, aside)
    from .plain import BufferedRenderer, StreamingRenderer

    grows = not options.buffered and options.code is None
    return StreamingRenderer(options, aside) if grows else BufferedRenderer(options, aside)


def choose_reasoning_output(options: DisplayOptions) -> ReasoningOutput:
    """What stands on stderr beside the answer: live rows, or text as it comes."""
    if can_move_cursor(2):
        from .live_panel import LivePanel

        return LivePanel(options)
    from .reasoning import PlainReasoningOutput

    return PlainReasoningOutput(options)
