"""Lengths of time and points in time as users write them."""

import time

import pytest

from easyllm_cli.durations import format_age, parse_duration, parse_point_in_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("12h", 43200), ("90d", 90 * 86400), ("2w", 14 * 86400)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_point_in_time(text, 1e9) == 1e9 - seconds


@pytest.mark.parametrize("text", ["", "90", "d", "1.5h", "-1d", "1y", "2026-13-01", "yesterday"])
def test_other_texts_are_neither(text: str) -> None:
    assert parse_duration(text) is None
    assert parse_point_in_time(text, 1e9) is None


def test_a_date_is_its_midnight_in_local_time() -> None:
    moment = parse_point_in_time("2026-01-31", 1e9)
    assert moment is not None
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) == "2026-01-31 00:00:00"


def test_ages() -> None:
    ages = [format_age(seconds) for seconds in (0, 59, 300, 7200, 200_000)]
    assert ages == ["just now", "just now", "5 min ago", "2 h ago", "2 d ago"]
