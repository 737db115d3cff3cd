"""AttemptBudget: reserves the highest cost of one attempt before it, and settles after it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from ..config.paths import state_folder
from ..config.profile import Profile
from ..dollars import BILLION, format_dollars, to_billionths
from ..errors import BudgetError, ConfigError, EasyLLMError, NetworkError, OutputError
from ..events import Usage
from ..messages import CachedText, Message
from ..pricing import attempt_cost
from .estimate import estimate_prompt_tokens
from .ledger import DAY, BudgetExceededError, Ledger

BUDGET_FOLDER_NAME = "budget"
ALL_PROFILES = "all profiles"
USUAL_LIMIT = 8192  # tokens of an answer without max_tokens; less where the budget leaves less
LEAST_LIMIT = 16  # a lower limit is refused by some servers and gives no useful answer
MILLION = 1_000_000
NOT_SENT_CODES = ("refused", "connect", "name", "tls", "proxy")  # of a NetworkError


class AttemptBudget:
    """The budgets of one attempt: of the profile, of all profiles, and of the command.

    `model`: the one that is asked. `spent`: billionths of a US dollar that earlier attempts of the
    same call cost, for `max_cost`.
    """

    def __init__(self, profile: Profile, model: str, spent: int) -> None:
        self.profile = profile
        self.models = [model, *(profile.fallback_models or [])]
        self.spent = spent
        self.ledgers = find_ledgers(profile)
        self._identity = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._reserved: list[Ledger] = []
        self._amount = 0

    def reserve(self, messages: Iterable[Message]) -> int | None:
        """Reserve what the attempt may cost; returns the answer's tokens that are paid for.

        None = the answer costs nothing.
        Raises:
            ConfigError: no price is known.
            BudgetError: the budget is used up.
            OutputError: a ledger cannot be used.
        """
        messages = list(messages)
        prompt = estimate_prompt_tokens(messages)
        writes_cache = any(
            isinstance(part, CachedText) for message in messages for part in message.parts
        )
        if not self._cost(prompt, MILLION, writes_cache):
            return None  # a free or local model
        limit = self.profile.output_limit()
        if limit is None:
            limit = self._affordable_tokens(prompt, writes_cache)
        self._reserve_amount(self._cost(prompt, limit, writes_cache))
        return limit

    def settle(self, usage: Usage | None, model: str, error: EasyLLMError | None) -> int:
        """Replace the reservation by the real cost, and return it (billionths of a US dollar).

        `error`: why it failed before any output. Where the cost is not known, the reserved amount
        counts; nothing where the server refused the request or was not reached.
        """
        if not self._amount:
            return 0
        cost = self._amount
        dollars, _ = attempt_cost(usage, self.profile, model or self.models[0], time.time())
        if usage is not None and dollars is not None:
            cost = to_billionths(dollars)
        elif error is not None and _is_free_of_charge(error):
            cost = 0
        for ledger in self._reserved:
            ledger.settle(self._identity, cost)
        self._reserved = []
        return cost

    def _affordable_tokens(self, prompt: int, writes_cache: bool) -> int:
        """The answer's tokens that the rest of all budgets pays for, at most USUAL_LIMIT."""
        rest = [ledger.left() for _, ledger in self.ledgers]
        if self.profile.max_cost is not None:
            rest.append(to_billionths(self.profile.max_cost) - self.spent)
        base = self._cost(prompt, 0, writes_cache)
        per_million = self._cost(prompt, MILLION, writes_cache) - base
        if per_million <= 0:
            return USUAL_LIMIT
        affordable = (min(rest) - base) * MILLION // per_million - 1
        return max(LEAST_LIMIT, min(affordable, USUAL_LIMIT))

    def _reserve_amount(self, amount: int) -> None:
        """Reserve an amount in every budget, or in none."""
        if self.profile.max_cost is not None:
            limit = to_billionths(self.profile.max_cost)
            if self.spent + amount > limit:
                raise _budget_error("--max-cost", "this command", self.spent, limit, amount)
        for name, ledger in self.ledgers:
            try:
                ledger.reserve(self._identity, amount)
            except BudgetExceededError as error:
                for other in self._reserved:
                    other.settle(self._identity, 0)
                self._reserved = []
                period = "today" if error.period == DAY else "this month"
                setting = f"budget.{error.period} of {name}"
                raise _budget_error(setting, period, error.used, error.limit, amount) from None
            self._reserved.append(ledger)
        self._amount = amount

    def _cost(self, prompt: int, answer: int, writes_cache: bool) -> int:
        """The highest cost of a request, of all models that may answer.

        Raises:
            ConfigError: no price is known.
        """
        usages = [
            Usage(prompt_tokens=prompt, completion_tokens=answer),
            Usage(prompt_tokens=prompt, completion_tokens=answer, reasoning_tokens=answer),
        ]
        if writes_cache:
            usages.append(
                Usage(prompt_tokens=prompt, completion_tokens=answer, cache_write_tokens=prompt)
            )
        answers = (self.profile.options or {}).get("n")  # OpenAI: several answers to one prompt
        times = max(1, answers) if isinstance(answers, int) else 1
        return times * max(self._price(model, usage) for model in self.models for usage in usages)

    def _price(self, model: str, usage: Usage) -> int:
        dollars, _ = attempt_cost(usage, self.profile, model, time.time())
        if dollars is None:
            from ..pricing.update import try_update  # takes 0.2 s, once for a version

            try_update()
            dollars, _ = attempt_cost(usage, self.profile, model, time.time())
        if dollars is None:
            raise ConfigError(
                f"a budget is set, and no price is known for {model or 'the model'}",
                where=f"profile {self.profile.name}",
                hint="set price in the profile: price = { input = 0.15, output = 0.6 }",
            )
        return to_billionths(dollars)


def find_ledgers(profile: Profile) -> list[tuple[str, Ledger]]:
    """The named ledgers of a profile's own budget and of the budget for all profiles.

    Raises:
        OutputError: the home folder is unknown.
    """
    budgets = {f"profile {profile.name.partition(':')[0]}": profile.budget}
    budgets[ALL_PROFILES] = profile.total_budget
    return [
        (name, open_ledger(name, budget)) for name, budget in budgets.items() if budget is not None
    ]


def open_ledger(name: str, budget: Mapping[str, float]) -> Ledger:
    """The ledger of a budget; `name`: "profile NAME" or ALL_PROFILES. Raises as `find_ledgers`."""
    file_name = f"{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"
    try:
        path: Path = state_folder() / BUDGET_FOLDER_NAME / file_name
    except RuntimeError as error:
        raise OutputError(f"the budget cannot be kept: {error}") from None
    return Ledger(path, {period: to_billionths(limit) for period, limit in budget.items()})


def _budget_error(setting: str, period: str, used: int, limit: int, amount: int) -> BudgetError:
    return BudgetError(
        f"{format_dollars(used / BILLION)} of {format_dollars(limit / BILLION)} USD are used "
        f"{period}, and the answer may cost {format_dollars(amount / BILLION)}",
        where=setting,
        hint="raise it, set a lower --max-tokens, or use a local model",
    )


def _is_free_of_charge(error: EasyLLMError) -> bool:
    """Whether a failed request costs nothing: the server refused it, or was not reached."""
    if isinstance(error, NetworkError):
        return error.code in NOT_SENT_CODES
    return error.status is not None and error.status >= 400
