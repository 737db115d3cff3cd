"""The budget stage: an attempt is made only if what it may cost fits the budgets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..errors import EasyLLMError
from ..events import Done, Event, Note, RoutineNote, Start
from .call import Attempt, Call

if TYPE_CHECKING:
    from ..limits.billing import AttemptBilling
    from ..limits.budget import AttemptBudget


def reserve_budget(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Reserve what an attempt may cost, and settle it with what it cost.

    The budgets are `budget` of the profile and of all profiles, and `max_cost` of the call. Without
    them the attempt is returned as it is, and nothing is imported.
    Raises:
        ConfigError: a budget is set, and nobody knows what the attempt may cost.
        BudgetError: the budget is used up; nothing is sent.
        OutputError: the file of a budget cannot be used.
    """
    profile = call.profile
    assert profile is not None
    if not profile.has_budget:
        return attempt()
    from ..limits.budget import AttemptBudget

    return _run_budgeted(call, attempt, AttemptBudget(profile, call.spent_billionths))


async def _run_budgeted(
    call: Call, attempt: Attempt, budget: AttemptBudget
) -> AsyncGenerator[Event, None]:
    """Reserve before anything is sent, make the attempt, and settle."""
    from ..limits.billing import AttemptBilling

    source, billing, is_reserved = call.source, AttemptBilling(), False
    assert source is not None
    try:
        if not source.starts_before_request:
            is_reserved = True
            for note in await _reserve(call, budget):
                yield note
            billing.is_sent = True
        async with aclosing(attempt()) as events:
            async for event in events:
                billing.add(event)
                if isinstance(event, Done) and (warning := await _settle(call, budget, billing)):
                    yield Note(warning)
                yield event
                # The request comes after Start: who only wants to know the model pays nothing.
                if isinstance(event, Start) and not is_reserved:
                    is_reserved = True
                    for note in await _reserve(call, budget):
                        yield note
                    billing.is_sent = True
    except EasyLLMError as error:
        billing.error = error
        raise
    finally:
        source.limit_output(None)
        await _settle(call, budget, billing)


async def _reserve(call: Call, budget: AttemptBudget) -> list[Note]:
    """Reserve the highest cost, and limit the answer to what is paid for; returns notes."""
    from ..limits.budget import USUAL_LIMIT

    source = call.source
    assert source is not None
    source.limit_scope()  # looks the key up: without one nothing is sent
    limit = await budget.reserve(source.model, call.request_messages)
    source.limit_output(limit)
    if limit is None or source.profile.output_limit() is not None:
        return []
    note = f"the budget limits the answer to {limit} tokens"
    return [RoutineNote(note) if limit == USUAL_LIMIT else Note(note)]


async def _settle(call: Call, budget: AttemptBudget, billing: AttemptBilling) -> str:
    """Count what the attempt cost, once; returns a note if that cannot be written."""
    if not budget.amount:
        return ""
    record = call.attempts[-1]
    record.cost, cost = budget.find_cost(billing, call.started_at)
    call.spent_billionths += cost
    return await budget.settle(cost)
