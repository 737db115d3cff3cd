"""The budget stage: what is refused, reserved and settled, against a server."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import BaseLLMProvider, LLMService, Message, pricing
from easyllm_cli.config.profile import Profile
from easyllm_cli.dollars import BILLION
from easyllm_cli.errors import BudgetError, ConfigError, RefusedError, UsageError
from easyllm_cli.events import Done, Event, Model, Start, Text, Usage
from easyllm_cli.limits import rate_file_path
from easyllm_cli.limits.budget import ALL_PROFILES, find_ledgers, open_ledger
from easyllm_cli.limits.rate import RateFile
from easyllm_cli.pipeline.collector import collect
from tests.support.asking import (
    collect_events,
    expect_error,
    get_completion,
    messages,
    notes,
    open_provider,
    openai,
)
from tests.support.profile_files import write_and_read_profiles
from tests.support.standins.script import (
    DONE,
    Cut,
    Script,
    Wait,
    chunk,
    compact,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import Reply, Request, StandIn

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


def paid_at(url: str | None, **settings: Any) -> Profile:
    """Return the same profile for a server that is never asked."""
    usual = {"price": PRICE, "max_tokens": 100, "budget": {"day": 0.7}, "provider": "openai"}
    return Profile.of({**usual, "endpoint": url, "model": "m", **settings})


def used(profile: Profile) -> float:
    ((_, ledger),) = find_ledgers(profile)
    return ledger.balance("day").used / BILLION


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
        "0.00 of 0.05 USD are spent today, and the answer may cost 0.10 (budget.day of profile"
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


async def test_budget_12_an_unknown_price_is_an_error_before_anything_is_sent(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "is_free", lambda *_: False)
    error = await expect_error(ConfigError, paid(server, price=None))
    assert "no price is known for m" in str(error)
    assert "both 0 for a free model" in error.hint
    assert not server.requests


async def test_the_rest_of_the_budget_limits_the_answer(server: StandIn) -> None:
    profile = paid(server, max_tokens=None, budget={"day": 0.5})
    events = await collect_events(profile)
    assert server.requests[0].json["max_tokens"] == 500
    assert notes(events)[0] == "the budget limits the answer to 500 tokens"
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


REPORTED = usage_chunk(10, 30)  # 0.03 dollars
ENDINGS: dict[str, tuple[Script, float]] = {
    "refused": (Script(status=400), 0),
    "wrong key": (Script(status=401), 0),
    "busy": (Script(status=429), 0),
    "server error": (Script(status=500), 0),
    "overloaded": (Script(status=529), 0),
    "request timeout": (Script(status=408), 0.1),
    "bad gateway": (Script(status=502), 0.1),
    "gateway timeout": (Script(status=504), 0.1),
    "cloudflare timeout": (Script(status=524), 0.1),
    "no end": (Script(chunk("Hello"), Cut()), 0.1),
    "no end, usage before": (Script(REPORTED, chunk("Hello"), Cut()), 0.1),
    "dropped": (Script(Cut()), 0.1),
    "no usage": (NO_USAGE, 0.1),
    "more than the estimate": (
        Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(10, 130), DONE), 0.13
    ),
    "web page": (Script(b"<html>", content_type="text/html"), 0.1),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
async def test_budget_9_what_may_have_been_billed_counts_at_its_highest_cost(ending: str) -> None:
    script, dollars = ENDINGS[ending]
    with StandIn(script_handler(script)) as server:
        profile = paid(server)
        await asyncio.gather(get_completion(profile), return_exceptions=True)
        assert len(server.requests) == 1
    assert used(profile) == pytest.approx(dollars)


async def test_budget_9_an_answer_that_the_caller_leaves_counts_at_its_highest_cost() -> None:
    slow = Script(REPORTED, chunk("Hello"), Wait(5))
    with StandIn(script_handler(slow)) as server:
        profile = paid(server)
        asked = asyncio.create_task(get_completion(profile))
        while not server.requests:
            await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert used(profile) == pytest.approx(0.1)


async def test_budget_10_nothing_is_counted_before_a_request_is_sent(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = StandIn(script_handler(ANSWER))
    nobody = paid(gone)
    no_key = paid(server, api_key_env="NO_SUCH_KEY", budget={"day": 9})
    no_header = paid(server, headers={"X-A": "env:NO_SUCH_HEADER"})
    for profile in (no_key, no_header):
        await asyncio.gather(get_completion(profile), return_exceptions=True)
    await asyncio.gather(get_completion(nobody), return_exceptions=True)
    assert used(no_key) == 0
    assert not server.requests


async def test_budget_10_a_wait_for_the_rate_limit_reserves_nothing(server: StandIn) -> None:
    profile = paid(server, rpm=30)
    await get_completion(profile)
    waiting = asyncio.create_task(get_completion(profile))
    await asyncio.sleep(0.2)
    assert used(profile) == pytest.approx(0.06)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert used(profile) == pytest.approx(0.06)


async def test_budget_10_a_refusal_gives_its_place_in_the_rate_limit_back(server: StandIn) -> None:
    await expect_error(BudgetError, paid(server, budget={"day": 0.05}, rpm=30))
    rate = RateFile(rate_file_path(f"{server.url}/v1", None)).read()
    assert 0 < rate.next_slot <= time.monotonic()


async def test_budget_10_a_kept_answer_costs_nothing_where_no_model_is_named() -> None:
    async def handle(request: Request, reply: Reply) -> None:
        is_list = request.path.endswith("/models")
        await (reply.json({"data": [{"id": "m"}]}) if is_list else ANSWER.play(reply))

    with StandIn(handle) as server:
        profile = paid(server, cache="1h").__replace__(model=None)
        used_up = profile.replace_set(budget={"day": 0.01})
        async with LLMService() as service:
            answers = [
                (await collect(service.stream(asked, messages())))["text"]
                for asked in (profile, profile, used_up)
            ]
    assert answers == ["Hello"] * 3
    assert used(profile) == pytest.approx(0.06)


async def test_a_ledger_that_breaks_meanwhile_changes_neither_answer_nor_error(
    server: StandIn,
) -> None:
    profile = paid(server)
    ((_, ledger),) = find_ledgers(profile)
    events = []
    async with open_provider(profile) as provider:
        async for event in provider.stream(messages()):
            events.append(event)
            if isinstance(event, Text):
                ledger.path.write_bytes(b"x")
    assert isinstance(events[-1], Done)
    (note,) = notes(events)
    assert note.startswith("the file of the budget is damaged; the answer counts at its highest")

    slow = Script(chunk("Hello"), Wait(5))
    ledger.path.unlink()
    with StandIn(script_handler(slow)) as other:
        asked = asyncio.create_task(get_completion(paid(other)))
        while not ledger.path.exists():
            await asyncio.sleep(0.01)
        ledger.path.write_bytes(b"x")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_max_cost_counts_all_attempts_of_the_call() -> None:
    slow = Script(Wait(5))
    with StandIn(script_handler(slow, slow, ANSWER)) as server:
        profile = paid(server, budget=None, max_retries=3, timeout={"first_token": 0.1})
        error = await expect_error(BudgetError, profile.replace_set(max_cost=0.25))
    assert len(server.requests) == 2
    assert str(error).startswith("0.20 of 0.25 USD are spent by this command, and the answer may")


async def test_max_cost_of_the_library(server: StandIn) -> None:
    config = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "m", "max_tokens": 100}
    async with LLMService(max_cost=0.05, trust_configs=True) as service:
        with pytest.raises(BudgetError):
            await service.chat({**config, "price": PRICE}, messages())
        low = Profile.of({**config, "price": PRICE, "max_tokens": 20})
        assert (await service.chat(low, messages()))["text"] == "Hello"
        with pytest.raises(BudgetError):
            await service.chat(low.replace_set(max_cost=0.01), messages())
    for amount in (-1, float("nan"), float("inf"), "1"):
        with pytest.raises(UsageError, match="max_cost"):
            LLMService(max_cost=amount)  # type: ignore[arg-type]


async def test_the_price_in_somebody_elses_dict_decides_nothing(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "is_free", lambda *_: False)
    config = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "m"}
    async with LLMService(max_cost=1) as service:
        with pytest.raises(ConfigError, match="no price is known"):
            await service.chat({**config, "price": {"input": 0, "output": 0}}, messages())
    assert not server.requests


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
    assert open_ledger(ALL_PROFILES, {"month": 1}).balance("month").used == 0.06 * BILLION


async def test_a_refusal_by_one_budget_reserves_nothing_in_the_other(server: StandIn) -> None:
    profile = paid(server, budget={"day": 1}).replace_set(total_budget={"day": 0.01})
    await expect_error(BudgetError, profile)
    assert [ledger.balance("day").used for _, ledger in find_ledgers(profile)] == [0, 0]


async def test_the_limit_of_an_option_counts(server: StandIn) -> None:
    profile = paid(server, options={"max_completion_tokens": 800})
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
    cut = Script(chunk("Hello"), chunk(finish="length"), usage_chunk(10, 500), DONE)
    with StandIn(script_handler(cut)) as server:
        (*_, done) = await collect_events(paid(server, max_tokens=None, budget={"day": 0.5}))
    assert isinstance(done, Done)
    assert (done.complete, done.limited) == (False, False)


async def test_a_retry_reserves_anew_what_is_left() -> None:
    slow = Script(Wait(5))
    with StandIn(script_handler(slow, ANSWER)) as server:
        settings = {"max_tokens": None, "max_retries": 1, "timeout": {"first_token": 0.1}}
        await get_completion(paid(server, budget={"day": 9}, **settings), shown=())
    assert [sent.json["max_tokens"] for sent in server.requests] == [8192, 808]


async def test_budget_10_a_plugin_that_waits_reserves_nothing() -> None:
    """It may send before it yields Start, so that its attempts are reserved before they begin."""
    profile = paid_at(None, provider="x", rpm=30)
    provider = PluginProvider(profile)
    await collect(provider.stream(messages()))
    waiting = asyncio.create_task(collect(provider.stream(messages())))
    await asyncio.sleep(0.1)
    ((_, ledger),) = find_ledgers(profile)
    assert ledger.balance("day") == (6 * BILLION // 100, 0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


class PluginProvider(BaseLLMProvider):
    """An adapter that is no HTTPProvider."""

    async def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        events: list[Event] = [
            Start("x", "m"), Text("Hello"), Usage(10, 60), Done("stop", True),
        ]  # fmt: skip
        for event in events:
            yield event

    async def models(self) -> list[Model]:
        return []


async def test_budget_10_nothing_is_reserved_while_a_command_prints_the_key(
    server: StandIn, home: Path
) -> None:
    script = f"find '{home}' -name '*.json' > '{home}/found'; echo test-key-of-a-command"
    await get_completion(paid(server, api_key_cmd=["sh", "-c", script]))
    assert (home / "found").read_text() == ""


async def test_the_budgets_limit_is_not_part_of_a_kept_answers_request() -> None:
    with StandIn(script_handler(Script(status=500), ANSWER)) as server:
        profile = paid(server, max_tokens=None, budget={"day": 9}, max_retries=1, cache="1h")
        async with LLMService() as service:
            for _ in range(2):
                await collect(service.stream(profile, messages()))
    assert len(server.requests) == 2
