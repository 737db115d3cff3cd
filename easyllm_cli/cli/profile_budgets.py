"""Reads what is left of the budgets that the profiles file sets, for `easyllm usage`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..config.profiles_file import Profiles
from ..errors import EasyLLMError

if TYPE_CHECKING:
    from ..limits.budget_report import BudgetRow


def read_budgets(profiles: Profiles) -> tuple[list[BudgetRow], list[EasyLLMError]]:
    """Every limit of the file's budgets, and the errors of the budgets that cannot be read."""
    rows: list[BudgetRow] = []
    errors: list[EasyLLMError] = []
    for name, budget in _find_budgets(profiles):
        from ..limits.budget_report import read_budget

        try:
            rows += read_budget(name, budget)
        except EasyLLMError as error:
            errors.append(error)
    return rows, errors


def _find_budgets(profiles: Profiles) -> Iterator[tuple[str, dict[str, float]]]:
    """The budgets of the file, by the names of their ledgers."""
    if profiles.settings.budget:
        from ..limits.budget import ALL_PROFILES

        yield ALL_PROFILES, profiles.settings.budget
    for table in profiles.tables:
        try:
            profile = profiles.resolve_profile(table)
        except EasyLLMError:
            continue  # its own commands report it
        if profile.budget:
            from ..limits.budget import PROFILE_PREFIX

            yield f"{PROFILE_PREFIX}{table}", profile.budget
