"""Output stops exactly at --max-output-bytes (FAULT-46).

Received text is kept, and the connection closes while the server still sends.
"""

from typing import Any

import pytest

from easyllm_cli import LLMService
from tests.support.adapters import HTTP_ADAPTERS, SDK_ADAPTERS, Adapter
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    single_profile_toml,
    wait_until,
)
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import Script, chunk, compact, script_handler
from tests.support.standins.server import Handler, StandIn

LIMIT = 1000
WORDS = f"longer than {LIMIT} bytes"
OPENAI = HTTP_ADAPTERS[0]


def endless(frame: bytes, content_type: str = "text/event-stream") -> Handler:
    """Handler that sends the same frame until the client disconnects."""

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type=content_type, chunked=True)
        while True:
            await reply.write(frame)

    return handler


def run_limited(
    easyllm: Easyllm, handler: Handler, *args: str, adapter: Adapter = OPENAI, **keys: Any
) -> RunResult:
    """Run under the limit; check that the only request's connection was closed."""
    with StandIn(handler) as server:
        known = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
        profiles = single_profile_toml(server, adapter.provider, **known, **keys)
        command, *rest = args
        limit = ("--max-output-bytes", str(LIMIT))
        ran = easyllm.run(command, *limit, *rest, "hi", profiles=profiles)
        wait_until(lambda: all(request.closed_at for request in server.requests))
        assert len(server.requests) == 1
        return ran


TEXT = endless(chunk("x" * 100))


@pytest.mark.parametrize(
    "adapter", [*HTTP_ADAPTERS, SDK_ADAPTERS[0]], ids=lambda adapter: adapter.id
)
def test_fault_46_endless_text(easyllm: Easyllm, adapter: Adapter) -> None:
    handler = endless(adapter.wire.text("x" * 100), adapter.wire.content_type)
    ran = run_limited(easyllm, handler, "stream", adapter=adapter)
    assert (ran.code, ran.stdout) == (7, b"x" * LIMIT + b"\n")
    assert WORDS in ran.error_line
    assert "--max-output-bytes" in ran.error_line


def test_fault_46_chat_into_a_pipe_prints_nothing_and_keeps_the_text(easyllm: Easyllm) -> None:
    ran = run_limited(easyllm, TEXT, "chat")
    assert (ran.code, ran.stdout) == (7, b"")
    assert WORDS in ran.error_line
    (file,) = easyllm.partials()
    assert str(file) in ran.error_line
    assert file.read_bytes() == b"x" * LIMIT


def test_fault_46_partial_prints_the_text(easyllm: Easyllm) -> None:
    ran = run_limited(easyllm, TEXT, "chat", "--partial")
    assert (ran.code, ran.stdout) == (7, b"x" * LIMIT + b"\n")
    assert WORDS in ran.error_line


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_fault_46_json_holds_the_text(easyllm: Easyllm, command: str) -> None:
    ran = run_limited(easyllm, TEXT, command, "--json")
    answer = ran.json
    assert (ran.code, answer["ok"], answer["complete"]) == (7, False, False)
    assert answer["text"] == "x" * LIMIT
    error = answer["error"]
    assert (error["kind"], error["exit_code"], error["retryable"]) == ("incomplete", 7, False)
    assert WORDS in error["message"]
    assert ran.error_line


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_fault_46_jsonl_ends_with_the_error(easyllm: Easyllm, command: str) -> None:
    ran = run_limited(easyllm, TEXT, command, "--jsonl")
    *_, last = ran.events
    assert ran.code == 7
    assert [event["text"] for event in ran.events if event["kind"] == "text"] == ["x" * 100] * 10
    assert (last["kind"], last["text"]) == ("error", "x" * LIMIT)
    assert WORDS in last["error"]["message"]


@pytest.mark.parametrize(
    ("args", "out", "err"),
    [
        (("stream", "--reasoning", "only"), "y" * LIMIT + "\n", ""),
        (("stream", "--reasoning", "show"), "", "y" * LIMIT),
        (("stream",), "", ""),
        (("chat",), "", ""),
        (("cot",), "", "y" * LIMIT),
    ],
    ids=" ".join,
)
def test_fault_46_reasoning_counts_too(
    easyllm: Easyllm, args: tuple[str, ...], out: str, err: str
) -> None:
    ran = run_limited(easyllm, endless(chunk(reasoning="y" * 100)), *args)
    assert (ran.code, ran.stdout.decode()) == (7, out)
    *shown, error_line, end = ran.stderr.split("\n")
    assert (shown, end) == ([err] if err else [], "")
    assert WORDS in error_line


def test_fault_46_inline_reasoning_counts(easyllm: Easyllm) -> None:
    """Inline reasoning counts even if its closing tag never comes."""
    first = True

    async def thinking(request: Request, reply: Reply) -> None:
        nonlocal first
        await reply.head(content_type="text/event-stream", chunked=True)
        while True:
            await reply.write(chunk("<think>" if first else "z" * 100))
            first = False

    ran = run_limited(easyllm, thinking, "stream", "--json")
    assert ran.code == 7
    assert ran.json["text"] == ""
    assert set(ran.json["reasoning"]) == {"z"}
    assert LIMIT - 110 <= len(ran.json["reasoning"]) <= LIMIT


def test_fault_46_a_plain_answer(easyllm: Easyllm) -> None:
    body = {"choices": [{"message": {"content": "x" * 5000}, "finish_reason": "stop"}]}

    async def whole(request: Request, reply: Reply) -> None:
        await reply.head(length=len(compact(body)))
        await reply.write(compact(body))

    with StandIn(whole) as server:
        limit = ("--max-output-bytes", str(LIMIT))
        ran = easyllm.run("chat", "--no-stream", *limit, "hi", profiles=single_profile_toml(server))
        assert (ran.code, ran.stdout, len(server.requests)) == (7, b"", 1)
    assert WORDS in ran.error_line


@pytest.mark.parametrize("text", ["x" * LIMIT, "é" * (LIMIT // 2), ""], ids=["x", "é", "none"])
def test_fault_46_an_answer_of_exactly_the_limit(easyllm: Easyllm, text: str) -> None:
    """The limit counts bytes, not characters, and includes reasoning."""
    reasoning = "" if text else "y" * (LIMIT - 1)
    with StandIn(script_handler(chat_answer_script(text or "z", reasoning=reasoning))) as server:
        limit = ("--max-output-bytes", str(LIMIT))
        ran = easyllm.run("chat", *limit, "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout.decode()) == (0, (text or "z") + "\n"), ran.stderr


MORE = 9 * 1024 * 1024  # bytes, above the default limit


@pytest.mark.parametrize("args", [("chat",), ("stream",), ("chat", "--no-stream")], ids=" ".join)
def test_a_raised_limit_is_the_limit(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    answer = chat_answer_script(*["x" * 100_000] * (MORE // 100_000))
    if "--no-stream" in args:
        body = {"choices": [{"message": {"content": "x" * MORE}, "finish_reason": "stop"}]}
        answer = Script(compact(body), content_type="application/json")
    with StandIn(script_handler(answer)) as server:
        profiles = single_profile_toml(server)
        ran = easyllm.run(*args, "--max-output-bytes", str(2 * MORE), "hi", profiles=profiles)
    assert (ran.code, ran.stderr) == (0, "")
    assert len(ran.stdout) > 8 * 1024 * 1024


def test_extract_is_not_limited(easyllm: Easyllm) -> None:
    """The text to split is in memory already."""
    ran = easyllm.run("cot", "--extract", stdin=f"<think>hm</think>{'x' * MORE}")
    assert (ran.code, len(ran.stdout)) == (0, MORE + 1), ran.stderr
    split = LLMService().extract_answer_and_cot("x" * MORE)
    assert len(split["answer"]) == MORE
