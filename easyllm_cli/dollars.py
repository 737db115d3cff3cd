"""Amounts of US dollars: as whole billionths, which add up exactly, and as text for people."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from math import floor, log10

BILLION = 1_000_000_000


def to_billionths(dollars: float | Decimal) -> int:
    """US dollars as billionths, rounded up."""
    return int((Decimal(str(dollars)) * BILLION).to_integral_value(ROUND_CEILING))


def format_dollars(dollars: float | Decimal) -> str:
    """US dollars without a sign: `1,234.50`, `0.06`, `0.0123`, `0.000123`, `0.0000042`.

    Two decimals from one dollar on; below it as many as two digits need, at least four, without
    zeros at the end beyond two decimals. What costs something is never shown as 0.
    """
    if dollars == 0 or dollars >= 1:
        return f"{dollars:,.2f}"
    decimals = max(4 if dollars >= 0.01 else 6, 1 - floor(log10(dollars)))
    whole, _, digits = f"{dollars:.{decimals}f}".partition(".")
    return f"{whole}.{digits.rstrip('0'):0<2}"
