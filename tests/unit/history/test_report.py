"""What `easyllm usage` sums up and measures, and the same numbers in Prometheus' format."""

from __future__ import annotations

import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from easyllm_cli import history
from easyllm_cli.history import report
from easyllm_cli.history.calls import CallFilter, call_objects, newest_calls
from easyllm_cli.history.export import json_lines_from_objects
from easyllm_cli.history.prometheus import format_metrics
from easyllm_cli.history.report import GROUPS, measure_speed, percentile, sum_calls
from easyllm_cli.history.store import HistoryStore, Row, open_store
from easyllm_cli.messages import Message
from tests.support.history import record

NUMBERS = itertools.count()
PROMPT = "SECRET PROMPT"


@pytest.fixture
def store(home: object) -> Iterator[HistoryStore]:
    with open_store(history.history_path(), create=True) as store:
        yield store


def add(store: HistoryStore, **columns: Any) -> None:
    """Add a call that was answered just now; `columns` replace what the row has."""
    rows = record(PROMPT, id=f"{next(NUMBERS):016x}")
    call = {**rows.call, "usage_all": None, "host": "api.openai.com", "provider": "openai"}
    call |= {"prompt_tokens": 10, "completion_tokens": 5, "ms": 1200, "ms_first_token": 300}
    store.insert("call", {**call, **columns})


def sums(store: HistoryStore, by: str = "model", since: float = 0) -> dict[Any, Row]:
    return {row[by]: row for row in sum_calls(store, (by,), since)}


def test_tokens_and_failures_are_summed_by_group(store: HistoryStore) -> None:
    add(store, model="a", reasoning_tokens=3, cost_usd=0.1)
    add(store, model="a", prompt_tokens=None, cost_usd=0.2)
    add(store, model="b", exit_code=5, error_kind="busy", complete=0, completion_tokens=None,
        prompt_tokens=None, ms_first_token=None)  # fmt: skip
    add(store, model="b", command="batch", calls=40, cost_usd=4.0)
    rows = sums(store)
    assert rows["a"] == {
        "model": "a", "calls": 2, "failed": 0, "prompt_tokens": 10, "completion_tokens": 10,
        "reasoning_tokens": 3, "cached_tokens": None, "cache_write_tokens": None,
        "cost_usd": 0.3, "unpriced_calls": 0,
    }  # fmt: skip
    # Nobody is billed for a call that was refused before any answer: it is not unpriced.
    b = rows["b"]
    assert (b["calls"], b["failed"], b["cost_usd"], b["unpriced_calls"]) == (41, 1, 4.0, 0)
    assert list(sums(store, "command")) == ["batch", "chat"]


def test_cost_1_unknown_costs_are_counted_and_never_summed(store: HistoryStore) -> None:
    add(store, model="known", cost_usd=0.5)
    add(store, model="known")
    add(store, model="unknown")
    add(store, model="free", cost_usd=0.0)
    rows = sums(store)
    assert (rows["known"]["cost_usd"], rows["known"]["unpriced_calls"]) == (0.5, 1)
    assert (rows["unknown"]["cost_usd"], rows["unknown"]["unpriced_calls"]) == (None, 1)
    assert (rows["free"]["cost_usd"], rows["free"]["unpriced_calls"]) == (0.0, 0)


def test_tokens_of_failed_attempts_count(store: HistoryStore) -> None:
    together = {"prompt_tokens": 20, "completion_tokens": 7, "cached_tokens": 4}
    add(store, model="a", usage_all=json.dumps(together))
    add(store, model="a")
    for by in ("model", "day"):
        (row,) = sums(store, by).values()
        assert (row["prompt_tokens"], row["completion_tokens"]) == (30, 12)
        assert (row["cached_tokens"], row["reasoning_tokens"]) == (4, None)


def test_days_begin_at_midnight_of_local_time(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        # The clocks go back on 2026-11-01, which has 25 hours.
        for moment in ("10-31T23:59", "11-01T00:00", "11-01T23:59", "11-02T00:00"):
            moment = f"2026-{moment}:00"
            add(store, model="a", started_at=datetime.fromisoformat(moment).timestamp())
        rows = sums(store, "day")
        assert {day: row["calls"] for day, row in rows.items()} == {
            "2026-10-31": 1, "2026-11-01": 2, "2026-11-02": 1,
        }  # fmt: skip
        since = datetime(2026, 11, 1).timestamp()
        assert list(sums(store, "day", since)) == ["2026-11-01", "2026-11-02"]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.usefixtures("price_table")
def test_a_call_that_is_kept_meanwhile_is_for_the_next_time(
    store: HistoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without a cost, of another model, between the sums and the prices of the table."""
    add(store, model="gpt-4o-mini")
    price_now = report._price_now

    def keep_and_price(*args: Any) -> Iterator[tuple[Row, float]]:
        with open_store(history.history_path(), create=False) as other:
            add(other, model="gpt-4o")
        return price_now(*args)

    monkeypatch.setattr(report, "_price_now", keep_and_price)
    assert list(sums(store)) == ["gpt-4o-mini"]
    format_metrics(store)
    assert sorted(sums(store)) == ["gpt-4o", "gpt-4o-mini"]


@pytest.mark.parametrize("by", GROUPS)
def test_calls_without_a_price_get_the_tables(
    store: HistoryStore, by: str, request: pytest.FixtureRequest
) -> None:
    """Their price is the table's at the time of the call; of several attempts it stays unknown."""
    mini = {"model": "gpt-4o-mini", "conversation": "c"}
    add(store, **mini, prompt_tokens=1_000_000, completion_tokens=1_000_000)
    add(store, **mini, usage_all="{}")
    add(store, **mini, host="llm.example.com")
    add(store, **mini, host=None)
    assert [row["cost_usd"] for row in sums(store, by).values()] == [None]
    request.getfixturevalue("price_table")
    (row,) = sums(store, by).values()
    assert (row["cost_usd"], row["unpriced_calls"]) == (0.75, 3)


def test_an_empty_history_has_no_rows(store: HistoryStore) -> None:
    assert [sum_calls(store, (by,), 0) for by in GROUPS] == [[]] * len(GROUPS)
    assert measure_speed(store, "model", 0) == []


def timed_calls(store: HistoryStore) -> None:
    for number in range(1, 41):
        add(store, model="a", ms_first_token=number * 10, ms=number * 10 + 1000,
            completion_tokens=number + 1, attempts=1 + (number % 10 == 0))  # fmt: skip
    add(store, model="a", ms_first_token=None, ms=9)  # asked with --no-stream
    add(store, model="a", ms_first_token=1, replayed='{"from": "cache"}')
    for kind in ("busy", "busy", "network"):
        add(store, model="a", exit_code=5, error_kind=kind, complete=0, ms_first_token=None)
    add(store, model="b", exit_code=7, error_kind="incomplete", complete=0, ms_first_token=50)


def test_speed_by_group(store: HistoryStore) -> None:
    timed_calls(store)
    a, b = measure_speed(store, "model", 0)
    assert a == {
        "model": "a", "calls": 44, "failed": 3,
        "error_rates": {"busy": 2 / 44, "network": 1 / 44},
        "ms_first_token_p50": 200, "ms_first_token_p95": 380, "tokens_per_second_p50": 20.0,
        "retries_per_call": 4 / 44,
    }  # fmt: skip
    assert (b["ms_first_token_p50"], b["tokens_per_second_p50"]) == (50, None)


def test_speed_1_equals_what_the_export_gives(store: HistoryStore) -> None:
    timed_calls(store)
    rows = newest_calls(store, CallFilter(model="a"), 1000)
    lines = json_lines_from_objects(call_objects(store, rows))
    exported = [call for call in map(json.loads, lines) if call["replayed"] is None]
    first = sorted(call["ms_first_token"] for call in exported if call["ms_first_token"])
    speeds = [
        (call["completion_tokens"] - 1) / (call["ms"] - call["ms_first_token"]) * 1000
        for call in exported
        if call["complete"] and call["ms_first_token"]
    ]
    (row, _) = measure_speed(store, "model", 0)
    assert row["calls"] == len(exported)
    assert row["ms_first_token_p50"] == statistics.median_low(first)
    assert row["ms_first_token_p95"] == first[math.ceil(0.95 * len(first)) - 1]
    assert row["tokens_per_second_p50"] == pytest.approx(statistics.median_low(speeds))
    busy = sum(call["error_kind"] == "busy" for call in exported)
    assert row["error_rates"]["busy"] == pytest.approx(busy / len(exported))
    retries = sum(call["attempts"] - 1 for call in exported)
    assert row["retries_per_call"] == pytest.approx(retries / len(exported))


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7], 95, 7), ([1, 2], 50, 1), ([3, 1, 2], 50, 2), ([*range(100)], 95, 94)],
)
def test_percentile(values: list[float], percent: int, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def samples(store: HistoryStore) -> dict[tuple[str, str], float]:
    """All samples by name and by the values of the labels that differ here."""
    return {
        (sample.name, " ".join(
            value for key, value in sorted(sample.labels.items())
            if key not in ("provider", "profile")
        )): sample.value
        for family in text_string_to_metric_families(format_metrics(store))
        for sample in family.samples
    }  # fmt: skip


def test_speed_2_prometheus_reads_the_metrics(store: HistoryStore) -> None:
    add(store, model="a", cost_usd=0.5, ms_first_token=90, cached_tokens=2)
    add(store, model="a", cost_usd=0.25, ms_first_token=2000, started_at=1.0)  # all of the history
    add(store, model="b", exit_code=6, error_kind="network", complete=0, ms_first_token=None)
    read = samples(store)
    assert read["easyllm_calls_total", "a ok"] == 2
    assert read["easyllm_calls_total", "b network"] == 1
    assert read["easyllm_tokens_total", "prompt a"] == 20
    assert read["easyllm_tokens_total", "cached a"] == 2
    assert ("easyllm_tokens_total", "reasoning a") not in read  # not reported is not 0
    assert read["easyllm_cost_usd_total", "a"] == 0.75
    assert ("easyllm_cost_usd_total", "b") not in read
    assert read["easyllm_unpriced_calls_total", "b"] == 1
    assert read["easyllm_first_token_seconds_bucket", "0.1 a"] == 1
    assert read["easyllm_first_token_seconds_bucket", "1.0 a"] == 1
    assert read["easyllm_first_token_seconds_bucket", "2.5 a"] == 2
    assert read["easyllm_first_token_seconds_bucket", "+Inf a"] == 2
    assert read["easyllm_first_token_seconds_count", "a"] == 2
    assert read["easyllm_first_token_seconds_sum", "a"] == 2.09


def test_labels_are_escaped(store: HistoryStore) -> None:
    name = 'a"b\\c\nd\u2028e'
    add(store, model=name, profile=None)
    (family, *_) = text_string_to_metric_families(format_metrics(store))
    assert family.samples[0].labels["model"] == name
    assert family.samples[0].labels["profile"] == ""


def test_speed_4_no_label_holds_a_text(store: HistoryStore) -> None:
    messages = [Message("system", ("SECRET SYSTEM",)), Message("user", (PROMPT,))]
    history.save(record(text="SECRET ANSWER", id="0" * 16, messages=messages))
    text = format_metrics(store)
    assert "easyllm_calls_total{" in text
    assert "SECRET" not in text


def test_days_are_dates(store: HistoryStore) -> None:
    add(store, model="a")
    assert list(sums(store, "day")) == [date.today().isoformat()]
