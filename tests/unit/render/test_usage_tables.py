"""The tables of `easyllm usage` fit any width; amounts and bars say what they mean."""

from typing import Any

import pytest

from easyllm_cli.render.spans import row_width, text_from_row
from easyllm_cli.render.usage_tables import (
    draw_bar,
    format_exact_price,
    format_rates,
    lay_out_sums,
)


def sums(model: str | None, cost: float | None, unpriced: int = 0) -> dict[str, Any]:
    numbers = dict.fromkeys(("reasoning_tokens", "cached_tokens", "cache_write_tokens"), 1)
    return {
        "model": model, "calls": 1200, "failed": 3, "prompt_tokens": 34_567_890,
        "completion_tokens": 1_234_567, **numbers, "cost_usd": cost, "unpriced_calls": unpriced,
    }  # fmt: skip


ROWS = [sums("vendor/a-rather-long-name-of-a-model", 12.5), sums(None, None, 2), sums("m", 0.0)]


@pytest.mark.parametrize("width", range(8, 120, 7))
def test_fits_every_width(width: int) -> None:
    rows = lay_out_sums(ROWS, "model", width)
    assert max(map(row_width, rows)) <= width
    text = " ".join(map(text_from_row, rows))
    assert "2,400" not in text
    assert "$12.50" in text
    assert "2 calls" in " ".join(text.split())


def test_a_single_row_has_no_total() -> None:
    assert "total" not in " ".join(map(text_from_row, lay_out_sums(ROWS[:1], "model", 100)))


def test_without_costs_the_bars_are_of_tokens() -> None:
    first, second = sums("a", None, 1), {**sums("b", None, 1), "completion_tokens": 617_284}
    rows = [text_from_row(row) for row in lay_out_sums([first, second], "model", 100)]
    assert rows[2].endswith("██████████")
    assert rows[3].endswith("█████")


@pytest.mark.parametrize(
    ("value", "bar"),
    [(0, ""), (-1, ""), (1e-9, "▏"), (0.5, "█████"), (0.56, "█████▋"), (1, "██████████")],
)
def test_bars(value: float, bar: str) -> None:
    assert draw_bar(value, 1) == bar


@pytest.mark.parametrize(
    ("dollars", "text"), [(None, ""), (0, "0.00"), (0.125, "0.125"), (10, "10.00"), (2.5, "2.50")]
)
def test_prices_have_all_their_decimals(dollars: float | None, text: str) -> None:
    assert format_exact_price(dollars) == text


def test_error_rates() -> None:
    assert format_rates({"busy": 0.25, "network": 0.5}) == "network 50.0%, busy 25.0%"
