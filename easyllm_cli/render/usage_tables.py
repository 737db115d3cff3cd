"""Prints the tables of `easyllm usage`: sums with a bar each, speeds, and prices of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dollars import format_dollars
from .name_wrapping import wrap_names
from .options import terminal_size
from .record_list import Column, lay_out_records
from .spans import DIM, Row
from .tables import print_rows

BAR_CELLS = 10
EIGHTHS = " ▏▎▍▌▋▊▉"
TOTAL = "total"


def _count(key: str, short_title: str = "", leave_out_order: int = 0) -> Column:
    """A column of a number; 0 is shown only in columns that stay."""
    return Column(
        lambda row: f"{row[key]:,}" if row[key] or (row[key] == 0 and not leave_out_order) else "",
        align_right=True, short_title=short_title, leave_out_order=leave_out_order,
    )  # fmt: skip


SUM_COLUMNS: dict[str, Column] = {
    "calls": _count("calls"),
    "failed": _count("failed", "fail", 5),
    "tokens in": _count("prompt_tokens", "in", 6),
    "out": _count("completion_tokens", leave_out_order=6),
    "reasoning": _count("reasoning_tokens", "think", 3),
    "cached": _count("cached_tokens", "cache", 2),
    "cost": Column(lambda row: _or_empty(row["cost_usd"], "${}", format_dollars), align_right=True),
    "": Column(lambda row: row["bar"], leave_out_order=1),
}
SPEED_COLUMNS: dict[str, Column] = {
    "calls": _count("calls"),
    "first token": Column(
        lambda row: format_seconds(row["ms_first_token_p50"]), align_right=True, short_title="first"
    ),
    "p95": Column(lambda row: format_seconds(row["ms_first_token_p95"]), align_right=True),
    "tokens/s": Column(
        lambda row: _or_empty(row["tokens_per_second_p50"], "{:.0f}"), align_right=True,
        short_title="tok/s",
    ),
    "retries": Column(
        lambda row: f"{row['retries_per_call']:.2f}" if row["retries_per_call"] else "",
        align_right=True, leave_out_order=1,
    ),
    "errors": Column(lambda row: format_rates(row["error_rates"]), min_cells=12),
}  # fmt: skip
PRICE_COLUMNS: dict[str, Column] = {
    "provider": Column(lambda row: row["provider"] or ""),
    "model": Column(lambda row: row["model"] or ""),
    "prompt above": Column(
        lambda row: f"{row['above']:,}" if row["above"] else "", align_right=True,
        short_title="above", leave_out_order=2,
    ),
    "$/M in": Column(lambda row: format_exact_price(row["prompt_usd"]), align_right=True),
    "out": Column(lambda row: format_exact_price(row["completion_usd"]), align_right=True),
    "cached": Column(lambda row: format_exact_price(row["cached_usd"]), align_right=True),
    "cache write": Column(
        lambda row: format_exact_price(row["cache_write_usd"]), align_right=True,
        short_title="write", leave_out_order=1,
    ),
    "from": Column(lambda row: row["source"], leave_out_order=3),
}  # fmt: skip


def print_sums(rows: Sequence[Any], by: str, color: str) -> None:
    """Print one row per group, a total, and how many answers have no known cost.

    Raises as `OutputStream.write`.
    """
    print_rows(lay_out_sums(rows, by, terminal_size(1)[0]), color)


def print_speeds(rows: Sequence[Any], by: str, color: str) -> None:
    """Print one row per group; raises as `OutputStream.write`."""
    print_rows(lay_out_records(_with_group(by, SPEED_COLUMNS), rows, terminal_size(1)[0]), color)


def print_prices(rows: Sequence[Any], color: str) -> None:
    """Print one row per provider and price tier; raises as `OutputStream.write`."""
    print_rows(lay_out_records(PRICE_COLUMNS, rows, terminal_size(1)[0]), color)


def lay_out_sums(rows: Sequence[Any], by: str, width: int) -> list[Row]:
    """Lay out the table of sums, at most `width` cells wide."""
    key = "cost_usd" if any(row["cost_usd"] for row in rows) else "completion_tokens"
    largest = max((row[key] or 0 for row in rows), default=0)
    shown = [{**row, "bar": draw_bar(row[key] or 0, largest)} for row in rows]
    if len(rows) > 1:
        shown.append({**add_up(rows), by: TOTAL, "bar": ""})
    table = lay_out_records(_with_group(by, SUM_COLUMNS), shown, width)
    unpriced = sum(row["unpriced_calls"] for row in rows)
    if not unpriced:
        return table
    note = f"+ {unpriced:,} call{'s' * (unpriced != 1)} of unknown price"
    return [*table, *[((line, DIM),) for line in wrap_names(note, width)]]


def _with_group(by: str, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns behind the one that names the group: a conversation by its title, too."""
    if by == "conversation":
        titles = {"title": Column(lambda row: row.get("title") or "", min_cells=16)}
        columns = {**titles, **columns}
    return {by: Column(lambda row: "-" if row[by] is None else str(row[by])), **columns}


def add_up(rows: Sequence[Any]) -> dict[str, Any]:
    """The sums of all groups; None where no group has a number."""
    keys = [key for key, value in rows[0].items() if not isinstance(value, str)]
    total: dict[str, Any] = {}
    for key in keys:
        known = [row[key] for row in rows if row[key] is not None and not isinstance(row[key], str)]
        total[key] = sum(known) if known else None
    return total


def draw_bar(value: float, largest: float) -> str:
    """A bar of at most BAR_CELLS cells, in eighths of a cell; what is not 0 has one at least."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(BAR_CELLS * 8 * value / largest))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def format_exact_price(dollars: float | None) -> str:
    """A price with all its decimals, two at least; "" = unknown."""
    if dollars is None:
        return ""
    whole, _, decimals = f"{dollars:.8f}".rstrip("0").partition(".")
    return f"{whole}.{decimals:0<2}"


def format_seconds(ms: float | None) -> str:
    """Milliseconds as seconds; "" = none."""
    return _or_empty(None if ms is None else ms / 1000, "{:.2f} s")


def format_rates(rates: dict[str, float]) -> str:
    """Kinds of errors with their share of the calls, the most frequent first."""
    ordered = sorted(rates.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {share:.1%}" for kind, share in ordered)


def _or_empty(
    value: float | None, template: str, convert: Callable[[float], object] = float
) -> str:
    return "" if value is None else template.format(convert(value))
