"""Chooses the renderer of an answer from the options, the streams and the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .options import DisplayOptions, can_move_cursor, is_terminal

if TYPE_CHECKING:
    from .plain import Renderer
    from .reasoning import ReasoningOutput


def choose_renderer(options: DisplayOptions) -> Renderer:
    """Return the renderer for these options and streams; imports only the modules it needs."""
    if options.jsonl:
        from .json import JSONLinesRenderer

        return JSONLinesRenderer()
    if options.json:
        from .plain import NullRenderer

        return NullRenderer()
    reasoning_output = choose_reasoning_output(options)
    if is_terminal(1) and not options.at_end:
        if options.raw or options.reasoning == "tags" or not can_move_cursor(1):
            from .plain import PlainTerminalRenderer

            return PlainTerminalRenderer(options, reasoning_output)
        from .terminal import TerminalRenderer

        return TerminalRenderer(options, reasoning_output)
    from .plain import BufferedRenderer, StreamingRenderer

    if not options.buffered and not options.at_end:
        return StreamingRenderer(options, reasoning_output)
    is_data = options.raw or options.at_end or options.reasoning == "tags"
    if options.color == "always" and not is_data:
        from .buffered_markdown import BufferedMarkdownRenderer

        return BufferedMarkdownRenderer(options, reasoning_output)
    return BufferedRenderer(options, reasoning_output)


def choose_reasoning_output(options: DisplayOptions) -> ReasoningOutput:
    """Return the output for reasoning on stderr: a live panel on a terminal, else plain text."""
    if can_move_cursor(2):
        from .live_panel import LivePanel

        return LivePanel(options)
    from .reasoning import PlainReasoningOutput

    return PlainReasoningOutput(options)
