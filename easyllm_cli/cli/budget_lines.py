"""Says what is left of the budgets that the profiles file sets, for `easyllm usage`."""

from __future__ import annotations

from collections.abc import Iterator

from ..config.profiles_file import Profiles
from ..errors import EasyLLMError


def describe_budgets(profiles: Profiles) -> Iterator[str]:
    """A line for each day's and month's budget: `budget of profile r1: 0.06 of 2.00 USD …`.

    Raises:
        EasyLLMError: the file of a budget cannot be read.
    """
    for name, budget in _find_budgets(profiles):
        from ..dollars import BILLION, format_dollars
        from ..limits.budget import open_ledger

        ledger = open_ledger(name, budget)
        used = ledger.used()
        for period, limit in ledger.limits.items():
            when = "today" if period == "day" else "this month"
            yield (
                f"budget of {name}: {format_dollars(used[period] / BILLION)} of "
                f"{format_dollars(limit / BILLION)} USD are used {when}, "
                f"{format_dollars(max(0, limit - used[period]) / BILLION)} left"
            )


def _find_budgets(profiles: Profiles) -> Iterator[tuple[str, dict[str, float]]]:
    """The budgets of the file, by the names of their ledgers."""
    if profiles.settings.budget is not None:
        from ..limits.budget import ALL_PROFILES

        yield ALL_PROFILES, profiles.settings.budget
    for table in profiles.tables:
        try:
            profile = profiles.resolve_profile(table)
        except EasyLLMError:
            continue  # its own commands report it
        if profile.budget is not None:
            yield f"profile {table}", profile.budget
