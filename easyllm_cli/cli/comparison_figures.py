"""The figures of a comparison: times, tokens and cost of each profile, over all its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dollars import format_dollars
from ..history.report import percentile, tokens_per_second
from ..render.comparison import Figures

Answer = dict[str, Any]  # the object of `chat --json`


def make_figures(label: str, answers: Sequence[Answer]) -> Figures:
    """One row of the table.

    Times and speed are medians of the accepted answers that were not replayed, tokens and cost of
    all answers that reported them. Where values differ, the lowest and the highest stand behind.
    """
    timed = [each for each in answers if each["ok"] and each["replayed"] is None]
    speeds = [tokens_per_second({**each, **each["usage"]}) or None for each in timed]
    return {
        "profile": label,
        "model": ", ".join(dict.fromkeys(filter(None, (each["model"] for each in answers)))),
        "first token": _spread([each["ms_first_token"] for each in timed], _format_seconds),
        "total": _spread([each["ms"] for each in timed], _format_seconds),
        "tokens/s": _spread(speeds, "{:.0f}".format),
        "tokens": _spread([each["usage"]["completion_tokens"] for each in answers], "{:,}".format),
        "cost": _spread([each["cost_usd"] for each in answers], _format_cost),
        "finish": _count_ends([describe_end(each) for each in answers]),
    }


def describe_end(answer: Answer) -> str:
    """The finish reason, or the kind of the error; and whether the answer was replayed."""
    if answer["error"] is not None:
        return f"failed: {answer['error']['kind']}"
    source = {"cache": " (cache)", "file": " (replayed)"}
    replayed = answer["replayed"]
    return (answer["finish_reason"] or "-") + (source[replayed["from"]] if replayed else "")


def _count_ends(ends: list[str]) -> str:
    """Each way to end once, with how often it was, the most frequent first."""
    if len(ends) == 1:
        return ends[0]
    distinct = sorted(dict.fromkeys(ends), key=lambda end: -ends.count(end))
    return ", ".join(f"{ends.count(end)} × {end}" for end in distinct)


def _spread(values: Sequence[float | None], form: Callable[[Any], str]) -> str:
    """The median, and `(lowest-highest)` without the unit if they differ; "" of no values."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = form(min(known)), form(max(known))
    median = form(percentile(known, 50))
    return (
        median if low == high else f"{median} ({low.removesuffix(' s')}-{high.removesuffix(' s')})"
    )


def _format_seconds(ms: float) -> str:
    return f"{ms / 1000:.2f} s"


def _format_cost(dollars: float) -> str:
    return f"${format_dollars(dollars)}"
