"""`--max-cost`, the setting `budget` and what `usage` says about it."""

import pytest

from easyllm_cli.dollars import BILLION
from easyllm_cli.limits.budget import open_ledger
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.objects import parse_answer_json, parse_usage_json
from tests.support.standins.script import DONE, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import StandIn

PRICE = {"input": 0, "output": 1000}
ANSWER = Script(chunk("Hello"), chunk(finish="stop"), usage_chunk(10, 60), DONE)


def test_a_budget_that_is_used_up(easyllm: Easyllm) -> None:
    with StandIn(script_handler(ANSWER)) as server:
        profiles = single_profile_toml(server, price=PRICE, max_tokens=100, budget={"day": 0.15})
        first = easyllm.run("chat", "hi", profiles=profiles)
        second = easyllm.run("chat", "--json", "hi")
        usage = easyllm.run("usage")
    assert (first.code, first.stdout) == (0, b"Hello\n")
    answer = parse_answer_json(second)
    assert (second.code, answer["error"]["kind"]) == (3, "budget")
    assert len(server.requests) == 1
    assert usage.stderr.splitlines()[-1] == (
        "easyllm: budget of profile t: 0.06 of 0.15 USD are spent today, 0.09 left"
    )


def test_max_cost(easyllm: Easyllm) -> None:
    with StandIn(script_handler(ANSWER)) as server:
        profiles = single_profile_toml(server, price=PRICE)
        ran = easyllm.run("chat", "--max-cost", "0.2", "hi", profiles=profiles)
        refused = easyllm.run("chat", "--max-cost", "0.01", "--max-tokens", "100", "hi")
    assert ran.code == 0
    assert server.requests[0].json["max_tokens"] == 200
    assert refused.code == 3
    assert "(--max-cost)" in refused.error_line
    assert len(server.requests) == 1


def test_an_amount_that_is_no_number_of_dollars_is_a_usage_error(easyllm: Easyllm) -> None:
    for amount in ("nan", "inf", "1e400", "-inf", "-0.01", "x"):
        ran = easyllm.run("chat", "--max-cost", amount, "-p", "openai:m", "hi")
        assert (ran.code, ran.stdout) == (2, b"")
        assert "--max-cost" in ran.error_line


TWO_BUDGETS = """
budget = { month = 5 }
[profiles.a]
provider = "ollama"
model = "m"
budget = { day = 1, month = 2 }
[profiles.b]
provider = "ollama"
model = "m"
budget = { day = 3 }
"""


async def test_a_damaged_ledger_hides_no_other_budget(
    easyllm: Easyllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    easyllm.write_profiles(TWO_BUDGETS)
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    await open_ledger("profile b", {"day": 3}).reserve("killed", 1, BILLION)
    ledger = open_ledger("profile a", {})
    ledger.path.write_text("x")
    ran = easyllm.run("usage")
    assert ran.code == 2
    assert ran.stderr.splitlines()[-3:] == [
        "easyllm: budget of all profiles: 0.00 of 5.00 USD are spent this month, 5.00 left",
        "easyllm: budget of profile b: 0.00 of 3.00 USD are spent today and 1.00 reserved, 2.00 "
        "left",
        f"easyllm: the file of the budget is damaged ({ledger.path}): look at it, and remove it to "
        "begin the budget anew",
    ]
    listing = easyllm.run("usage", "--json")
    assert parse_usage_json(listing) == []
    assert listing.json["budgets"] == [
        {
            "profile": None, "period": "month", "limit_usd": 5, "spent_usd": 0, "reserved_usd": 0,
            "left_usd": 5,
        },
        {
            "profile": "b", "period": "day", "limit_usd": 3, "spent_usd": 0, "reserved_usd": 1,
            "left_usd": 2,
        },
    ]  # fmt: skip


def test_doctor_says_what_is_left(easyllm: Easyllm) -> None:
    with StandIn(script_handler(ANSWER)) as server:
        table = single_profile_toml(server, price=PRICE, max_tokens=100, budget={"day": 0.15})
        easyllm.run("chat", "hi", profiles="budget = { month = 1 }\n" + table)
        ran = easyllm.run("doctor", "--json")
    (check,) = [check for check in ran.json["checks"] if check["name"] == "budget"]
    assert (check["ok"], check["message"]) == (
        True,
        "profile t: 0.06 of 0.15 USD are spent today, 0.09 left; "
        "all profiles: 0.06 of 1.00 USD are spent this month, 0.94 left",
    )
