"""AttemptBudget: what an attempt may cost, and what is reserved; no server is asked."""

from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import Message
from easyllm_cli.config.profile import Profile
from easyllm_cli.dollars import BILLION
from easyllm_cli.errors import ConfigError
from easyllm_cli.events import Done, Start, Usage
from easyllm_cli.limits.billing import AttemptBilling
from easyllm_cli.limits.budget import AttemptBudget, find_ledgers
from easyllm_cli.messages import CachedText

PRICE = {"input": 0, "output": 1000}  # a token of the answer costs 0.001 dollars


def paid(**settings: Any) -> Profile:
    """Return a profile whose answers of at most 100 tokens may cost 0.10 dollars."""
    usual = {"price": PRICE, "max_tokens": 100, "budget": {"day": 0.7}, "provider": "openai"}
    return Profile.of({**usual, "endpoint": "http://127.0.0.1:9", "model": "m", **settings})


COUNTED: list[tuple[dict[str, Any], float]] = [
    ({"n": 3}, 0.3), ({"n": "3"}, 0.3), ({"n": 2.5}, 0.3), ({"best_of": 4}, 0.4),
    ({"candidateCount": 2}, 0.2), ({"generationConfig": {"candidateCount": 5}}, 0.5),
    ({"n": 0}, 0.1), ({"n": None}, 0.1), ({"user": "me", "tools": []}, 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("options", "dollars"), COUNTED, ids=str)
async def test_budget_11_several_answers_cost_as_many(
    options: dict[str, Any], dollars: float
) -> None:
    budget = AttemptBudget(paid(options=options), 0)
    await budget.reserve("m", [])
    assert budget.amount == pytest.approx(dollars * BILLION)


REFUSED: list[dict[str, Any]] = [
    {"n": "many"}, {"n": -1}, {"n": "inf"}, {"n": [2]}, {"n": True},
    {"model": "dear"}, {"models": ["dear"]}, {"messages": [{"role": "user", "content": "x"}]},
    {"previous_response_id": "x"}, {"tools": [{"type": "web_search"}]},
    {"extra_body": {"model": "dear"}},
]  # fmt: skip


@pytest.mark.parametrize("options", REFUSED, ids=str)
async def test_budget_11_an_option_of_unknown_cost_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a budget is set, and an option does not go with it"):
        await AttemptBudget(paid(options=options), 0).reserve("m", [])
    free = paid(options=options, price={"input": 0, "output": 0})
    assert await AttemptBudget(free, 0).reserve("m", []) is None


async def test_another_service_tier_needs_a_price_of_the_users(price_table: Path) -> None:
    tier = {"options": {"service_tier": "priority"}, "model": "gpt-4o"}
    listed = paid(endpoint=None, price=None, **tier)
    with pytest.raises(ConfigError, match="service_tier"):
        await AttemptBudget(listed, 0).reserve("gpt-4o", [])
    await AttemptBudget(paid(endpoint=None, **tier), 0).reserve("gpt-4o", [])


async def test_a_schema_and_options_are_part_of_the_prompt() -> None:
    price = {"input": 1000, "output": 0}
    plain, schema, option = (
        AttemptBudget(paid(price=price, **more).replace_set(schema=document), 0)
        for more, document in (
            ({}, None), ({}, {"enum": ["word"] * 50}), ({"options": {"system": "word " * 50}}, None)
        )
    )  # fmt: skip
    for budget in (plain, schema, option):
        await budget.reserve("m", [])
    assert min(schema.amount, option.amount) > plain.amount + 50 * BILLION // 1000


async def test_fallback_models_that_are_asked_in_turn_are_added_up() -> None:
    profile = paid(provider="litellm", fallback_models=["a", "b"])
    budget = AttemptBudget(profile, 0)
    await budget.reserve("m", [])
    assert budget.amount == pytest.approx(0.3 * BILLION)
    billing = AttemptBilling()
    for event in (Start("x", "m"), Start("x", "a"), Usage(10, 60), Done("stop", True)):
        billing.add(event)
    assert budget.find_cost(billing, 0)[1] == pytest.approx(0.16 * BILLION)


async def test_every_budget_reserves_what_the_tightest_leaves() -> None:
    profile = paid(max_tokens=None, budget={"day": 9})
    profile = profile.replace_set(total_budget={"month": 0.5})
    budget = AttemptBudget(profile, 0)
    assert await budget.reserve("m", []) == 500
    reserved = [ledger.balance("month").reserved for _, ledger in find_ledgers(profile)]
    assert reserved == [BILLION // 2] * 2


async def test_what_the_provider_stores_in_its_cache_may_cost_more() -> None:
    price = {"input": 100, "output": 0, "cache_write": 200}
    amounts = []
    for text in ("word " * 100, CachedText.of("word " * 100, {"type": "ephemeral"})):
        budget = AttemptBudget(paid(price=price), 0)
        await budget.reserve("m", [Message("user", (text,))])
        amounts.append(budget.amount)
    assert amounts[1] == 2 * amounts[0]
