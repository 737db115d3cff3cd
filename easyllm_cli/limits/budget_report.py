"""What is spent and left of a budget, as text and as JSON, for `usage` and `doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..dollars import BILLION, format_dollars
from .budget import ALL_PROFILES, PROFILE_PREFIX, format_balance, open_ledger
from .ledger import DAY, Balance


class BudgetRow(NamedTuple):
    """One limit of a budget. `name`: "profile NAME" or ALL_PROFILES; `period`: "day" or "month"."""

    name: str
    period: str
    limit: int
    balance: Balance

    @property
    def left(self) -> int:
        return max(0, self.limit - self.balance.used)

    def format(self) -> str:
        """`0.06 of 0.15 USD are spent today, 0.09 left`."""
        when = "today" if self.period == DAY else "this month"
        left = format_dollars(self.left / BILLION)
        return f"{format_balance(self.balance, self.limit, when)}, {left} left"

    def to_json(self) -> dict[str, Any]:
        """The row as an object of `usage --json`; `profile` null = all profiles."""
        is_total = self.name == ALL_PROFILES
        return {
            "profile": None if is_total else self.name.removeprefix(PROFILE_PREFIX),
            "period": self.period,
            "limit_usd": self.limit / BILLION,
            "spent_usd": self.balance.spent / BILLION,
            "reserved_usd": self.balance.reserved / BILLION,
            "left_usd": self.left / BILLION,
        }


def read_budget(name: str, budget: Mapping[str, float]) -> list[BudgetRow]:
    """The limits of a budget with their balances.

    Raises:
        ConfigError: its ledger is damaged. OutputError: it cannot be read.
    """
    ledger = open_ledger(name, budget)
    return [
        BudgetRow(name, period, limit, ledger.balance(period))
        for period, limit in ledger.limits.items()
    ]
