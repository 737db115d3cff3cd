"""Reads objects, token counts and prices from JSON that may have unexpected types."""

from __future__ import annotations

from math import isfinite
from typing import Any

MAX_COUNT = 2**40  # of tokens; sums of larger numbers overflow a float or a column of SQLite


def parse_dollars(value: Any) -> float | None:
    """An amount of US dollars; None = missing, no number, negative, or not finite as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) and value >= 0 else None
    except OverflowError:
        return None


def parse_object(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty dict."""
    return value if isinstance(value, dict) else {}


def parse_count(value: Any) -> int | None:
    """A token count; None = missing, negative, no whole number or above MAX_COUNT."""
    if type(value) is int:  # most counts
        return value if 0 <= value <= MAX_COUNT else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= MAX_COUNT else None
