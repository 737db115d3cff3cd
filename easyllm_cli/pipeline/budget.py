"""The budget stage: an attempt is made only if what it may cost fits the budgets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..errors import EasyLLMError
from ..events import Event, Note, RoutineNote, Start, Usage
from .call import OUTPUT_EVENTS, Attempt, Call

if TYPE_CHECKING:
    from ..limits.budget import AttemptBudget


def reserve_budget(call: Call, attempt: Attempt) -> Attempt:
    """Reserve what an attempt may cost, and settle it with what it cost.

    The budgets are `budget` of the profile and of all profiles, and `max_cost` of the call. Without
    them the attempt is returned as it is, and nothing is imported.
    Raises:
        ConfigError: a budget is set, and no price is known.
        BudgetError: the budget is used up; nothing is sent.
        OutputError: the file of a budget cannot be used.
    """

    def budgeted() -> AsyncGenerator[Event, None]:
        profile = call.profile
        assert profile is not None
        assert call.source is not None
        if not profile.has_budget:
            return attempt()
        from ..limits.budget import AttemptBudget

        return _run_budgeted(
            call, attempt, AttemptBudget(profile, call.source.model, call.spent_billionths)
        )

    return budgeted


async def _run_budgeted(
    call: Call, attempt: Attempt, budget: AttemptBudget
) -> AsyncGenerator[Event, None]:
    """Reserve, make the attempt, and settle."""
    from ..limits.budget import USUAL_LIMIT

    assert call.source is not None
    max_tokens = budget.reserve(call.request_messages)
    usage: Usage | None = None
    failure: EasyLLMError | None = None
    model, has_output = "", False
    try:
        call.source.limit_output(max_tokens)
        if max_tokens is not None and call.source.profile.output_limit() is None:
            note = f"the budget limits the answer to {max_tokens} tokens"
            yield RoutineNote(note) if max_tokens == USUAL_LIMIT else Note(note)
        async with aclosing(attempt()) as events:
            async for event in events:
                if isinstance(event, Usage):
                    usage = event
                elif isinstance(event, Start):
                    model = event.model
                elif isinstance(event, OUTPUT_EVENTS):
                    has_output = True
                yield event
    except EasyLLMError as error:
        failure = None if has_output else error
        raise
    finally:
        call.source.limit_output(None)
        call.spent_billionths += budget.settle(usage, model, failure)
