"""What came is given out once and whole: tries, pipes, limits, `-x`, full disks, many at once."""

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    run_concurrently,
    single_profile_toml,
)
from tests.support.standins.script import (
    DONE,
    Cut,
    Script,
    Wait,
    chunk,
    script_handler,
    usage_chunk,
)
from tests.support.standins.server import StandIn

LONG = "a long piece of text"
TWICE_CUT = (Script(chunk(LONG), Cut()), Script(chunk("sh"), Cut()))
CODE = chat_answer_script("Do:\n\n```sh\nls -l\n```\n", "that is all")
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


def asked(easyllm: Easyllm, *scripts: Script, args: tuple[str, ...], **keys: Any) -> RunResult:
    """One run against a server of its own."""
    with StandIn(script_handler(*scripts)) as server:
        return easyllm.run(*args, "hi", profiles=single_profile_toml(server, **keys))


def kept(easyllm: Easyllm) -> list[str]:
    return [path.read_text() for path in easyllm.partials()]


def strict(out: bytes) -> Any:
    """One object of real JSON, which knows no NaN."""

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    return json.loads(out, parse_constant=refuse)


def test_the_longest_try_is_given_out(easyllm: Easyllm) -> None:
    plain, partial, whole = (easyllm.with_new_home() for _ in range(3))
    first, second, third = run_concurrently(
        lambda: asked(plain, *TWICE_CUT, args=("chat",)),
        lambda: asked(partial, *TWICE_CUT, args=("chat", "--partial")),
        lambda: asked(whole, *TWICE_CUT, args=("chat", "--json")),
    )
    assert (first.code, first.stdout, kept(plain)) == (7, b"", [LONG])
    assert (second.code, second.stdout) == (7, f"{LONG}\n".encode())
    assert (third.code, third.json["text"], third.json["ok"]) == (7, LONG, False)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_while_nobody_reads(easyllm: Easyllm, sent: signal.Signals, code: int) -> None:
    reader, writer = os.pipe()
    with StandIn(script_handler(chat_answer_script(*["x" * 4000] * 100))) as server:
        child = easyllm.start("stream", "hi", profiles=single_profile_toml(server), stdout=writer)
        time.sleep(1.5)
        assert child.poll() is None, "the pipe is full"
        child.send_signal(sent)
        ran = finish(child, None, 3)
    os.close(writer)
    os.close(reader)
    assert ran.code == code, ran.stderr
    assert "Traceback" not in ran.stderr


def test_timeout_while_stdin_is_awaited(easyllm: Easyllm) -> None:
    began = time.monotonic()
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        profiles = single_profile_toml(server)
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as pipe:
            ran = easyllm.run("chat", "--timeout", "1", "hi", profiles=profiles, file=pipe)
        os.close(writer)
        assert not server.requests
    assert (ran.code, ran.stdout) == (6, b"")
    assert time.monotonic() - began < 5


def test_total_is_not_tried_again(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(Wait(5)))) as server:
        profiles = single_profile_toml(server, timeout={"total": 1}, max_retries=3)
        ran = easyllm.run("chat", "hi", profiles=profiles)
        assert (ran.code, ran.stdout, len(server.requests)) == (6, b"", 1)


def test_code_in_json(easyllm: Easyllm) -> None:
    good = asked(easyllm, CODE, args=("chat", "-x", "--json"))
    none = asked(easyllm, chat_answer_script("no code"), args=("chat", "-x", "--json"))
    lines = asked(easyllm, CODE, args=("chat", "-x", "--jsonl"))
    assert (good.code, good.json["text"].rstrip("\n"), good.json["ok"]) == (0, "ls -l", True)
    assert (none.code, none.json["ok"], none.json["error"]["exit_code"]) == (7, False, 7)
    assert lines.code == 2


@pytest.mark.parametrize("args", [("chat",), ("stream",), ("chat", "--json")], ids=" ".join)
def test_surrogates_in_two_chunks(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    first = chunk("hi ?").replace(b"?", b"\\ud83d")
    second = chunk("?!").replace(b"?", b"\\ude00")
    ran = asked(easyllm, Script(first, second, chunk(finish="stop"), DONE), args=args)
    assert (ran.code, ran.stderr) == (0, "")
    text = ran.json["text"] if "--json" in args else ran.stdout.decode().removesuffix("\n")
    assert text == "hi 😀!"


@pytest.mark.parametrize("cost", [float("nan"), float("inf")])
def test_a_cost_that_is_no_number(easyllm: Easyllm, cost: float) -> None:
    script = chat_answer_script("Hello", then=(usage_chunk(1, 1, cost=cost), DONE))
    ran = asked(easyllm, script, args=("chat", "--json"))
    assert ran.code == 0, ran.stderr
    assert strict(ran.stdout)["cost_usd"] is None
    lines = asked(easyllm, script, args=("chat", "--jsonl"))
    assert [strict(line) for line in lines.stdout.splitlines()]


@pytest.mark.parametrize("value", ["1e999", "NaN", '{"b": -1e999}'])
def test_an_option_that_is_no_json(easyllm: Easyllm, value: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ran = easyllm.run("chat", "-o", f"a={value}", "hi", profiles=single_profile_toml(server))
        bodies = [request.body for request in server.requests]
    assert ran.code == (0 if value == "NaN" else 2), ran.stdout
    for body in bodies:
        assert strict(body)["a"] == "NaN", "text"


@FULL
def test_reasoning_that_cannot_be_written(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("The answer", reasoning="Hm"))) as server:
        ran = easyllm.shell("$E cot hi 2>/dev/full", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (0, b"The answer\n")


@FULL
@pytest.mark.parametrize("option", ["--json", "-q"])
def test_stdout_that_cannot_be_written(easyllm: Easyllm, option: str) -> None:
    with StandIn(script_handler(chat_answer_script("The answer"))) as server:
        ran = easyllm.shell(f"$E chat {option} hi >/dev/full", profiles=single_profile_toml(server))
    assert (ran.code, kept(easyllm)) == (8, ["The answer"]), ran.stderr
    assert str(easyllm.partials()[0]) in ran.stderr


@pytest.mark.usefixtures("repeated")
def test_fifty_at_once(easyllm: Easyllm) -> None:
    """In one fresh home, against one server; nothing is left behind."""
    with StandIn(script_handler(chat_answer_script("The ", "answer"))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        rans = run_concurrently(*[lambda: easyllm.run("chat", "hi", timeout=60)] * 50)
        assert len(server.requests) == 50
    assert {(ran.code, ran.stdout, ran.stderr) for ran in rans} == {(0, b"The answer\n", "")}
    left = [path for path in easyllm.home.rglob("*") if path.is_file()]
    assert left == [easyllm.config]


@pytest.mark.usefixtures("repeated")
def test_fifty_that_fail_at_once(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(chunk(LONG), Cut()))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        rans = run_concurrently(*[lambda: easyllm.run("chat", "--no-retry", "hi", timeout=60)] * 50)
    assert {(ran.code, ran.stdout) for ran in rans} == {(7, b"")}
    assert not [ran.stderr for ran in rans if "could not be kept" in ran.stderr]
    assert kept(easyllm) == [LONG] * 20
