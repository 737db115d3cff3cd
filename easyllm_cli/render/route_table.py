"""Lays out how an auto profile chose (`--explain`): the task, and a row for each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .name_wrapping import wrap_names
from .record_list import Column, lay_out_records
from .spans import Row

CANDIDATE_COLUMNS: dict[str, Column] = {
    "candidate": Column(lambda row: row["profile"]),
    "asked": Column(lambda row: row["place"], align_right=True),
    "US dollars": Column(
        lambda row: format_dollars(row["usd"]), align_right=True, short_title="USD"
    ),
    "seconds": Column(
        lambda row: "" if row["seconds"] is None else f"{row['seconds']:.1f}",
        align_right=True, short_title="s",
    ),
    "why": Column(lambda row: row["why"], min_cells=24),
}  # fmt: skip


def lay_out_route(route: Mapping[str, Any], width: int) -> list[Row]:
    """Lay out the object `route` of --json, at most `width` cells wide.

    Empty columns are left out: what is unknown of all candidates.
    """
    reasons = ", ".join(route["reasons"]) or "no sign of another task"
    head = f"{route['profile']}: task {route['task']} ({reasons})"
    places = iter(range(1, len(route["table"]) + 1))
    rows = [{**row, "place": str(next(places)) if row["ok"] else "never"} for row in route["table"]]
    return [
        *[((line, ""),) for line in wrap_names(head, width)],
        *lay_out_records(CANDIDATE_COLUMNS, rows, width),
    ]


def format_dollars(dollars: float | None) -> str:
    """An estimate with two significant digits; "" = unknown."""
    return "" if dollars is None else f"{dollars:.2g}" if dollars else "0"
