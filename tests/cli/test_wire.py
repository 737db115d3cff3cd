"""Reasoning tags and closed connections through the command: stdout, stderr and exit code."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.binary import (
    Easyllm,
    chat_answer_script,
    finish,
    read_until,
    single_profile_toml,
    wait_until,
)
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler
from tests.support.standins.server import Reply, Request, StandIn

LONE_CLOSING_TAG = chat_answer_script("plan…", "</think>", "ans")


async def endless(request: Request, reply: Reply) -> None:
    """Send tokens until the client disconnects."""
    await reply.head(content_type="text/event-stream", chunked=True)
    while True:
        await reply.write(chunk("token "))
        await reply.sleep(0.01)


def test_lone_closing_tag_ends_stream_with_7_and_names_the_setting(easyllm: Easyllm) -> None:
    with StandIn(script_handler(LONE_CLOSING_TAG)) as server:
        ran = easyllm.run("stream", "hi", profiles=single_profile_toml(server))
        assert len(server.requests) == 1
    assert ran.code == 7
    assert b"think>" not in ran.stdout
    assert "reasoning_tags" in ran.error_line
    assert "implicit" in ran.error_line


@pytest.mark.parametrize("command", ["stream", "chat", "cot"])
def test_implicit_keeps_stdout_clean(easyllm: Easyllm, command: str) -> None:
    with StandIn(script_handler(LONE_CLOSING_TAG)) as server:
        profiles = single_profile_toml(server, reasoning_tags="implicit")
        ran = easyllm.run(command, "hi", profiles=profiles)
    assert (ran.code, ran.stdout) == (0, b"ans\n")


def test_chat_into_a_pipe_is_clean_without_any_setting(easyllm: Easyllm) -> None:
    with StandIn(script_handler(LONE_CLOSING_TAG)) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (0, b"ans\n")


def test_hidden_reasoning_is_reported_with_its_tokens(easyllm: Easyllm) -> None:
    with StandIn(OpenRouterServer().handle) as server:
        profiles = single_profile_toml(
            server, "openrouter", model="vendor/encrypted", api_key="k" * 8
        )
        ran = easyllm.run("cot", "hi", profiles=profiles)
    assert (ran.code, ran.stdout) == (0, b"Hello from vendor/encrypted: hi\n")
    assert "hidden (5 tokens)" in ran.stderr
    assert "gAAAA" not in ran.stderr


def test_ctrl_c_closes_the_connection_and_keeps_the_text(easyllm: Easyllm) -> None:
    slow = Script(chunk("one "), chunk("two "), Wait(30), DONE)
    with StandIn(script_handler(slow)) as server:
        with easyllm.start("stream", "hi", profiles=single_profile_toml(server)) as child:
            seen = read_until(child.stdout, b"two ")
            signalled = time.monotonic()
            child.send_signal(signal.SIGINT)
            ran = finish(child, None, 5)
        wait_until(lambda: server.requests[0].closed_at)
        assert (server.requests[0].closed_at or 0) - signalled < 5
    assert ran.code == 130
    assert seen + ran.stdout == b"one two \n"
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [("stream",), ("stream", "--jsonl")])
def test_closed_stdout_closes_the_connection(easyllm: Easyllm, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    with StandIn(endless) as server:
        with easyllm.start(
            *arguments, "hi", profiles=single_profile_toml(server), stdout=writer
        ) as child:
            os.close(writer)
            assert os.read(reader, 5)
            closed = time.monotonic()
            os.close(reader)
            code = child.wait(5)
            assert child.stderr is not None
            errors = child.stderr.read()
        wait_until(lambda: server.requests[0].closed_at)
        assert (server.requests[0].closed_at or 0) - closed < 5
    assert code == 141
    assert errors == b""


def test_head_in_a_real_pipe(easyllm: Easyllm) -> None:
    """And `python -m easyllm_cli` is the command, too."""
    with StandIn(endless) as server:
        easyllm.write_profiles(single_profile_toml(server))
        script = '"$PY" -m easyllm_cli stream hi | head -c 12; echo "${PIPESTATUS[0]}"'
        ran = subprocess.run(
            ["bash", "-c", script],
            env=easyllm.variables({"PY": sys.executable}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
        )
    assert ran.stdout == b"token token 141\n"
    assert ran.stderr == b""
