"""Amounts of US dollars: what people read, and whole billionths."""

from decimal import Decimal

import pytest

from easyllm_cli.dollars import format_dollars, to_billionths


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0, "0.00"), (0.06, "0.06"), (0.5, "0.50"), (0.0456, "0.0456"), (0.01, "0.01"),
        (0.0099, "0.0099"), (0.000123, "0.000123"), (0.0018, "0.0018"), (4.2e-6, "0.0000042"),
        (1.5e-10, "0.00000000015"), (1e-9, "0.000000001"), (0.99999, "1.00"), (1, "1.00"),
        (2.125, "2.12"), (1234.5, "1,234.50"), (Decimal("0.002"), "0.002"),
    ],
)  # fmt: skip
def test_an_amount_has_its_first_digits(dollars: float | Decimal, text: str) -> None:
    assert format_dollars(dollars) == text


@pytest.mark.parametrize(
    ("dollars", "amount"),
    [(0, 0), (0.1, 10**8), (1e-10, 1), (Decimal("0.3000000001"), 300_000_001), (1e300, 10**309)],
)
def test_billionths_are_rounded_up(dollars: float | Decimal, amount: int) -> None:
    assert to_billionths(dollars) == amount
