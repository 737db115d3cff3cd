"""AttemptBudget: reserves the highest cost of one attempt before it, and settles after it."""

from __future__ import annotations

import logging
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from ..config.paths import state_folder
from ..config.profile import Profile
from ..dollars import BILLION, format_dollars, to_billionths
from ..errors import BudgetError, EasyLLMError, OutputError
from ..messages import Message
from ..pricing import Cost, attempt_cost
from .billing import AttemptBilling
from .highest_cost import HighestCost
from .ledger import DAY, Balance, BudgetExceededError, Ledger

BUDGET_FOLDER_NAME = "budget"
ALL_PROFILES = "all profiles"
PROFILE_PREFIX = "profile "
USUAL_LIMIT = 8192  # tokens of an answer without max_tokens; less where the budget leaves less
LEAST_LIMIT = 16  # a lower limit is refused by some servers and gives no useful answer
log = logging.getLogger(__name__)


class AttemptBudget:
    """The budgets of one attempt: of the profile, of all profiles, and of the command.

    `spent`: billionths of a US dollar that earlier attempts of the same call cost, for `max_cost`.
    `amount`: what is reserved; 0 = nothing, as for a free model.
    """

    def __init__(self, profile: Profile, spent: int) -> None:
        # Somebody else's price would decide what may be spent with the user's key.
        self.profile = profile.__replace__(price=None) if profile.untrusted else profile
        self.spent = spent
        self.ledgers = find_ledgers(profile)
        self.amount = 0
        self._identity = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._reserved: list[Ledger] = []
        self._model, self._limit = "", 0  # the answer's tokens that are paid for
        self._highest: HighestCost | None = None

    async def reserve(self, model: str, messages: Iterable[Message]) -> int | None:
        """Reserve what the attempt may cost; returns the answer's tokens that are paid for.

        `model`: the one that is asked. None = the answer costs nothing.
        Raises:
            ConfigError: as `HighestCost`.
            BudgetError: the budget is used up; nothing is reserved.
            OutputError: a ledger cannot be used.
        """
        self._model = model
        self._highest = cost = HighestCost(self.profile, model, messages)
        if cost.is_free:
            return None
        limit = self.profile.output_limit()
        if limit is not None:
            await self._reserve_amount(cost.of(limit), cost.of(limit))
        else:
            await self._reserve_amount(cost.of(LEAST_LIMIT), cost.of(USUAL_LIMIT))
            limits = range(LEAST_LIMIT, USUAL_LIMIT + 1)
            limit = limits[bisect_right(limits, self.amount, key=cost.of) - 1]
        self._limit = limit
        return limit

    def require(self, model: str, messages: Iterable[Message]) -> None:
        """Raise as `reserve` would now, and reserve nothing; it waits for no lock."""
        cost = HighestCost(self.profile, model, messages)
        if cost.is_free:
            return
        limit = self.profile.output_limit()
        least = cost.of(LEAST_LIMIT if limit is None else limit)
        self._require_max_cost(least)
        for name, ledger in self.ledgers:
            for period, most in ledger.limits.items():
                balance = ledger.balance(period)
                if balance.used + least > most:
                    raise _exceeded(name, BudgetExceededError(period, balance, most), least)

    def find_cost(self, billing: AttemptBilling, time: float) -> tuple[Cost, int]:
        """The cost of the reported usage, and the billionths of a US dollar that count.

        `time`: when the call began, in seconds as `time.time()`.
        """
        *earlier, model = billing.models or [self._model]
        cost = attempt_cost(billing.usage, self.profile, model, time)
        reported = None if cost[0] is None else to_billionths(cost[0])
        if reported is not None and self._highest is not None and self._highest.adds_models:
            reported += sum(self._highest.of_model(other, self._limit) for other in earlier)
        return cost, billing.find_cost(reported, self.amount)

    async def settle(self, cost: int) -> str:
        """Replace the reservation by the real cost, in billionths of a US dollar.

        Returns a note if a ledger cannot be written ("" = it was): the reserved amount counts then.
        """
        note, self.amount = "", 0
        while self._reserved:
            ledger = self._reserved.pop()
            try:
                await ledger.settle(self._identity, cost)
            except EasyLLMError as error:
                log.warning("%s", error)
                note = f"{error.what}; the answer counts at its highest cost ({error.where})"
        return note

    async def _reserve_amount(self, least: int, most: int) -> None:
        """Reserve the same amount in every budget, as much as fits, or nothing in any."""
        amount = most
        if self.profile.max_cost is not None:
            self._require_max_cost(least)
            amount = min(most, to_billionths(self.profile.max_cost) - self.spent)
        try:
            for name, ledger in self.ledgers:
                amount = await self._reserve_in(name, ledger, least, amount)
            for ledger in self._reserved[:-1]:
                await ledger.lower(self._identity, amount)
        except BaseException:
            await self.settle(0)
            raise
        self.amount = amount

    def _require_max_cost(self, least: int) -> None:
        """Raise BudgetError if the command may not spend as much."""
        if self.profile.max_cost is not None:
            limit = to_billionths(self.profile.max_cost)
            if self.spent + least > limit:
                balance = Balance(self.spent, 0)
                raise _budget_error("--max-cost", "by this command", balance, limit, least)

    async def _reserve_in(self, name: str, ledger: Ledger, least: int, most: int) -> int:
        """Reserve as much as fits in one budget. Raises BudgetError."""
        try:
            amount = await ledger.reserve(self._identity, least, most)
        except BudgetExceededError as error:
            raise _exceeded(name, error, least) from None
        self._reserved.append(ledger)
        return amount


def find_budgets(profile: Profile) -> list[tuple[str, Mapping[str, float]]]:
    """The budgets of a profile and of all profiles, each with the name of its ledger."""
    budgets = {f"{PROFILE_PREFIX}{profile.name.partition(':')[0]}": profile.budget}
    budgets[ALL_PROFILES] = profile.total_budget
    return [(name, budget) for name, budget in budgets.items() if budget]


def find_ledgers(profile: Profile) -> list[tuple[str, Ledger]]:
    """The named ledgers of the profile's `find_budgets`.

    Raises:
        OutputError: the home folder is unknown.
    """
    return [(name, open_ledger(name, budget)) for name, budget in find_budgets(profile)]


def open_ledger(name: str, budget: Mapping[str, float]) -> Ledger:
    """The ledger of a budget; `name`: "profile NAME" or ALL_PROFILES. Raises as `find_ledgers`."""
    file_name = f"{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"
    try:
        path: Path = state_folder() / BUDGET_FOLDER_NAME / file_name
    except RuntimeError as error:
        raise OutputError(f"the budget cannot be kept: {error}") from None
    return Ledger(path, {period: to_billionths(limit) for period, limit in budget.items()})


def format_balance(balance: Balance, limit: int, period: str) -> str:
    """`0.06 of 0.15 USD are spent today and 0.03 reserved`; `period`: today, by this command, …"""
    spent, of = format_dollars(balance.spent / BILLION), format_dollars(limit / BILLION)
    reserved = f" and {format_dollars(balance.reserved / BILLION)} reserved"
    return f"{spent} of {of} USD are spent {period}{reserved * bool(balance.reserved)}"


def _exceeded(name: str, error: BudgetExceededError, least: int) -> BudgetError:
    """The error for a budget of a day or a month. `name`: of its ledger."""
    period = "today" if error.period == DAY else "this month"
    setting = f"budget.{error.period} of {name}"
    return _budget_error(setting, period, error.balance, error.limit, least)


def _budget_error(
    setting: str, period: str, balance: Balance, limit: int, amount: int
) -> BudgetError:
    may_cost = format_dollars(amount / BILLION)
    return BudgetError(
        f"{format_balance(balance, limit, period)}, and the answer may cost {may_cost}",
        where=setting,
        hint="raise it, set a lower --max-tokens, or use a local model",
    )
