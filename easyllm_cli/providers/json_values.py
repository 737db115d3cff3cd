"""Values of a foreign JSON body: an object, a count or an amount of money, whatever came."""

from __future__ import annotations

from math import isfinite
from typing import Any


def parse_dollars(value: Any) -> float | None:
    """An amount of money, or None where a server sent none, or a number that no float holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:
        return None


def parse_object(value: Any) -> dict[str, Any]:
    """An object of a foreign body, or an empty one where a server sent something else."""
    return value if isinstance(value, dict) else {}


def parse_count(value: Any) -> int | None:
    """A number of tokens, or None where a server sent none (or nonsense)."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None
