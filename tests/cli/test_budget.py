"""`--max-cost`, the setting `budget` and what `usage` says about it."""

from tests.support.binary import Easyllm, single_profile_toml
from tests.support.objects import parse_answer_json
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
        "easyllm: budget of profile t: 0.06 of 0.15 USD are used today, 0.09 left"
    )


def test_max_cost(easyllm: Easyllm) -> None:
    with StandIn(script_handler(ANSWER)) as server:
        profiles = single_profile_toml(server, price=PRICE)
        ran = easyllm.run("chat", "--max-cost", "0.2", "hi", profiles=profiles)
        refused = easyllm.run("chat", "--max-cost", "0.01", "--max-tokens", "100", "hi")
    assert ran.code == 0
    assert server.requests[0].json["max_tokens"] == 199
    assert refused.code == 3
    assert "(--max-cost)" in refused.error_line
    assert len(server.requests) == 1


def test_an_amount_that_is_no_number_of_dollars_is_a_usage_error(easyllm: Easyllm) -> None:
    for amount in ("nan", "inf", "1e400", "-inf", "-0.01", "x"):
        ran = easyllm.run("chat", "--max-cost", amount, "-p", "openai:m", "hi")
        assert (ran.code, ran.stdout) == (2, b"")
        assert "--max-cost" in ran.error_line
