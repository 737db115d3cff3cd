"""Reads times and lengths of time as servers write them in headers and error bodies."""

from __future__ import annotations

import re
import time

DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_wait_seconds(text: str) -> float | None:
    """Return a wait in seconds from now, or None for anything unreadable or in the past.

    `text` is like `1`, `1.5`, `34s`, `6m0s`, `12ms`, an HTTP date or an RFC 3339 time.
    """
    text = text.strip()
    try:
        return seconds_from_now(float(text))
    except ValueError:
        pass
    parts = DURATION_PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return seconds_from_now(
            sum(float(number) * SECONDS_PER_UNIT[unit] for number, unit in parts)
        )
    return _seconds_until(text)


def seconds_from_now(seconds: float) -> float | None:
    """Return seconds from now; converts epoch times. None for NaN, infinity and negatives."""
    if seconds > 100_000_000_000:
        seconds /= 1000  # an epoch in milliseconds
    if seconds > 1_000_000_000:
        seconds -= time.time()
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_until(date: str) -> float | None:
    """Return the seconds until an HTTP date or an RFC 3339 time, or None."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(date)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return seconds_from_now(moment.timestamp() - time.time())
    return None
