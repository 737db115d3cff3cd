"""Parses lengths of time such as `90d`, and points in time such as `7d` ago or a date."""

from __future__ import annotations

import re
import time

SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DURATION_HINT = "a number and s, m, h, d or w, e.g. 90d"


def parse_duration(text: str) -> float | None:
    """The seconds of a length of time such as `30m`, `12h`, `90d` or `2w`; None = not one."""
    match = DURATION.fullmatch(text.strip())
    return float(match[1]) * SECONDS_PER_UNIT[match[2]] if match else None


def parse_point_in_time(text: str, now: float) -> float | None:
    """The time that a length of time before `now`, or a date, means; None = neither.

    `now` and the result are seconds since 1970 (`time.time()`). A date is YYYY-MM-DD and means its
    midnight in local time.
    """
    seconds = parse_duration(text)
    if seconds is not None:
        return now - seconds
    if not DATE.fullmatch(text.strip()):
        return None
    try:
        return time.mktime(time.strptime(text.strip(), "%Y-%m-%d"))
    except (OverflowError, ValueError):
        return None


def format_age(seconds: float) -> str:
    """A length of time in one unit, for a person: `just now`, `5 min ago`, `3 h ago`, `2 d ago`."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} ago"
    return "just now"
