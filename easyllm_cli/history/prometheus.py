"""The history's numbers in Prometheus' text format, for `easyllm usage --prometheus`.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format. Labels
are names of profiles, providers, models and errors; texts of prompts and answers are never read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..secret import LONG_KEY_CHARS, redact
from .report import SUMMED_COUNTS, TIMED, sum_calls

if TYPE_CHECKING:
    from .store import HistoryStore, Row

LABELS = ("profile", "provider", "model")
# Upper bounds in seconds: from a model on this machine to one that reasons for minutes.
FIRST_TOKEN_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
HELP = {
    "easyllm_calls_total": "Calls, by how they ended: ok, or the kind of the error.",
    "easyllm_tokens_total": "Tokens that the providers counted, of all attempts.",
    "easyllm_cost_usd_total": "Known cost in US dollars.",
    "easyllm_unpriced_calls_total": "Answers whose cost is not known.",
    "easyllm_first_token_seconds": "Time to the first token of streamed answers.",
}


def format_metrics(store: HistoryStore) -> str:
    """All metrics of the whole history, so that counters only grow; the last line has its end."""
    with store.snapshot():
        return _format_metrics(store)


def _format_metrics(store: HistoryStore) -> str:
    sums = sum_calls(store, LABELS, since=0.0)
    samples = {
        "easyllm_calls_total": list(_calls(store)),
        "easyllm_tokens_total": list(_tokens(sums)),
        "easyllm_cost_usd_total": [
            _sample("", row, row["cost_usd"]) for row in sums if row["cost_usd"] is not None
        ],
        "easyllm_unpriced_calls_total": [_sample("", row, row["unpriced_calls"]) for row in sums],
        "easyllm_first_token_seconds": list(_first_tokens(store)),
    }
    lines: list[str] = []
    for name, values in samples.items():
        kind = "counter" if name.endswith("_total") else "histogram"
        lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{sample}" for sample in values]
    return "".join(f"{line}\n" for line in lines)


def _calls(store: HistoryStore) -> Iterator[str]:
    outcome = "CASE WHEN exit_code = 0 THEN 'ok' ELSE COALESCE(error_kind, 'unknown') END"
    for row in store.select(
        f"SELECT {', '.join(LABELS)}, {outcome} AS outcome, SUM(calls) AS calls FROM call"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    ):
        yield _sample("", row, row["calls"], outcome=row["outcome"])


def _tokens(sums: Iterable[Row]) -> Iterator[str]:
    for row in sums:
        for key in SUMMED_COUNTS:
            if row[key] is not None:
                yield _sample("", row, row[key], kind=key.removesuffix("_tokens"))


def _first_tokens(store: HistoryStore) -> Iterator[str]:
    """The histogram: each bucket counts the answers up to its bound."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for row in store.select(
        f"SELECT {', '.join(LABELS)}, ms_first_token FROM call"
        f" WHERE ms_first_token IS NOT NULL AND {TIMED} ORDER BY 1, 2, 3"
    ):
        seconds = row["ms_first_token"] / 1000
        groups.setdefault(tuple(row[label] for label in LABELS), []).append(seconds)
    for group, times in groups.items():
        row = dict(zip(LABELS, group, strict=True))
        places = [bisect_left(FIRST_TOKEN_BUCKETS, seconds) for seconds in times]
        for place, bound in enumerate(FIRST_TOKEN_BUCKETS):
            yield _sample("_bucket", row, sum(each <= place for each in places), le=str(bound))
        yield _sample("_bucket", row, len(times), le="+Inf")
        yield _sample("_sum", row, round(sum(times), 3))
        yield _sample("_count", row, len(times))


def _sample(suffix: str, row: Row, value: float, **more: str) -> str:
    """One sample without the metric's name."""
    labels = {**{label: row[label] or "" for label in LABELS}, **more}
    text = ",".join(f'{name}="{_escape(label)}"' for name, label in labels.items())
    return f"{suffix}{{{text}}} {value}"


def _escape(label: str) -> str:
    label = redact(label, LONG_KEY_CHARS)
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
