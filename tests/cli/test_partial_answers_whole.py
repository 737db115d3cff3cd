"""Answers are output once and whole: retries, pipes, limits, `-x`, full disks, parallel runs."""

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


def run_scripts(
    easyllm: Easyllm, *scripts: Script, args: tuple[str, ...], **keys: Any
) -> RunResult:
    """Run against a server of its own that plays the scripts."""
    with StandIn(script_handler(*scripts)) as server:
        return easyllm.run(*args, "hi", profiles=single_profile_toml(server, **keys))


def partial_texts(easyllm: Easyllm) -> list[str]:
    return [path.read_text() for path in easyllm.partials()]


def parse_strict(out: bytes) -> Any:
    """Parse strict JSON, which has no NaN."""

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    return json.loads(out, parse_constant=refuse)


def test_longest_attempt_is_output(easyllm: Easyllm) -> None:
    plain, partial, whole = (easyllm.with_new_home() for _ in range(3))
    first, second, third = run_concurrently(
        lambda: run_scripts(plain, *TWICE_CUT, args=("chat",)),
        lambda: run_scripts(partial, *TWICE_CUT, args=("chat", "--partial")),
        lambda: run_scripts(whole, *TWICE_CUT, args=("chat", "--json")),
    )
    assert (first.code, first.stdout, partial_texts(plain)) == (7, b"", [LONG])
    assert (second.code, second.stdout) == (7, f"{LONG}\n".encode())
    assert (third.code, third.json["text"], third.json["ok"]) == (7, LONG, False)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_while_stdout_is_blocked(easyllm: Easyllm, sent: signal.Signals, code: int) -> None:
    reader, writer = os.pipe()
    with StandIn(script_handler(chat_answer_script(*["x" * 4000] * 100))) as server:
        child = easyllm.start("stream", "hi", profiles=single_profile_toml(server), stdout=writer)
        time.sleep(1.5)
        assert child.poll() is None, "the command is blocked by the full pipe"
        child.send_signal(sent)
        ran = finish(child, None, 3)
    os.close(writer)
    os.close(reader)
    assert ran.code == code, ran.stderr
    assert "Traceback" not in ran.stderr


def test_timeout_while_waiting_for_stdin(easyllm: Easyllm) -> None:
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


def test_total_timeout_is_not_retried(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(Wait(5)))) as server:
        profiles = single_profile_toml(server, timeout={"total": 1}, max_retries=3)
        ran = easyllm.run("chat", "hi", profiles=profiles)
        assert (ran.code, ran.stdout, len(server.requests)) == (6, b"", 1)


def test_code_in_json(easyllm: Easyllm) -> None:
    good = run_scripts(easyllm, CODE, args=("chat", "-x", "--json"))
    no_code = run_scripts(easyllm, chat_answer_script("no code"), args=("chat", "-x", "--json"))
    lines = run_scripts(easyllm, CODE, args=("chat", "-x", "--jsonl"))
    assert (good.code, good.json["text"].rstrip("\n"), good.json["ok"]) == (0, "ls -l", True)
    assert (no_code.code, no_code.json["ok"], no_code.json["error"]["exit_code"]) == (7, False, 7)
    assert lines.code == 2


@pytest.mark.parametrize("args", [("chat",), ("stream",), ("chat", "--json")], ids=" ".join)
def test_surrogates_in_two_chunks(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    first = chunk("hi ?").replace(b"?", b"\\ud83d")
    second = chunk("?!").replace(b"?", b"\\ude00")
    ran = run_scripts(easyllm, Script(first, second, chunk(finish="stop"), DONE), args=args)
    assert (ran.code, ran.stderr) == (0, "")
    text = ran.json["text"] if "--json" in args else ran.stdout.decode().removesuffix("\n")
    assert text == "hi 😀!"


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1.0])
def test_cost_that_is_no_amount(easyllm: Easyllm, cost: float) -> None:
    script = chat_answer_script("Hello", then=(usage_chunk(1, 1, cost=cost), DONE))
    ran = run_scripts(easyllm, script, args=("chat", "--json"))
    assert ran.code == 0, ran.stderr
    assert parse_strict(ran.stdout)["cost_source"] == "local"  # the server's figure is no figure
    lines = run_scripts(easyllm, script, args=("chat", "--jsonl"))
    assert [parse_strict(line) for line in lines.stdout.splitlines()]


@pytest.mark.parametrize("value", ["1e999", "NaN", '{"b": -1e999}'])
def test_option_value_that_is_not_json(easyllm: Easyllm, value: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        ran = easyllm.run("chat", "-o", f"a={value}", "hi", profiles=single_profile_toml(server))
        bodies = [request.body for request in server.requests]
    assert ran.code == (0 if value == "NaN" else 2), ran.stdout
    for body in bodies:
        assert parse_strict(body)["a"] == "NaN", "sent as text"


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
    assert (ran.code, partial_texts(easyllm)) == (8, ["The answer"]), ran.stderr
    assert str(easyllm.partials()[0]) in ran.stderr


@pytest.mark.usefixtures("repeated")
def test_many_runs_at_once(easyllm: Easyllm) -> None:
    """They share a new home and a server, and leave no files."""
    with StandIn(script_handler(chat_answer_script("The ", "answer"))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        rans = run_concurrently(*[lambda: easyllm.run("chat", "hi", timeout=60)] * 24)
        assert len(server.requests) == 24
    assert {(ran.code, ran.stdout, ran.stderr) for ran in rans} == {(0, b"The answer\n", "")}
    left = [path for path in easyllm.home.rglob("*") if path.is_file()]
    assert left == [easyllm.config]


@pytest.mark.usefixtures("repeated")
def test_many_failing_runs_at_once(easyllm: Easyllm) -> None:
    """More than the 20 partial answers that are kept."""
    with StandIn(script_handler(Script(chunk(LONG), Cut()))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        rans = run_concurrently(*[lambda: easyllm.run("chat", "--no-retry", "hi", timeout=60)] * 28)
    assert {(ran.code, ran.stdout) for ran in rans} == {(7, b"")}
    assert not [ran.stderr for ran in rans if "could not be kept" in ran.stderr]
    assert partial_texts(easyllm) == [LONG] * 20
