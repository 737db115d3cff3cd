"""Totals: the tokens and the cost of all calls of one repl, failed ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...pipeline.call import Call
    from ..cost import AnswerCost


class Totals:
    """Sums over the calls so far; US dollars, as far as a call's cost is known."""

    def __init__(self) -> None:
        self.calls = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.dollars = 0.0
        self.calls_of_unknown_cost = 0

    def add(self, call: Call, cost: AnswerCost) -> None:
        """Count one finished call."""
        usage = call.usage_all
        self.calls += 1
        self.prompt_tokens += (usage.prompt_tokens if usage else None) or 0
        self.completion_tokens += (usage.completion_tokens if usage else None) or 0
        self.dollars += cost[0] or 0.0
        self.calls_of_unknown_cost += cost[0] is None

    def describe(self) -> str:
        """`3 calls, 120 tokens in, 400 out, $0.0012 (1 of unknown cost)`."""
        from ...dollars import format_dollars

        unknown = self.calls_of_unknown_cost
        cost = f"${format_dollars(self.dollars)}" if unknown < self.calls else "cost unknown"
        if 0 < unknown < self.calls:
            cost += f" ({unknown} of unknown cost)"
        calls = f"{self.calls} call{'s' * (self.calls != 1)}"
        tokens = f"{self.prompt_tokens} tokens in, {self.completion_tokens} out"
        return f"{calls}, {tokens}, {cost}"
