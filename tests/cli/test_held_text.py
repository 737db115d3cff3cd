"""Tests text that is held back until it is known whether it is reasoning.

It is never lost, and timeouts and size limits apply to it.
"""

import signal
import time
from typing import Any

from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    read_until,
    single_profile_toml,
)
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn

TEXT = "some held text"
SLOW = Script(chunk("some "), chunk("held text"), Wait(15), chunk(finish="stop"), DONE)
QUOTING = "The user asks about the `<think>` tag. I plan.\n</think>\n\nAnswer"


def run_cot(easyllm: Easyllm, script: Script, *args: str, **keys: Any) -> tuple[RunResult, float]:
    """One run of `cot`: its result and its seconds."""
    with StandIn(script_handler(script)) as server:
        began = time.monotonic()
        ran = easyllm.run("cot", *args, "hi", profiles=single_profile_toml(server, **keys))
        return ran, time.monotonic() - began


def partial_answer(easyllm: Easyllm) -> str:
    """The text of the only partial answer."""
    (path,) = easyllm.partials()
    return path.read_text()


def test_ctrl_c(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(SLOW)) as server,
        easyllm.start("cot", "-v", "hi", profiles=single_profile_toml(server)) as child,
    ):
        read_until(child.stderr, b"\n")
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, 5)
    assert (ran.code, ran.stdout) == (130, b"")
    assert partial_answer(easyllm) == TEXT


def test_timeout(easyllm: Easyllm) -> None:
    ran, took = run_cot(easyllm, SLOW, "--timeout", "1.5")
    assert (ran.code, ran.stdout) == (7, b"")
    assert took < 5
    assert partial_answer(easyllm) == TEXT


def test_max_output_bytes(easyllm: Easyllm) -> None:
    slow = [step for _ in range(100) for step in (chunk("ten bytes "), Wait(0.05))]
    script = Script(*slow, Wait(10), chunk(finish="stop"), DONE)
    ran, took = run_cot(easyllm, script, "--max-output-bytes", "100")
    assert (ran.code, ran.stdout) == (7, b""), ran.stderr
    assert took < 5, "long before the server ends"
    assert partial_answer(easyllm).startswith("ten bytes ")


def test_reasoning_that_quotes_an_opener(easyllm: Easyllm) -> None:
    for script in (chat_answer_script(QUOTING), chat_answer_script(*QUOTING)):
        ran, _ = run_cot(easyllm, script)
        assert (ran.code, ran.stdout) == (0, b"Answer\n"), ran.stderr
        assert "The user asks about the `<think>` tag. I plan." in ran.stderr
        assert "Answer" not in ran.stderr


def test_implicit_tags_where_the_server_separates_reasoning(easyllm: Easyllm) -> None:
    script = chat_answer_script("The ", "answer", reasoning="Hm")
    ran, _ = run_cot(easyllm, script, reasoning_tags="implicit")
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"The answer\n", "Hm\n")


def test_think_overrides_the_profile(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://127.0.0.1:9", "ollama", reasoning="off")
    ran = easyllm.run("chat", "--think", "--dry-run", "hi", profiles=profiles)
    off = easyllm.run("chat", "--dry-run", "hi")
    assert (ran.code, off.code) == (0, 0), ran.stderr
    assert ran.json["body"]["think"] is True
    assert off.json["body"]["think"] is False
