"""The line of -u: tokens, times and cost of one answer."""

from __future__ import annotations

from ..pipeline.call import Call
from ..pricing import LOCAL
from .cost import AnswerCost


def format_usage_line(call: Call, cost: AnswerCost) -> str:
    """Tokens, seconds, tokens per second and US dollars, as far as they are known."""
    usage, first = call.usage, call.ms_first_token
    reasoning = usage.reasoning_tokens
    reasoning_part = f" ({reasoning} reasoning)" if reasoning else ""
    parts = [
        f"{usage.prompt_tokens} tokens in" if usage.prompt_tokens is not None else "",
        f"{usage.completion_tokens} out{reasoning_part}"
        if usage.completion_tokens is not None
        else "",
        f"first token {first / 1000:.2f} s" if first is not None else "",
        f"total {call.ms / 1000:.2f} s",
        _format_speed(call),
        _format_cost(*cost),
    ]
    return ", ".join(part for part in parts if part)


def _format_speed(call: Call) -> str:
    """Tokens per second after the first one; "" if the answer was not streamed."""
    tokens, first = call.usage.completion_tokens, call.ms_first_token
    seconds = (call.ms - first) / 1000 if first is not None else 0.0
    return f"{(tokens - 1) / seconds:.0f} tokens/s" if tokens and seconds and call.stream else ""


def _format_cost(dollars: float | None, source: str | None) -> str:
    """`$0.000123 (table 0.2.3)`; "" if it is unknown, and for a model on this machine."""
    if dollars is None or source == LOCAL:
        return ""
    from ..dollars import format_dollars  # with decimal: not needed for a local model

    return f"${format_dollars(dollars)} ({source})"
