"""Exit codes after Ctrl-C, SIGTERM, a broken pipe and a full disk."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.binary import (
    Easyllm,
    RunResult,
    finish,
    read_until,
    run_concurrently,
    single_profile_toml,
    wait_until,
)
from tests.support.standins.script import Script, Wait, chunk, script_handler
from tests.support.standins.server import Reply, Request, StandIn

TOKENS = (chunk("one "), chunk("two "), chunk("three "))
SLOW = Script(*TOKENS, Wait(30))
SILENT = Script(Wait(30))
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_fault_48_and_49_before_the_first_token(
    easyllm: Easyllm, sent: signal.Signals, code: int
) -> None:
    with (
        StandIn(script_handler(SILENT)) as server,
        easyllm.start("chat", "hi", profiles=single_profile_toml(server)) as child,
    ):
        wait_until(lambda: server.requests and server.requests[0].body)
        time.sleep(0.1)
        child.send_signal(sent)
        ran = finish(child, None, 5)
    assert (ran.code, ran.stdout) == (code, b"")
    assert ran.error_line


def interrupt_at_stdin(easyllm: Easyllm, *json: str) -> RunResult:
    """Interrupt a run that waits for a silent pipe on stdin."""
    reader, writer = os.pipe()
    with easyllm.start(
        "chat", *json, "hi", profiles=single_profile_toml(NOWHERE), stdin=reader
    ) as child:
        assert b"waiting for stdin" in read_until(child.stderr, b"\n")
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, 5)
    os.close(reader)
    os.close(writer)
    return ran


def test_ctrl_c_while_waiting_for_stdin(easyllm: Easyllm) -> None:
    plain, json = run_concurrently(
        lambda: interrupt_at_stdin(easyllm.with_new_home()),
        lambda: interrupt_at_stdin(easyllm.with_new_home(), "--json"),
    )
    assert (plain.code, json.code) == (130, 130)
    assert plain.error_line == json.error_line == "easyllm: interrupted"
    assert json.json["error"]["kind"] == "interrupted"


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["plain", "json"])
def test_ctrl_c_while_waiting_for_models(easyllm: Easyllm, json: tuple[str, ...]) -> None:
    with StandIn(script_handler(SILENT)) as server:
        child = easyllm.start("models", *json, profiles=single_profile_toml(server))
        wait_until(lambda: server.requests)
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, 5)
    assert ran.code == 130
    assert ran.error_line == "easyllm: interrupted"
    assert not json or ran.json["error"]["kind"] == "interrupted"


def test_sigterm_while_waiting_for_stdin(easyllm: Easyllm) -> None:
    with easyllm.start("chat", "hi", profiles=single_profile_toml(NOWHERE), stdin=-1) as child:
        time.sleep(1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) in {143, -signal.SIGTERM}, "a shell sees 143 either way"


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_signal_between_two_attempts(easyllm: Easyllm, command: str) -> None:
    with StandIn(script_handler(Script(b"{}", status=503))) as server:
        profiles = single_profile_toml(server, initial_retry_delay=30)
        with easyllm.start(command, "hi", profiles=profiles) as child:
            assert b"next try" in read_until(child.stderr, b"\n")
            child.send_signal(signal.SIGINT)
            ran = finish(child, None, 5)
    assert (ran.code, ran.stdout) == (130, b"")


@pytest.mark.parametrize(
    "args", [("chat",), ("stream",), ("chat", "--json"), ("stream", "--jsonl")]
)
def test_fault_50_closed_pipe(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    with StandIn(script_handler(Script(*TOKENS, chunk(finish="stop")))) as server:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            ran = easyllm.run(*args, "hi", profiles=single_profile_toml(server), stdout=writer)
        finally:
            os.close(writer)
    assert ran.code == 141
    assert ran.stderr == ""


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("models",)], ids=str)
def test_fault_50_closed_pipe_without_an_answer(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    rows = {"data": [{"id": "m" * 100 + str(number)} for number in range(2000)]}

    async def listed(request: Request, reply: Reply) -> None:
        await reply.json(rows)

    with StandIn(listed) as server:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            ran = easyllm.run(*args, profiles=single_profile_toml(server), stdout=writer)
        finally:
            os.close(writer)
    assert ran.code == 141
    assert ran.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_fault_53_full_disk(easyllm: Easyllm) -> None:
    answer = Script(*TOKENS, chunk(finish="stop"))
    lists = [("chat",), ("stream",), ("chat", "--json"), ("stream", "--jsonl"), ("models",)]
    with StandIn(script_handler(answer)) as server, open("/dev/full", "wb", buffering=0) as full:

        async def handler(request: Request, reply: Reply) -> None:
            await reply.json({"data": [{"id": "m"}]})

        with StandIn(handler) as lister:
            rans = run_concurrently(*[
                lambda args=args: easyllm.with_new_home().run(
                    *args, *(["hi"] if args[0] != "models" else []), stdout=full,
                    profiles=single_profile_toml(lister if args[0] == "models" else server),
                )
                for args in lists
            ])  # fmt: skip
    for ran, args in zip(rans, lists, strict=True):
        assert ran.code == 8, (args, ran)
        assert "cannot write to stdout" in ran.stderr
        assert "make room" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert rans[0].error_line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("args", [("--help",), ("--version",), ("chat", "-h")], ids=str)
def test_fault_53_full_disk_without_an_answer(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        ran = easyllm.run(*args, stdout=full)
    assert ran.code == 8
    assert "Traceback" not in ran.stderr


def test_broken_stderr_does_not_fail_the_run(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(*TOKENS, chunk(finish="stop")))) as server:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            ran = easyllm.run(
                "chat", "-v", "-u", "hi", profiles=single_profile_toml(server), stderr=writer
            )
        finally:
            os.close(writer)
    assert (ran.code, ran.stdout) == (0, b"one two three \n")
