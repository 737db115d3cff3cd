"""The budget stage: what is refused, reserved and settled, against a server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import pricing
from easyllm_cli.config.profile import Profile
from easyllm_cli.dollars import BILLION
from easyllm_cli.errors import BudgetError, ConfigError, RefusedError
from easyllm_cli.events import Done
from easyllm_cli.limits.budget import ALL_PROFILES, find_ledgers, open_ledger
from tests.support.asking import collect_events, expect_error, get_completion, notes, openai
from tests.support.profile_files import write_and_read_profiles
from tests.support.standins.script import (
    DONE,
    Script,
    Wait,
    chunk,
    compact,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import StandIn

PRICE = {"input": 0, "output": 1000}  # a token of the answer costs 0.001 dollars
# An answer of 60 tokens: 0.06 dollars.
ANSWER = Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(10, 60), DONE)
NO_USAGE = Script(chunk("Hello"), chunk(finish="stop"), DONE)


@pytest.fixture(name="server")
def answering_server() -> Iterator[StandIn]:
    with StandIn(script_handler(ANSWER)) as server:
        yield server


def paid(server: StandIn, **settings: Any) -> Profile:
    """Return a profile whose answers of at most 100 tokens may cost 0.10 dollars."""
    usual = {"price": PRICE, "max_tokens": 100, "budget": {"day": 0.7}, "max_retries": 0}
    return openai(server, **{**usual, **settings})


def used(profile: Profile) -> float:
    ((_, ledger),) = find_ledgers(profile)
    return ledger.used()["day"] / BILLION


async def test_budget_1_tasks_at_once_never_spend_more(server: StandIn) -> None:
    profile = paid(server)
    ended = await asyncio.gather(
        *(get_completion(profile) for _ in range(20)), return_exceptions=True
    )
    assert len(server.requests) <= 11
    assert used(profile) == pytest.approx(0.06 * len(server.requests))
    refused = [error for error in ended if isinstance(error, BaseException)]
    assert {type(error) for error in refused} == {BudgetError}


async def test_a_used_up_budget_is_told_and_nothing_is_sent(server: StandIn) -> None:
    profile = paid(server, budget={"day": 0.05})
    error = await expect_error(BudgetError, profile)
    assert str(error).startswith(
        "0.00 of 0.05 USD are used today, and the answer may cost 0.10 (budget.day of profile"
    )
    assert (error.exit_code, error.kind) == (3, "budget")
    assert not server.requests


async def test_budget_4_local_models_are_never_blocked(server: StandIn, home: Path) -> None:
    free = openai(server, budget={"day": 0, "month": 0}).replace_set(total_budget={"day": 0})
    assert (await get_completion(free))["text"] == "Hello"
    assert not list(home.rglob("*.json"))


async def test_budget_4_a_price_of_0_is_free(server: StandIn) -> None:
    await get_completion(paid(server, price={"input": 0, "output": 0}, budget={"day": 0}))


async def test_budget_5_without_a_budget_there_is_no_file(server: StandIn, home: Path) -> None:
    await get_completion(openai(server, price=PRICE))
    assert not list(home.rglob("*"))


async def test_an_unknown_price_is_an_error_before_anything_is_sent(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "is_free", lambda *_: False)
    error = await expect_error(ConfigError, paid(server, price=None))
    assert "no price is known for m" in str(error)
    assert not server.requests


async def test_the_rest_of_the_budget_limits_the_answer(server: StandIn) -> None:
    profile = paid(server, max_tokens=None, budget={"day": 0.5})
    events = await collect_events(profile)
    assert server.requests[0].json["max_tokens"] == 499
    assert notes(events)[0] == "the budget limits the answer to 499 tokens"
    assert used(profile) == pytest.approx(0.06)


async def test_a_large_budget_sends_the_usual_limit(server: StandIn) -> None:
    await get_completion(paid(server, max_tokens=None, budget={"day": 500}))
    assert server.requests[0].json["max_tokens"] == 8192


async def test_every_attempt_is_paid_for() -> None:
    slow = Script(Wait(5))
    with StandIn(script_handler(slow, ANSWER)) as server:
        profile = paid(server, max_retries=1, timeout={"first_token": 0.1})
        await get_completion(profile)
    assert used(profile) == pytest.approx(0.16)  # the first one may have been billed


@pytest.mark.parametrize(
    ("script", "dollars"), [(Script(status=429), 0), (Script(status=400), 0), (NO_USAGE, 0.1)]
)
async def test_what_a_failure_costs(script: Script, dollars: float) -> None:
    with StandIn(script_handler(script)) as server:
        profile = paid(server)
        await asyncio.gather(get_completion(profile), return_exceptions=True)
        assert used(profile) == pytest.approx(dollars)


async def test_max_cost_counts_all_attempts_of_the_call() -> None:
    slow = Script(Wait(5))
    with StandIn(script_handler(slow, slow, ANSWER)) as server:
        profile = paid(server, budget=None, max_retries=3, timeout={"first_token": 0.1})
        error = await expect_error(BudgetError, profile.replace_set(max_cost=0.25))
    assert len(server.requests) == 2
    assert "--max-cost" in str(error)


async def test_the_budget_of_all_profiles(server: StandIn, tmp_path: Path) -> None:
    text = "budget = { month = 0.15 }\n" + "".join(
        f'[profiles.{name}]\nprovider = "openai"\nendpoint = "{server.url}/v1"\nmodel = "m"\n'
        "max_tokens = 100\nprice = { input = 0, output = 1000 }\n"
        for name in "ab"
    )
    profiles = write_and_read_profiles(tmp_path / "profiles.toml", text)
    await get_completion(profiles.resolve_profile("a"))
    error = await expect_error(BudgetError, profiles.resolve_profile("b"))
    assert "budget.month of all profiles" in str(error)
    assert open_ledger(ALL_PROFILES, {"month": 1}).used()["month"] == 0.06 * BILLION


async def test_a_refusal_by_one_budget_reserves_nothing_in_the_other(server: StandIn) -> None:
    profile = paid(server, budget={"day": 1}).replace_set(total_budget={"day": 0.01})
    await expect_error(BudgetError, profile)
    assert [ledger.used()["day"] for _, ledger in find_ledgers(profile)] == [0, 0]


async def test_the_limit_of_an_option_counts(server: StandIn) -> None:
    profile = paid(server, options={"max_completion_tokens": 800, "n": 1})
    error = await expect_error(BudgetError, profile)
    assert "may cost 0.80" in str(error)
    await expect_error(ConfigError, paid(server, options={"max_tokens": None}))
    assert not server.requests


async def test_a_limit_that_the_server_refuses_is_not_left_out() -> None:
    words = {"error": {"message": "max_tokens or max_completion_tokens is too large: 8192"}}
    refusal = Script(compact(words), status=400, content_type="application/json")
    with StandIn(script_handler(refusal)) as server:
        budget = paid(server, max_tokens=None, budget={"day": 500}, send_defaults=True)
        error = await expect_error(RefusedError, budget)
    assert "set a lower --max-tokens" in str(error)
    names = [{"max_tokens", "max_completion_tokens"} & set(sent.json) for sent in server.requests]
    assert all(names)


async def test_an_answer_that_the_budgets_limit_cut_is_not_the_users_wish(server: StandIn) -> None:
    cut = Script(chunk("Hello"), chunk(finish="length"), usage_chunk(10, 499), DONE)
    with StandIn(script_handler(cut)) as server:
        (*_, done) = await collect_events(paid(server, max_tokens=None, budget={"day": 0.5}))
    assert isinstance(done, Done)
    assert (done.complete, done.limited) == (False, False)


async def test_a_retry_reserves_anew_what_is_left() -> None:
    slow = Script(Wait(5))
    with StandIn(script_handler(slow, ANSWER)) as server:
        settings = {"max_tokens": None, "max_retries": 1, "timeout": {"first_token": 0.1}}
        await get_completion(paid(server, budget={"day": 9}, **settings), shown=())
    assert [sent.json["max_tokens"] for sent in server.requests] == [8192, 807]
