"""Who is asked first and who next: the same question and facts give the same choice."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli import history
from easyllm_cli.config.model_list_cache import save_model_facts
from easyllm_cli.config.profile import Profile
from easyllm_cli.config.settings import TASKS
from easyllm_cli.errors import ConfigError
from easyllm_cli.events import Model
from easyllm_cli.history.record import CallContext, record_from_call
from easyllm_cli.images import Image
from easyllm_cli.routing import Route
from easyllm_cli.routing.facts import Facts
from easyllm_cli.routing.needs import Needs
from easyllm_cli.routing.ranking import Row, rank_rows
from easyllm_cli.routing.speeds import measure_answer_seconds
from tests.support.history import finished_call
from tests.support.images import png
from tests.support.routing.candidates import auto_profile, candidate, choose, question, table

CODE = question("Write a Python function that reverses a list.")
THREE = [candidate("a"), candidate("b"), candidate("c")]


def names(route: Route) -> list[str]:
    return [row.name for row in route.rows if row.ok]


def priced(name: str, dollars: float) -> Profile:
    price = {"input": dollars, "output": dollars}
    return candidate(name, "groq", endpoint="https://llm.example.com/v1", price=price)


def test_users_order_and_strong() -> None:
    assert names(choose(THREE)) == ["a", "b", "c"]
    assert names(choose(THREE, CODE, strong={"code": "c"})) == ["c", "a", "b"]
    assert names(choose(THREE, question("hi"), strong={"code": "c"})) == ["a", "b", "c"]
    assert names(choose(THREE, question("hi"), strong={"chat": "b"})) == ["b", "a", "c"]


def test_strong_beats_prefer_and_what_is_dropped_beats_strong() -> None:
    cheap, dear = priced("cheap", 1), priced("dear", 9)
    assert names(choose([dear, cheap], prefer="cheap")) == ["cheap", "dear"]
    strong = {"code": "dear"}
    assert names(choose([dear, cheap], CODE, prefer="cheap", strong=strong)) == ["dear", "cheap"]
    locked = dear.replace_set(api_key_env="ABSENT")
    assert names(choose([locked, cheap], CODE, strong=strong)) == ["cheap"]


def test_cheap_compares_estimates_and_unknown_comes_last() -> None:
    unknown = candidate("unknown", "groq", endpoint="https://llm.example.com/v1")
    profiles = [unknown, priced("two", 2), priced("one", 1), candidate("free")]
    route = choose(profiles, prefer="cheap")
    assert names(route) == ["free", "unknown", "two", "one"]
    assert table(route)["free"] == "the cheapest"
    usd = {row["profile"]: row["usd"] for row in route.to_json()["table"]}
    assert usd["free"] == 0
    assert usd["unknown"] is None
    assert usd["two"] == pytest.approx(2 * usd["one"])
    assert names(choose(profiles[:3], prefer="cheap"))[0] == "one"
    # a limit below the usual length of an answer counts
    short = priced("short", 2).replace_set(max_tokens=10)
    assert names(choose([priced("one", 1), short], prefer="cheap"))[0] == "short"


def keep_answer(profile: Profile, number: int, ms_first_token: int, ms: int) -> None:
    call = finished_call(profile=profile, id=f"{number:016}")
    call._first_token = call._started + ms_first_token / 1000
    call._ended = call._started + ms / 1000
    history.save(record_from_call(call, CallContext("chat")))


def test_fast_compares_past_answers_and_unknown_is_in_the_middle() -> None:
    slow, fast, new = candidate("slow"), candidate("fast"), candidate("new")
    for number in range(3):
        keep_answer(slow, number, 2000, 5000)
        keep_answer(fast, 10 + number, 100, 1100)
    for number in range(20, 25):
        keep_answer(fast.replace_set(model="other"), number, 9000, 90_000)
    seconds = measure_answer_seconds([slow, fast, new])
    assert seconds == [pytest.approx(2 + 300 / 11, rel=0.01), pytest.approx(0.1 + 300 / 33), None]
    assert names(choose([slow, new, fast], prefer="fast"))[0] == "fast"
    assert names(choose([slow, new], prefer="fast"))[0] == "slow"  # the only known is the middle
    slower = candidate("slower")
    keep_answer(slower, 30, 9000, 20_000)
    assert names(choose([slower, slow, new], prefer="fast"))[0] in ("slow", "new")
    assert choose(THREE, prefer="fast").profiles == THREE


def test_fast_without_a_history_is_the_users_order() -> None:
    assert names(choose(THREE, prefer="fast")) == ["a", "b", "c"]


def test_known_facts_come_before_unknown_ones() -> None:
    picture = question("?", Image.of_bytes(png(1, 1, (0, 0, 0)), "a.png"))
    save_model_facts("b", "http://127.0.0.1:11434", [Model("model-of-b", vision=True)])
    assert names(choose(THREE, picture)) == ["b", "a", "c"]
    assert names(choose(THREE, picture, strong={"chat": "c"})) == ["c", "a", "b"]
    assert names(choose(THREE)) == ["a", "b", "c"]


def test_conversation_keeps_its_candidate_unless_it_is_dropped() -> None:
    assert names(choose(THREE, CODE, kept=("b", "model-of-b"), strong={"code": "c"}))[0] == "b"
    assert names(choose(THREE, kept=("gone", "x"))) == ["a", "b", "c"]
    assert names(choose(THREE, kept=("b", "another model"))) == ["a", "b", "c"]
    no_model = [candidate("a"), candidate("b", model=None)]
    assert names(choose(no_model, kept=("b", "first-installed")))[0] == "b"
    blind = candidate("blind", "openai")
    assert names(choose([*THREE, blind], kept=("blind", "model-of-blind"))) == ["a", "b", "c"]


def test_candidates_of_one_profile_differ_in_their_models() -> None:
    pair = [candidate("a", model="small"), candidate("a", model="large")]
    auto = auto_profile(*pair).replace_set(candidates=["a:small", "a:large"])
    from easyllm_cli.routing import choose_route

    route = choose_route(auto, pair, question(), kept=("a", "large"))
    assert [row.name for row in route.rows] == ["a:large", "a:small"]
    assert route.profiles[0].model == "large"


FACTS = st.builds(
    lambda **values: values,
    problem=st.sampled_from([None, None, ConfigError("no")]),
    sees=st.sampled_from([None, True, False]),
    reasons=st.sampled_from([None, True, False]),
    context=st.sampled_from([None, 10, 100_000]),
    context_source=st.sampled_from(["profile", "table"]),
    is_paused=st.booleans(),
    usd=st.sampled_from([None, 0.0, 0.1]),
    seconds=st.sampled_from([None, 1.0, 2.0]),
)
PICTURE = Image.of_bytes(png(1, 1, (0, 0, 0)), "a.png")


def rank(
    facts: list[dict[str, Any]], images: bool, task: str, prefer: str, strong: dict[str, str]
) -> list[Row]:
    needs = Needs(question("word " * 50, *[PICTURE] * images))
    rows = []
    for number, values in enumerate(facts):
        found = Facts()
        vars(found).update(values)
        rows.append(Row(f"p{number}", candidate(f"p{number}"), found, needs))
    return rank_rows(rows, task, prefer, strong)


@given(
    facts=st.lists(FACTS, min_size=2, max_size=6),
    images=st.booleans(),
    task=st.sampled_from(TASKS),
    prefer=st.sampled_from(["order", "cheap", "fast"]),
    strong=st.dictionaries(st.sampled_from(TASKS), st.sampled_from(["p0", "p1"])),
)
def test_auto_1_2_and_5_same_choice_among_the_candidates_with_a_reason_for_each(
    facts: list[dict[str, Any]], images: bool, task: str, prefer: str, strong: dict[str, str]
) -> None:
    first = rank(facts, images, task, prefer, strong)
    again = rank(facts, images, task, prefer, strong)
    assert [row.to_json() for row in first] == [row.to_json() for row in again]
    assert sorted(row.name for row in first) == sorted(f"p{n}" for n in range(len(facts)))
    assert all(row.why for row in first)
    oks = [row.ok for row in first]
    assert oks == sorted(oks, reverse=True)
    asked = [row for row in first if row.ok]
    behind = asked[1:]
    order = [(len(row.concerns), row.name) for row in behind]
    assert order == sorted(order)


def test_auto_1_the_time_of_day_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = [priced("one", 1), priced("two", 2), candidate("free")]
    first = choose(profiles, CODE, prefer="cheap").to_json()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert choose(profiles, CODE, prefer="cheap").to_json() == first
