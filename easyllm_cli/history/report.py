"""Sums up the history for `easyllm usage`: calls, tokens, cost and speed of each group."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from ..events import TOKEN_COUNTS, Usage

if TYPE_CHECKING:
    from ..pricing.table import ModelPrices
    from .store import HistoryStore, Row

DAY = "day"  # local time
GROUPS = (DAY, "model", "profile", "command", "conversation")
SUMMED_COUNTS = tuple(name for name in TOKEN_COUNTS if name != "total_tokens")
# Something of an answer came, so somebody may have to pay for it.
UNPRICED = (
    "cost_usd IS NULL AND (complete OR ms_first_token IS NOT NULL OR completion_tokens IS NOT NULL)"
)
# A replayed answer was not generated anew; a batch has no times of its single answers.
TIMED = "replayed IS NULL AND command != 'batch'"
# All of it stands in the index call_usage, so that the texts are not read.
SUMS = ", ".join(
    [
        "SUM(calls) AS calls, SUM(exit_code != 0) AS failed",
        *(f"SUM({key}) AS {key}" for key in SUMMED_COUNTS),
        "SUM(cost_usd) AS cost_usd",
        f"SUM(CASE WHEN {UNPRICED} THEN calls ELSE 0 END) AS unpriced_calls",
        "SUM(usage_all IS NOT NULL) AS retried",
    ]
)


# What decides a call's group, and its tokens.
CALL_COLUMNS = ", ".join(["started_at", "provider", *GROUPS[1:], *SUMMED_COUNTS])


def sum_calls(store: HistoryStore, by: Sequence[str], since: float) -> list[Row]:
    """One row for each group of the calls since a time (seconds since 1970), in their order.

    `by`: `day` alone, or columns of the table `call`. Keys of a row: those of `by`; `calls`;
    `failed` (exit code not 0); SUMMED_COUNTS (of all attempts; None = nobody reported them);
    `cost_usd` (the sum of what is known, None = nothing is); `unpriced_calls` (answers whose cost
    is not known and not in that sum). An answer without a cost for which the price table now has a
    price counts with it.
    """
    with store.snapshot():
        return _sum_calls(store, by, since)


def _sum_calls(store: HistoryStore, by: Sequence[str], since: float) -> list[Row]:
    if tuple(by) == (DAY,):
        rows = list(_sum_days(store, since))
    else:
        columns = ", ".join(by)
        rows = store.select(
            f"SELECT {columns}, {SUMS} FROM call WHERE started_at >= ?"
            f" GROUP BY {columns} ORDER BY {columns}",
            (since,),
        )
    groups = {tuple(row[key] for key in by): row for row in rows}
    if sum(row.pop("retried") for row in rows):
        _add_other_attempts(store, groups, by, since)
    if any(row["unpriced_calls"] for row in rows):
        for call, dollars in _price_now(store, since):
            row = groups[_group_of(call, by)]
            row["cost_usd"] = (row["cost_usd"] or 0.0) + dollars
            row["unpriced_calls"] -= 1
    for row in rows:
        row["cost_usd"] = round_dollars(row["cost_usd"])
    return rows


def round_dollars(dollars: float | None) -> float | None:
    """A sum without the noise of adding binary fractions."""
    return None if dollars is None else round(dollars, 9)


def _sum_days(store: HistoryStore, since: float) -> Iterator[Row]:
    """The sums of each day that has calls: one step through the index, without sorting."""
    start = since
    while True:
        first = store.value("SELECT MIN(started_at) FROM call WHERE started_at >= ?", (start,))
        if first is None:
            return
        day = date.fromtimestamp(first)
        end = midnight(day + timedelta(days=1))
        (sums,) = store.select(
            f"SELECT {SUMS} FROM call WHERE started_at >= ? AND started_at < ?", (start, end)
        )
        yield {DAY: day.isoformat(), **sums}
        start = end


def midnight(day: date) -> float:
    """The beginning of a day, local time, in seconds since 1970."""
    from time import mktime

    return mktime(day.timetuple())


def _group_of(call: Row, by: Sequence[str]) -> tuple[Any, ...]:
    day = date.fromtimestamp(call["started_at"]).isoformat() if DAY in by else None
    return tuple(day if key == DAY else call[key] for key in by)


def _add_other_attempts(
    store: HistoryStore, groups: dict[tuple[Any, ...], Row], by: Sequence[str], since: float
) -> None:
    """Add the tokens of attempts that failed after they were reported."""
    for call in store.select(
        f"SELECT {CALL_COLUMNS}, usage_all FROM call"
        " WHERE started_at >= ? AND usage_all IS NOT NULL",
        (since,),
    ):
        row = groups[_group_of(call, by)]
        for key, tokens in json.loads(call["usage_all"]).items():
            if key in SUMMED_COUNTS and tokens is not None:
                row[key] = (row[key] or 0) + tokens - (call[key] or 0)


def _price_now(store: HistoryStore, since: float) -> Iterator[tuple[Row, float]]:
    """Yield each unpriced call that the price table has a price for, and its US dollars.

    Calls of several attempts are left out: their numbers of tokens are sums, and a price may depend
    on the size of one prompt.
    """
    where = f"WHERE started_at >= ? AND {UNPRICED} AND usage_all IS NULL AND calls = 1"
    models = store.select(f"SELECT DISTINCT provider, host, model FROM call {where}", (since,))
    for model in models:
        prices = _find_prices(**model)
        if prices is None:
            continue
        for call in store.select(
            f"SELECT {CALL_COLUMNS} FROM call {where}"
            " AND provider IS ? AND host IS ? AND model IS ?",
            (since, *model.values()),
        ):
            cost = prices.cost(
                Usage(**{key: call[key] for key in SUMMED_COUNTS}), call["started_at"]
            )
            if cost is not None:
                yield call, float(cost)


def _find_prices(provider: str | None, host: str | None, model: str | None) -> ModelPrices | None:
    """The table's prices of a model that answered; None = unknown."""
    from ..pricing.table import find_model_prices

    if model is None or (host is None and provider != "litellm"):
        return None
    return find_model_prices(f"https://{host}/" if host else "", model)


def add_titles(store: HistoryStore, rows: Sequence[Row]) -> list[Row]:
    """The rows of conversations with their titles, None where no texts are kept."""
    titles = {row["id"]: row["title"] for row in store.select("SELECT id, title FROM conversation")}
    return [
        {"conversation": row["conversation"], "title": titles.get(row["conversation"]), **row}
        for row in rows
    ]


def measure_speed(store: HistoryStore, by: str, since: float) -> list[Row]:
    """One row for each group of the calls since a time, by group; replayed answers do not count.

    Keys: `by`; `calls`; `failed`; `error_rates` (kind of error: its share of the calls, 0 to 1);
    `ms_first_token_p50`, `ms_first_token_p95` and `tokens_per_second_p50` (of streamed answers, the
    last one after the first token; None = there are none); `retries_per_call`.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in store.select(
        "SELECT started_at, model, profile, command, conversation, exit_code, error_kind, ms,"
        " ms_first_token, completion_tokens, complete, attempts FROM call"
        f" WHERE started_at >= ? AND {TIMED}",
        (since,),
    ):
        groups.setdefault(_group_of(row, (by,)), []).append(row)
    return [
        {by: group, **_speed_of(calls)}
        for (group,), calls in sorted(groups.items(), key=lambda item: _null_first(*item[0]))
    ]


def _null_first(group: Any) -> tuple[bool, Any]:
    """A sort key as SQL's ORDER BY."""
    return group is not None, group or ""


def _speed_of(calls: Sequence[Row]) -> Row:
    """The numbers of a group's calls."""
    kinds = [row["error_kind"] for row in calls if row["error_kind"]]
    first = [row["ms_first_token"] for row in calls if row["ms_first_token"] is not None]
    return {
        "calls": len(calls),
        "failed": sum(row["exit_code"] != 0 for row in calls),
        "error_rates": {kind: kinds.count(kind) / len(calls) for kind in sorted({*kinds})},
        "ms_first_token_p50": percentile(first, 50),
        "ms_first_token_p95": percentile(first, 95),
        "tokens_per_second_p50": percentile(filter(None, map(tokens_per_second, calls)), 50),
        "retries_per_call": sum(max(0, row["attempts"] - 1) for row in calls) / len(calls),
    }


def tokens_per_second(call: Row) -> float | None:
    """The speed of a complete streamed answer after its first token; None = it has none."""
    if not call["complete"] or call["ms_first_token"] is None or not call["completion_tokens"]:
        return None
    ms = call["ms"] - call["ms_first_token"]
    return (call["completion_tokens"] - 1) * 1000 / ms if ms > 0 else None


def percentile(values: Iterable[float], percent: int) -> float | None:
    """The smallest value that `percent` % of the values do not exceed; None of no values."""
    ordered = sorted(values)
    return ordered[max(1, ceil(len(ordered) * percent / 100)) - 1] if ordered else None
