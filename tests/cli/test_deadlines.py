"""Tests the timeouts of a profile and --timeout, measured by the stand-in server's clock."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.binary import (
    Easyllm,
    RunResult,
    read_until,
    run_concurrently,
    single_profile_toml,
    wait_until,
)
from tests.support.standins import anthropic
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk, ndjson, sse
from tests.support.standins.server import Handler, StandIn

# Bounds for a limit of two seconds that starts when the request is sent. The kernel tells the
# server when the request arrived; that clock may tick only every 10 ms (see noted_late in
# tests/support/standins/server.py).
LIMIT = 2
TICK = 0.01
EARLIEST, EARLIEST_AFTER_TOKEN, LATEST = LIMIT - TICK, LIMIT, 5.0 * LIMIT
KEEP_ALIVE = b": keep-alive\n\n"
EMPTY = chunk("")


def endless_stream(
    *first: bytes, drop: bytes = KEEP_ALIVE, content_type: str = "text/event-stream"
) -> Handler:
    """Sends the first frames, then `drop` every 0.1 s without end."""

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type=content_type, chunked=True)
        for frame in first:
            await reply.write(frame)
        while True:
            await reply.write(drop)
            await reply.sleep(0.1)

    return handler


async def silent(request: Request, reply: Reply) -> None:
    """Never sends a response header."""
    await reply.sleep(30)


def run_against(
    easyllm: Easyllm, handler: Handler, *args: str, provider: str = "openai", **keys: Any
) -> tuple[RunResult, list[Request]]:
    """One run, without retries unless `keys` sets them, and its requests, all closed."""
    with StandIn(handler) as server:
        profiles = single_profile_toml(server, provider, **{"max_retries": 0, **keys})
        ran = easyllm.with_new_home().run(*args, profiles=profiles)
        wait_until(lambda: all(request.closed_at for request in server.requests))
        return ran, server.requests


def seconds_open(request: Request) -> float:
    """Seconds from the arrival of the request until the client closed the connection."""
    assert request.closed_at is not None
    return request.closed_at - request.came_at


FIRST_TOKEN = {"first_token": LIMIT}
IDLE = {"idle": LIMIT}


NATIVE = {"message": {"role": "assistant", "content": ""}, "done": False}
# The keep-alives of each protocol's servers. They must not renew a timeout (docs/protocols.md).
LIVING: dict[str, tuple[bytes, ...]] = {
    "openai": (KEEP_ALIVE, EMPTY, b"\n"),
    "openai-responses": (
        b'event: ping\ndata: {"type": "ping"}\n\n',
        sse({"type": "response.in_progress", "response": {"status": "in_progress"}}),
    ),
    "ollama": (b"\n", ndjson(NATIVE)),
    "openrouter": (b": OPENROUTER PROCESSING\n\n",),
    "anthropic": (anthropic.PING, anthropic.block() + anthropic.thinking("")),
    "gemini": (b"\r\n", sse({"candidates": [{"content": {"parts": [{"text": ""}]}}]})),
    "cohere": (sse({"type": "content-delta", "delta": {"message": {"content": {"text": ""}}}}),),
}


def run_over_every_protocol(
    easyllm: Easyllm, timeout: dict[str, int], text: str = ""
) -> list[tuple[RunResult, list[Request]]]:
    """One `stream` for each kind of keep-alive, sent after `text`."""

    def call(adapter: Adapter, drop: bytes) -> Callable[[], tuple[RunResult, list[Request]]]:
        first = [adapter.wire.text(text)] if text else []
        handler = endless_stream(*first, drop=drop, content_type=adapter.wire.content_type)
        keys: dict[str, Any] = {"api": adapter.api, "model": adapter.model, "timeout": timeout}
        return lambda: run_against(
            easyllm, handler, "stream", "hi", provider=adapter.provider, **keys
        )

    return run_concurrently(
        *[call(adapter, drop) for adapter in HTTP_ADAPTERS for drop in LIVING[adapter.name]]
    )


def test_fault_4_and_43_no_first_token(easyllm: Easyllm) -> None:
    """Comments and empty frames are no tokens; the limit also counts before a response header."""
    handlers = [endless_stream(), endless_stream(drop=EMPTY), silent]
    for ran, requests in run_concurrently(*[
        lambda handler=handler, command=command: run_against(
            easyllm, handler, command, "hi", timeout=FIRST_TOKEN
        )
        for handler, command in zip(handlers, ["chat", "stream", "chat"], strict=True)
    ]):  # fmt: skip
        assert (ran.code, ran.stdout, len(requests)) == (6, b"", 1)
        assert f"no token came within {LIMIT} s" in ran.error_line
        assert EARLIEST <= seconds_open(requests[0]) < LATEST


def test_fault_43_no_first_token_over_every_protocol(easyllm: Easyllm) -> None:
    """Measured from the start: with so many runs at once the server notes requests late."""
    began = time.monotonic()
    for ran, requests in run_over_every_protocol(easyllm, FIRST_TOKEN):
        assert (ran.code, ran.stdout, len(requests)) == (6, b"", 1), ran.stderr
        assert f"no token came within {LIMIT} s" in ran.error_line
        assert seconds_open(requests[0]) < LATEST
        assert requests[0].closed_at is not None
        assert requests[0].closed_at - began >= LIMIT


def test_fault_43_idle_over_every_protocol(easyllm: Easyllm) -> None:
    """Keep-alives after a token do not reset the idle timer."""
    for ran, requests in run_over_every_protocol(easyllm, IDLE, "Hello"):
        assert (ran.code, ran.stdout, len(requests)) == (7, b"Hello\n", 1), ran.stderr
        assert f"nothing came for {LIMIT} s" in ran.error_line
        assert EARLIEST_AFTER_TOKEN <= seconds_open(requests[0]) < LATEST


def test_fault_4_no_first_token_is_retried(easyllm: Easyllm) -> None:
    ran, requests = run_against(
        easyllm, endless_stream(), "chat", "hi", timeout={"first_token": 0.2}, max_retries=2
    )
    assert (ran.code, len(requests)) == (6, 3)


def test_fault_43_idle_after_a_token(easyllm: Easyllm) -> None:
    """`chat` into a pipe has printed nothing and retries once; `stream` has printed."""
    handler = endless_stream(chunk("Hello"))
    retries: dict[str, Any] = {"timeout": IDLE, "max_retries": 3}
    (
        (chat, chat_requests),
        (stream, stream_requests),
        (single, single_requests),
        (reasoning, reasoning_requests),
    ) = run_concurrently(
        lambda: run_against(easyllm, handler, "chat", "hi", **retries),
        lambda: run_against(easyllm, handler, "stream", "hi", **retries),
        lambda: run_against(easyllm, handler, "chat", "--no-retry", "hi", **retries),
        lambda: run_against(
            easyllm, endless_stream(chunk(reasoning="Hm")), "stream", "hi", timeout=IDLE
        ),
    )
    assert (chat.code, chat.stdout, len(chat_requests)) == (7, b"", 2)
    assert (stream.code, stream.stdout, len(stream_requests)) == (7, b"Hello\n", 1)
    assert (single.code, single.stdout, len(single_requests)) == (7, b"", 1)
    assert (reasoning.code, reasoning.stdout, len(reasoning_requests)) == (7, b"", 1)
    for request in (*chat_requests, *stream_requests, *single_requests, *reasoning_requests):
        assert EARLIEST_AFTER_TOKEN <= seconds_open(request) < LATEST
    for ran in (chat, stream, single, reasoning):
        assert f"nothing came for {LIMIT} s" in ran.stderr


def test_total_timeout(easyllm: Easyllm) -> None:
    """timeout.total cuts an endless answer (7); before the first token it is a timeout (6).

    It starts with the connection, before the server has a request.
    """
    began = time.monotonic()
    on_and_on = endless_stream(drop=chunk("x"))
    limits = {"total": LIMIT}
    # DeepSeek sends blank lines before a buffered answer.
    blank_lines = endless_stream(drop=b"\n", content_type="application/json")
    for (ran, requests), code in zip(
        run_concurrently(
            lambda: run_against(easyllm, on_and_on, "stream", "hi", timeout=limits),
            lambda: run_against(easyllm, endless_stream(), "chat", "hi", timeout=limits),
            lambda: run_against(easyllm, silent, "chat", "--no-stream", "hi", timeout=limits),
            lambda: run_against(easyllm, blank_lines, "chat", "--no-stream", "hi", timeout=limits),
        ),
        (7, 6, 6, 6),
        strict=True,
    ):
        assert (ran.code, len(requests)) == (code, 1), ran.stderr
        assert f"timeout.total = {LIMIT} s" in ran.error_line
        assert seconds_open(requests[0]) < LATEST
        assert requests[0].closed_at is not None
        assert requests[0].closed_at - began >= LIMIT


def test_a_buffered_request_waits_for_the_whole_answer(easyllm: Easyllm) -> None:
    """first_token and idle apply to streams only: a buffered answer arrives in one piece."""

    async def late(request: Request, reply: Reply) -> None:
        await reply.sleep(1)
        await reply.json({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})

    short = {"first_token": 0.2, "idle": 0.2}
    with StandIn(late) as server:
        profiles = single_profile_toml(server, timeout=short, max_retries=0)
        ran = easyllm.run("chat", "--no-stream", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (0, b"ok\n"), ran.stderr


def test_timeout_of_the_whole_command(easyllm: Easyllm) -> None:
    """--timeout includes retries and their waits: 6 before the first token, 7 after it."""
    on_and_on = endless_stream(drop=chunk("x"))
    limit = ("--timeout", "2")
    began = time.monotonic()
    (text, text_requests), (before, _), (retried, retried_requests), (models, _) = run_concurrently(
        lambda: run_against(easyllm, on_and_on, "chat", *limit, "hi"),
        lambda: run_against(easyllm, endless_stream(), "chat", *limit, "hi"),
        lambda: run_against(
            easyllm,
            endless_stream(),
            "chat",
            *limit,
            "hi",
            timeout={"first_token": 0.1},
            max_retries=99,
        ),
        lambda: run_against(easyllm, silent, "models", *limit),
    )
    assert time.monotonic() - began >= 2
    assert (text.code, text.stdout) == (7, b"")
    assert (before.code, retried.code, models.code) == (6, 6, 6)
    assert len(retried_requests) > 1
    assert seconds_open(text_requests[0]) < 5
    for ran in (text, before, models):
        assert "--timeout 2" in ran.error_line
    assert "--timeout 2" in retried.stderr


# Each limit: the profile settings and options that set it. Ctrl-Z lasts longer than each.
STOPPED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "first_token": ({"timeout": FIRST_TOKEN}, ()),
    "idle": ({"timeout": IDLE}, ()),
    "total": ({"timeout": {"total": LIMIT}}, ()),
    "--timeout": ({}, ("--timeout", str(LIMIT))),
}


def suspend_longer_than_limit(easyllm: Easyllm, limit: str, command: tuple[str, ...]) -> None:
    """Suspends a run before or in the middle of its answer, then continues it."""
    keys, options = STOPPED[limit]
    is_stopped, has_come = threading.Event(), threading.Event()

    async def handler(request: Request, reply: Reply) -> None:
        if "--no-stream" not in command:
            await reply.head(content_type="text/event-stream", chunked=True)
            if limit == "idle":
                await reply.write(chunk("Hel"))
        has_come.set()
        while not is_stopped.is_set():
            await reply.sleep(0.01)
        if "--no-stream" in command:
            whole = {"message": {"content": "Hello"}, "finish_reason": "stop"}
            await reply.json({"choices": [whole]})
            return
        await reply.write(KEEP_ALIVE + chunk("lo" if limit == "idle" else "Hello"))
        await reply.write(chunk(finish="stop") + DONE)
        await reply.end()

    with StandIn(handler) as server:
        home = easyllm.with_new_home()
        child = home.start(*command, *options, "hi", profiles=single_profile_toml(server, **keys))
        assert has_come.wait(20)
        if command == ("stream",) and limit == "idle":
            assert read_until(child.stdout, b"Hel") == b"Hel"
        child.send_signal(signal.SIGSTOP)
        is_stopped.set()
        time.sleep(LIMIT + 1)
        child.send_signal(signal.SIGCONT)
        out, err = child.communicate(timeout=20)
        assert (child.returncode, err) == (0, b""), (limit, command, err)
        assert out.endswith(b"lo\n"), (limit, command, out)
        assert len(server.requests) == 1, (limit, command)


@pytest.mark.parametrize("command", [("chat",), ("stream",), ("chat", "--no-stream")], ids=" ".join)
def test_ctrl_z_longer_than_a_limit_is_no_timeout(
    easyllm: Easyllm, command: tuple[str, ...]
) -> None:
    """Data that arrived meanwhile is read before the timers are checked: no second request."""
    run_concurrently(
        *[partial(suspend_longer_than_limit, easyllm, limit, command) for limit in STOPPED]
    )
