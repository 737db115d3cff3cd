"""The line below each answer: model, tokens, seconds, cost, and how full the context is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...dollars import format_dollars
from ...errors import ConfigError
from ...pricing import LOCAL

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...pipeline.call import Call
    from ..cost import AnswerCost

FULL_PERCENT = 80  # of the context, from which on the line says so
MAX_MODEL_CHARS = 60


def format_status_line(call: Call, cost: AnswerCost) -> str:
    """`llama3.2 · 12 in, 34 out · 1.2 s · $0.0012 · context 3 %`, as far as it is known."""
    usage = call.usage
    counts = ((usage.prompt_tokens, "in"), (usage.completion_tokens, "out"))
    dollars, source = cost
    parts = [
        " ".join(call.model.split())[:MAX_MODEL_CHARS],
        ", ".join(f"{count} {name}" for count, name in counts if count is not None),
        f"{call.ms / 1000:.1f} s",
        "" if dollars is None or source == LOCAL else f"${format_dollars(dollars)}",
        _format_context(call),
    ]
    return " · ".join(part for part in parts if part)


def _format_context(call: Call) -> str:
    """How full the context is; "" if the tokens or the model's context are not known."""
    usage = call.usage
    window = find_context_window(call.profile, call.model) if call.profile else None
    if usage.prompt_tokens is None or not window:
        return ""
    percent = round(100 * (usage.prompt_tokens + (usage.completion_tokens or 0)) / window)
    if percent < FULL_PERCENT:
        return f"context {percent} %"
    return f"context {percent} % full: /undo drops the last turn"


def find_context_window(profile: Profile, model: str) -> int | None:
    """The tokens that fit into the model's context: the profile's `num_ctx`, or the price table's.

    None = nobody knows.
    """
    if profile.num_ctx:
        return profile.num_ctx
    from ...config.endpoints import resolve_endpoint
    from ...pricing.table import find_model_prices

    try:
        prices = find_model_prices(resolve_endpoint(profile).url, model)
    except ConfigError:  # a plugin's own endpoint
        return None
    return prices.context if prices else None
