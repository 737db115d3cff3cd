"""`--max-cost`, the setting `budget` and what `usage` says about it."""

import subprocess
from signal import SIGKILL

import pytest

from easyllm_cli.dollars import BILLION
from easyllm_cli.limits.budget import ALL_PROFILES, open_ledger
from tests.support.binary import Easyllm, single_profile_toml
from tests.support.objects import parse_answer_json, parse_usage_json
from tests.support.standins.script import DONE, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import Reply, Request, StandIn

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
    batch = ["batch", "in.jsonl", "out.jsonl"]
    for command in (["chat", "-p", "openai:m", "hi"], batch):
        for amount in ("nan", "inf", "1e400", "-inf", "-0.01", "x"):
            ran = easyllm.run(*command, "--max-cost", amount)
            assert (ran.code, ran.stdout) == (2, b"")
            assert "--max-cost" in ran.error_line


class Killer:
    """Answers commands whose prompt is a number, and kills the first ones instead.

    `killed`: how many. A command is killed when its request has arrived.
    """

    def __init__(self, killed: int) -> None:
        self.killed = killed
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    async def handle(self, request: Request, reply: Reply) -> None:
        number = int(request.json["messages"][-1]["content"])
        if number < self.killed:
            while number not in self.processes:
                await reply.sleep(0.01)
            self.processes[number].kill()
            await reply.cut()
        else:
            await ANSWER.play(reply)


@pytest.mark.parametrize(
    ("count", "killed", "dollars"),
    [
        (6, 2, 0.35), pytest.param(20, 0, 0.7, marks=pytest.mark.full),
        pytest.param(20, 5, 0.7, marks=pytest.mark.full),
        pytest.param(20, 20, 0.7, marks=pytest.mark.full),
    ],
)  # fmt: skip
def test_budget_1_and_2_commands_at_once_never_spend_more(
    easyllm: Easyllm, monkeypatch: pytest.MonkeyPatch, count: int, killed: int, dollars: float
) -> None:
    """Each request may cost 0.10 dollars and costs 0.06."""
    killer = Killer(killed)
    with StandIn(killer.handle) as server:
        table = single_profile_toml(server, price=PRICE, max_tokens=100, max_retries=0)
        easyllm.write_profiles(f"budget = {{ day = {dollars} }}\n{table}")
        for number in range(count):
            killer.processes[number] = easyllm.start(
                "chat", "-n", str(number), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        codes = [process.wait(30) for process in killer.processes.values()]
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    ledger = open_ledger(ALL_PROFILES, {"day": dollars})
    sent, dead, balance = len(server.requests), codes.count(-SIGKILL), ledger.balance("day")
    assert (codes.count(0), codes.count(3)) == (sent - dead, count - sent)
    assert balance == (6 * (sent - dead) * BILLION // 100, dead * BILLION // 10)
    assert balance.used <= ledger.limits["day"]
    assert sent >= int(dollars * 10)


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
