"""`easyllm compare`: answers of several profiles at once, exit codes, JSON and what is kept."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    profile_toml,
    wait_until,
)
from tests.support.objects import check_error_reported, validate_against_schema
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import (
    DONE,
    Script,
    Wait,
    chunk,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import StandIn

GOOD = chat_answer_script("Hello **you**", reasoning="Hm", then=(usage_chunk(3, 9), DONE))
OTHER = chat_answer_script("Hi | there", then=(usage_chunk(3, 2), DONE))
CUT = Script(chunk("Hel"))
BUSY = Script(b'{"error":{"message":"no"}}', status=429, headers={"retry-after": "3600"})
DENIED = Script(b'{"error":{"message":"no"}}', status=403)
LONG = chat_answer_script("x" * 200_000)
PRICE = {"input": 1.0, "output": 2.0}


@contextmanager
def serving(easyllm: Easyllm, **scripts: Script) -> Iterator[dict[str, StandIn]]:
    """A stand-in for each script, and a profile of the same name."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(StandIn(script_handler(script)))
            for name, script in scripts.items()
        }
        easyllm.write_profiles(
            "\n".join(
                profile_toml(server, name=name, model=f"{name}-model", price=PRICE, max_retries=0)
                for name, server in servers.items()
            )
        )
        yield servers


def compare(easyllm: Easyllm, *args: str, **more: Any) -> RunResult:
    return easyllm.run("compare", *args, "hi", **more)


def parse_comparison_json(ran: RunResult) -> list[Any]:
    """The results of --json, after checking the object's shape."""
    comparison = ran.json
    validate_against_schema(comparison, "comparison")
    assert list(comparison) == ["version", "ok", "results", "error"]
    check_error_reported(comparison, ran)
    results: list[Any] = comparison["results"]
    return results


def without_times(answer: Any) -> Any:
    return {key: answer[key] for key in answer if key not in ("id", "ms", "ms_first_token")}


def test_speed_3_results_equal_single_answers(easyllm: Easyllm) -> None:
    with serving(easyllm, a=GOOD, b=CUT, c=BUSY):
        ran = compare(easyllm, "-p", "a", "-p", "b", "-p", "c:other", "--json", stdin="")
        singles = [
            easyllm.run("chat", "-p", name, "--json", "hi", stdin="").json
            for name in ("a", "b", "c:other")
        ]
    results = parse_comparison_json(ran)
    assert list(map(without_times, results)) == list(map(without_times, singles))
    assert [list(each) for each in results] == [list(each) for each in singles]
    assert (results[0]["reasoning"], results[0]["cost_usd"]) == ("Hm", 21e-6)
    assert results[0]["notes"] == [
        "stdin was empty: only the prompt is sent (-n: do not read stdin)"
    ]
    assert 0 <= results[0]["ms_first_token"] <= results[0]["ms"] < 20_000
    assert (ran.code, ran.json["error"]["kind"]) == (9, "some_failed")
    assert ran.stderr.count("stdin was empty") == 1


def test_a_pipe_gets_a_markdown_document(easyllm: Easyllm) -> None:
    with serving(easyllm, a=GOOD, b=OTHER, c=CUT) as servers:
        ran = compare(easyllm, "-p", "b", "-p", "a", "-p", "c", "-p", "a")
        assert len(servers["a"].requests) == 2
    text = ran.stdout.decode()
    answers, table = text.split("\n\n| ")
    assert answers.startswith(
        "## b (b-model)\n\nHi | there\n\n## a (a-model)\n\nHello **you**\n\n"
        "## c (c-model)\n\nHel\n\n*incomplete: the answer "
    )
    assert answers.endswith("*\n\n## a #2 (a-model)\n\nHello **you**")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert rows[0][1:] == ["model", "first token", "total", "tokens/s", "tokens", "cost", "finish"]
    assert [row[0] for row in rows[2:]] == ["b", "a", "c", "a #2"]
    assert rows[2][5:] == ["2", "$0.000007", "stop"]
    assert rows[4] == ["c", "c-model", "", "", "", "", "", "failed: incomplete"]
    assert len({len(line) for line in text.splitlines()[-6:]}) == 1
    assert re.fullmatch(r"\d+\.\d\d s", rows[3][2])
    assert ran.code == 9
    assert "Hm" not in text + ran.stderr
    lines = ran.stderr.splitlines()
    assert lines[0].startswith("easyllm: the answer ")
    assert "profile c" in lines[0]
    assert lines[1:] == ["easyllm: 1 of 4 answers failed (c)"]


@pytest.mark.parametrize(
    ("scripts", "code"),
    [
        ({"a": GOOD, "b": OTHER}, 0),
        ({"a": GOOD, "b": BUSY}, 9),
        ({"a": CUT, "b": GOOD}, 9),
        ({"a": BUSY, "b": BUSY}, 5),
        ({"a": BUSY, "b": DENIED}, 9),
        ({"a": CUT, "b": CUT}, 7),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else str(each),
)
def test_exit_codes(easyllm: Easyllm, scripts: dict[str, Script], code: int) -> None:
    with serving(easyllm, **scripts):
        ran = compare(easyllm, "-p", "a", "-p", "b", "--json")
    results = parse_comparison_json(ran)
    assert (ran.code, len(results)) == (code, 2)
    failed = [each for each in results if each["error"]]
    assert len(ran.stderr.splitlines()) == len(failed) + (code > 0)


def test_nothing_is_printed_where_no_text_came(easyllm: Easyllm) -> None:
    with serving(easyllm, a=BUSY, b=DENIED):
        ran = compare(easyllm, "-p", "a", "-p", "b")
    assert (ran.code, ran.stdout) == (9, b"")
    assert ran.stderr.splitlines()[-1] == "easyllm: 2 of 2 answers failed (a, b)"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("-p", "a", "-p", "absent"), 'no profile "absent"'),
        (("-p", "a", "-p", "b", "--cache", "soon"), 'cache = "soon" is no length of time'),
        (("-p", "a"), "-p names a alone: add another -p; two models of one profile: -p a:MODEL"),
        ((), "compare needs two profiles or more: add another -p"),
        (("-p", "a", "-p", "b", "-r", "0"), "0"),
        (("-p", "a", "-p", "b", "--schema", "absent.json"), "cannot read the schema"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_a_mistake_sends_nothing(easyllm: Easyllm, args: tuple[str, ...], says: str) -> None:
    with serving(easyllm, a=GOOD, b=GOOD) as servers:
        ran = compare(easyllm, *args, "--json")
        assert not [server.requests for server in servers.values() if server.requests]
    assert parse_comparison_json(ran) == []
    assert (ran.code, says in ran.error_line) == (2, True), ran.stderr


def test_all_are_asked_at_once(easyllm: Easyllm) -> None:
    """Each server answers only when both were asked."""
    asked = asyncio.Event()
    count = 0

    async def answer(request: Request, reply: Reply) -> None:
        nonlocal count
        count += 1
        if count == 2:
            asked.set()
        await asyncio.wait_for(asked.wait(), 10)
        await GOOD.play(reply)

    with StandIn(answer) as server:
        profiles = profile_toml(server, name="a") + profile_toml(server, name="b")
        ran = compare(easyllm, "-p", "a", "-p", "b", profiles=profiles)
    assert ran.code == 0, ran.stderr


def test_only_named_profiles_and_one_model_for_all(easyllm: Easyllm) -> None:
    with StandIn(script_handler(BUSY)) as busy, StandIn(script_handler(GOOD)) as good:
        profiles = profile_toml(busy, name="a", fallback=["b"]) + profile_toml(good, name="b")
        ran = compare(
            easyllm, "-p", "a", "-p", "b", "-m", "big", "-s", "Be brief.", "-t", "0",
            profiles=profiles,
        )  # fmt: skip
        bodies = [request.json for server in (busy, good) for request in server.requests]
    assert (ran.code, len(bodies)) == (9, 2)
    assert [(body["model"], body["temperature"]) for body in bodies] == [("big", 0)] * 2
    assert bodies[0]["messages"] == bodies[1]["messages"]
    assert bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_repeating_asks_in_rounds(easyllm: Easyllm) -> None:
    failing_once = script_handler(CUT, OTHER)
    with StandIn(script_handler(GOOD)) as good, StandIn(failing_once) as unsteady:
        profiles = "".join(
            profile_toml(server, name=name, max_retries=0)
            for name, server in (("a", good), ("b", unsteady))
        )
        args = ("-p", "a", "-p", "b", "-r", "3")
        ran = compare(easyllm, *args, profiles=profiles)
        results = parse_comparison_json(compare(easyllm, *args, "--json", profiles=profiles))
        assert len(good.requests) == len(unsteady.requests) == 6
    assert [each["profile"] for each in results] == ["a"] * 3 + ["b"] * 3
    text = ran.stdout.decode()
    assert (ran.code, text.count("## "), "Hel\n" in text) == (9, 2, False)
    assert text.splitlines()[-2].endswith("| 3 × stop                         |")
    assert "2 × stop, 1 × failed: incomplete" in text.splitlines()[-1]
    assert ran.stderr.splitlines()[-1] == "easyllm: 1 of 6 answers failed (b)"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_what_is_complete_is_printed_after_a_signal(easyllm: Easyllm, sent: signal.Signals) -> None:
    slow = Script(chunk("Slow"), Wait(30))
    with serving(easyllm, a=slow, b=GOOD) as servers:
        with easyllm.start("compare", "-p", "a", "-p", "b", "hi") as child:
            wait_until(lambda: servers["a"].requests and servers["b"].requests)
            time.sleep(0.5)  # for the answers to arrive
            child.send_signal(sent)
            ran = finish(child, None, 5)
        wait_until(lambda: not servers["a"].connections)
    text = ran.stdout.decode()
    assert ran.code == (130 if sent == signal.SIGINT else 143)
    assert "## a (a-model)\n\nSlow\n\n*incomplete: " in text
    assert "## b (b-model)\n\nHello **you**\n" in text
    assert len(ran.stderr.splitlines()) == 1


def test_timeout(easyllm: Easyllm) -> None:
    with serving(easyllm, a=Script(chunk("Slow"), Wait(30)), b=GOOD, c=Script(Wait(30))):
        ran = compare(easyllm, *("-p", "a", "-p", "b", "-p", "c"), "--json", "--timeout", "1")
    results = parse_comparison_json(ran)
    kinds = [each["error"] and each["error"]["kind"] for each in results]
    assert (ran.code, kinds) == (9, ["incomplete", None, "timeout"])
    assert [each["text"] for each in results] == ["Slow", "Hello **you**", ""]


def test_closed_pipe_and_full_disk(easyllm: Easyllm) -> None:
    """The answers are kept in the history, and where they cannot be printed in a file."""
    with serving(easyllm, a=LONG, b=GOOD):
        reader, writer = os.pipe()
        os.close(reader)
        args = ("-p", "a", "-p", "b", "hi")
        env = {"EASYLLM_HISTORY": "metadata"}
        try:
            closed = easyllm.run("compare", *args, env=env, stdout=writer)
        finally:
            os.close(writer)
        rows = easyllm.run("history", "--json").json["calls"]
        with open("/dev/full", "wb") as full:
            plain, as_json = [
                easyllm.run("compare", *form, *args, stdout=full) for form in ((), ("--json",))
            ]
    assert (closed.code, closed.stderr) == (141, "")
    assert [(row["command"], row["profile"], row["exit_code"]) for row in rows] == [
        ("compare", "b", 0), ("compare", "a", 0),
    ]  # fmt: skip
    assert (plain.code, as_json.code, len(easyllm.partials())) == (8, 8, 2)
    for path, ran in zip(easyllm.partials(), (plain, as_json), strict=True):
        assert str(path) in ran.error_line
        assert path.read_text().startswith("## a (a-model)\n\nxxx")
        assert "## b (b-model)\n\nHello **you**\n" in path.read_text()


def test_recordings_and_cache(easyllm: Easyllm) -> None:
    both = ("-p", "a", "-p", "b")
    with serving(easyllm, a=GOOD, b=CUT):
        recorded = compare(easyllm, *both, "--json", "--record", "r.jsonl")
        cached = [compare(easyllm, *both, "--cache", "1h") for _ in range(2)]
    replayed = compare(easyllm, *both, "--json", "--replay", "r.jsonl")
    assert recorded.code == replayed.code == 9
    first, second = map(parse_comparison_json, (recorded, replayed))
    for key in ("text", "reasoning", "usage", "finish_reason", "complete"):
        assert [each[key] for each in first] == [each[key] for each in second]
    assert [each["replayed"]["from"] for each in second] == ["file", "file"]
    row = cached[1].stdout.decode().splitlines()[-2]
    assert re.sub(" +", " ", row) == "| a | a-model | 9 | $0.00 | stop (cache) |"
    assert "easyllm: a: from the cache" not in cached[0].stderr


def test_conversation_goes_on_with_the_last_answer(easyllm: Easyllm) -> None:
    env = {"EASYLLM_HISTORY": "full"}
    with serving(easyllm, a=GOOD, b=OTHER) as servers:
        results = parse_comparison_json(compare(easyllm, "-p", "a", "-p", "b", "--json", env=env))
        assert [each["conversation"] for each in results] == [each["id"] for each in results]
        ran = easyllm.run("chat", "--conversation", "last", "more", env=env)
        assert ran.code == 0, ran.stderr
        assert [each["content"] for each in servers["b"].requests[-1].json["messages"]] == [
            "hi", "Hi | there", "more",
        ]  # fmt: skip


def test_schema_limit_and_strict(easyllm: Easyllm) -> None:
    fenced = chat_answer_script('```json\n{"n": 1}\n```')
    with serving(easyllm, a=fenced, b=chat_answer_script("no")):
        (easyllm.home / "s.json").write_text('{"type": "object"}')
        ran = compare(easyllm, "-p", "a", "-p", "b", "--schema", "s.json")
        assert ran.code == 9
        assert '## a (a-model)\n\n{"n": 1}\n\n' in ran.stdout.decode()
        assert "\n\nno\n\n*failed: " in ran.stdout.decode()
    with serving(easyllm, a=chat_answer_script("cut", finish="length"), b=GOOD):
        ran = compare(easyllm, "-p", "a", "-p", "b", "--max-tokens", "2")
        assert (ran.code, "cut\n\n*incomplete: " in ran.stdout.decode()) == (0, True)
        assert ran.stderr.startswith("easyllm: a: the answer was cut at the token limit")
        ran = compare(easyllm, "-p", "a", "-p", "b")
        assert ran.code == 9
    with StandIn(script_handler(GOOD)) as server:
        profiles = profile_toml(server, name="a", strict=True) + profile_toml(server, name="b")
        ran = compare(easyllm, "-p", "a", "-p", "b", profiles=profiles, stdin="")
    assert (ran.code, ran.stdout.count(b"Hello")) == (2, 2)
    assert ran.error_line == "easyllm: stdin is empty: use -n if nothing is to be read"


def test_an_error_names_the_model_where_the_profile_is_named_twice(easyllm: Easyllm) -> None:
    with serving(easyllm, a=BUSY):
        ran = compare(easyllm, "-p", "a:one", "-p", "a:two")
    first, second, last = ran.stderr.splitlines()
    assert ("(HTTP 429, a:one, profile a, " in first, "a:two, profile a" in second) == (True, True)
    assert last == "easyllm: all 2 answers failed: try again later"
    assert ran.code == 5


def test_no_key_is_printed(easyllm: Easyllm) -> None:
    """Not of an error, not of a model's name that the server sends."""
    key = "sk-compare-0123456789abcdef"
    refusal = json.dumps({"error": {"message": f"wrong key {key}"}}).encode()
    named = Script(chunk("Hi", model=key), chunk(finish="stop", model=key), DONE)
    with (
        StandIn(script_handler(Script(refusal, status=401))) as a,
        StandIn(script_handler(named)) as b,
    ):
        profiles = "".join(
            profile_toml(server, name=name, api_key_env="KEY", allow_http=True)
            for name, server in (("a", a), ("b", b))
        )
        for form in ((), ("--json",), ("--color", "always"), ("-v",)):
            args = ("-p", "a", "-p", "b", *form)
            ran = compare(easyllm, *args, profiles=profiles, env={"KEY": key})
            assert (ran.code, "Hi" in ran.stdout.decode()) == (9, True), ran.stderr
            assert key not in ran.stdout.decode() + ran.stderr
