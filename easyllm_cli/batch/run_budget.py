"""RunBudget: what a batch may cost (--max-cost), with the rows that are in flight."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ..config.profile import Profile
from ..dollars import format_dollars
from ..errors import BudgetError, ConfigError
from ..events import Usage
from ..limits.estimate import estimate_prompt_tokens
from ..limits.limiter import USUAL_ANSWER_TOKENS
from ..messages import Message
from ..pricing import attempt_cost


class AnswerEstimate:
    """The expected tokens of an answer: the mean of those so far."""

    def __init__(self) -> None:
        self._tokens = 0
        self._count = 0

    def add(self, usage: Usage) -> None:
        if usage.completion_tokens is not None:
            self._tokens += usage.completion_tokens
            self._count += 1

    def expected(self, profile: Profile) -> float:
        """Tokens of the next answer; at most the user's limit."""
        mean = self._tokens / self._count if self._count else USUAL_ANSWER_TOKENS
        return min(mean, profile.output_limit() or mean)


def estimate_cost(
    messages: Iterable[Message], answer_tokens: float, profiles: Sequence[Profile]
) -> float | None:
    """What a row is expected to cost at the dearest of the profiles; None = no price is known."""
    messages, costs = list(messages), []
    for profile in profiles:
        prompt = estimate_prompt_tokens(messages, profile.schema, profile.options)
        usage = Usage(prompt_tokens=prompt, completion_tokens=round(answer_tokens))
        costs.append(attempt_cost(usage, profile, profile.model or "", time.time())[0])
    known = [float(cost) for cost in costs if cost is not None]
    return max(known) if len(known) == len(costs) else None


class RunBudget:
    """Reserves what a row is expected to cost, and replaces it by what it did cost.

    `limit`: US dollars for all rows of the output. `spent`: by earlier runs. `price_factor`: the
    price of a row, as a part of the usual one.
    """

    def __init__(
        self, limit: float, spent: float, profiles: Sequence[Profile], price_factor: float = 1.0
    ) -> None:
        """Raises ConfigError if no price is known."""
        self.limit = limit
        self.spent = spent
        self._profiles = profiles
        self._price_factor = price_factor
        self._reserved = 0.0
        self._answers = AnswerEstimate()
        for profile in profiles:
            if estimate_cost((), 1, [profile]) is None:
                raise ConfigError(
                    f"--max-cost is set, and no price is known for {profile.model or 'the model'}",
                    where=f"profile {profile.name}",
                    hint="set price in the profile: price = { input = 0.15, output = 0.6 }",
                )

    def reserve(self, messages: Iterable[Message], profile: Profile) -> float | None:
        """Reserve what a row may cost; returns the amount, or None if it does not fit."""
        amount = self.estimate(messages, profile)
        if self.spent + self._reserved + amount > self.limit:
            return None
        self._reserved += amount
        return amount

    def estimate(self, messages: Iterable[Message], profile: Profile) -> float:
        """What a row may cost."""
        expected = self._answers.expected(profile)
        return (estimate_cost(messages, expected, self._profiles) or 0.0) * self._price_factor

    def hold(self, amount: float) -> None:
        """Reserve an amount for what was sent already, also if it does not fit."""
        self._reserved += amount

    def settle(self, amount: float, cost: float | None, usage: Usage) -> None:
        """Replace a reserved amount by the real cost; None = nobody knows it, so the amount."""
        self._reserved -= amount
        self.spent += amount if cost is None else cost
        self._answers.add(usage)

    def used_up(self) -> BudgetError:
        """The error of a run that ends because the next row does not fit."""
        spent, limit = format_dollars(self.spent), format_dollars(self.limit)
        return BudgetError(
            f"{spent} of {limit} USD are spent, and the next row may cost more",
            where="--max-cost",
            hint="raise it, and run the same command again",
        )
