"""Nothing waits for ever: the profile's timers and --timeout, by the server's clock."""

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
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, chunk, ndjson, sse
from tests.support.standins.server import Handler, StandIn

# For a limit of two seconds, which begins when the request is out. The kernel tells the server when
# it came, by a clock that may tick every ten milliseconds only (standins.server.noted_late).
LIMIT = 2
TICK = 0.01
EARLIEST, EARLIEST_AFTER_TOKEN, LATEST = LIMIT - TICK, LIMIT, 5.0 * LIMIT
KEEP_ALIVE = b": keep-alive\n\n"
EMPTY = chunk("")


def dripping(
    *first: bytes, drop: bytes = KEEP_ALIVE, content_type: str = "text/event-stream"
) -> Handler:
    """An answer that begins with some frames and then only ever says that it lives."""

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type=content_type, chunked=True)
        for frame in first:
            await reply.write(frame)
        while True:
            await reply.write(drop)
            await reply.sleep(0.1)

    return handler


async def silent(request: Request, reply: Reply) -> None:
    """No head of an answer, ever."""
    await reply.sleep(30)


def asked(
    easyllm: Easyllm, handler: Handler, *args: str, provider: str = "openai", **keys: Any
) -> tuple[RunResult, list[Request]]:
    """One run without retries unless the profile says so; the requests are closed ones."""
    with StandIn(handler) as server:
        profiles = single_profile_toml(server, provider, **{"max_retries": 0, **keys})
        ran = easyllm.with_new_home().run(*args, profiles=profiles)
        wait_until(lambda: all(one.closed_at for one in server.requests))
        return ran, server.requests


def lasted(request: Request) -> float:
    """Seconds from the request's coming until the client left."""
    assert request.closed_at is not None
    return request.closed_at - request.came_at


FIRST_TOKEN = {"first_token": LIMIT}
IDLE = {"idle": LIMIT}


NATIVE = {"message": {"role": "assistant", "content": ""}, "done": False}
# What each protocol's servers send while they have nothing to say (WIRE trap 14).
LIVING: dict[str, tuple[bytes, ...]] = {
    "openai": (KEEP_ALIVE, EMPTY, b"\n"),
    "openai-responses": (
        b'event: ping\ndata: {"type": "ping"}\n\n',
        sse({"type": "response.in_progress", "response": {"status": "in_progress"}}),
    ),
    "ollama": (b"\n", ndjson(NATIVE)),
    "openrouter": (b": OPENROUTER PROCESSING\n\n",),
    "gemini": (b"\r\n", sse({"candidates": [{"content": {"parts": [{"text": ""}]}}]})),
}


def over_every_protocol(
    easyllm: Easyllm, timeout: dict[str, int], text: str = ""
) -> list[tuple[RunResult, list[Request]]]:
    """One `stream` for each thing that servers send to say that they live, behind the text."""

    def call(one: Adapter, drop: bytes) -> Callable[[], tuple[RunResult, list[Request]]]:
        first = [one.wire.text(text)] if text else []
        handler = dripping(*first, drop=drop, content_type=one.wire.content_type)
        keys: dict[str, Any] = {"api": one.api, "model": one.model, "timeout": timeout}
        return lambda: asked(easyllm, handler, "stream", "hi", provider=one.provider, **keys)

    return run_concurrently(
        *[call(one, drop) for one in HTTP_ADAPTERS for drop in LIVING[one.name]]
    )


def test_fault_4_and_43_no_first_token(easyllm: Easyllm) -> None:
    """Comments, pings and empty frames are nothing; no head at all is nothing, too."""
    handlers = [dripping(), dripping(drop=EMPTY), silent]
    for ran, requests in run_concurrently(*[
        lambda handler=handler, command=command: asked(
            easyllm, handler, command, "hi", timeout=FIRST_TOKEN
        )
        for handler, command in zip(handlers, ["chat", "stream", "chat"], strict=True)
    ]):  # fmt: skip
        assert (ran.code, ran.stdout, len(requests)) == (6, b"", 1)
        assert f"no token came within {LIMIT} s" in ran.error_line
        assert EARLIEST <= lasted(requests[0]) < LATEST


def test_fault_43_no_first_token_over_every_protocol(easyllm: Easyllm) -> None:
    """So many at once that the server notes their coming late: counted from their start."""
    began = time.monotonic()
    for ran, requests in over_every_protocol(easyllm, FIRST_TOKEN):
        assert (ran.code, ran.stdout, len(requests)) == (6, b"", 1), ran.stderr
        assert f"no token came within {LIMIT} s" in ran.error_line
        assert lasted(requests[0]) < LATEST
        assert requests[0].closed_at is not None
        assert requests[0].closed_at - began >= LIMIT


def test_fault_43_idle_over_every_protocol(easyllm: Easyllm) -> None:
    """After one token the same frames are nothing."""
    for ran, requests in over_every_protocol(easyllm, IDLE, "Hello"):
        assert (ran.code, ran.stdout, len(requests)) == (7, b"Hello\n", 1), ran.stderr
        assert f"nothing came for {LIMIT} s" in ran.error_line
        assert EARLIEST_AFTER_TOKEN <= lasted(requests[0]) < LATEST


def test_fault_4_no_first_token_is_tried_again(easyllm: Easyllm) -> None:
    ran, requests = asked(
        easyllm, dripping(), "chat", "hi", timeout={"first_token": 0.2}, max_retries=2
    )
    assert (ran.code, len(requests)) == (6, 3)


def test_fault_43_idle_after_a_token(easyllm: Easyllm) -> None:
    """Into a pipe `chat` has shown nothing and tries once more; `stream` has."""
    handler = dripping(chunk("Hello"))
    retries: dict[str, Any] = {"timeout": IDLE, "max_retries": 3}
    (chat, twice), (stream, once), (tried, single), (thought, thoughts) = run_concurrently(
        lambda: asked(easyllm, handler, "chat", "hi", **retries),
        lambda: asked(easyllm, handler, "stream", "hi", **retries),
        lambda: asked(easyllm, handler, "chat", "--no-retry", "hi", **retries),
        lambda: asked(easyllm, dripping(chunk(reasoning="Hm")), "stream", "hi", timeout=IDLE),
    )
    assert (chat.code, chat.stdout, len(twice)) == (7, b"", 2)
    assert (stream.code, stream.stdout, len(once)) == (7, b"Hello\n", 1)
    assert (tried.code, tried.stdout, len(single)) == (7, b"", 1)
    assert (thought.code, thought.stdout, len(thoughts)) == (7, b"", 1)
    for request in (*twice, *once, *single, *thoughts):
        assert EARLIEST_AFTER_TOKEN <= lasted(request) < LATEST
    for ran in (chat, stream, tried, thought):
        assert f"nothing came for {LIMIT} s" in ran.stderr


def test_total(easyllm: Easyllm) -> None:
    """timeout.total cuts an answer that goes on and on; before a token it is a timeout.

    It begins with the connection, before the server knows of any request.
    """
    began = time.monotonic()
    on_and_on = dripping(drop=chunk("x"))
    limits = {"total": LIMIT}
    blank_lines = dripping(drop=b"\n", content_type="application/json")  # DeepSeek's (WIRE §2)
    for (ran, requests), code in zip(
        run_concurrently(
            lambda: asked(easyllm, on_and_on, "stream", "hi", timeout=limits),
            lambda: asked(easyllm, dripping(), "chat", "hi", timeout=limits),
            lambda: asked(easyllm, silent, "chat", "--no-stream", "hi", timeout=limits),
            lambda: asked(easyllm, blank_lines, "chat", "--no-stream", "hi", timeout=limits),
        ),
        (7, 6, 6, 6),
        strict=True,
    ):
        assert (ran.code, len(requests)) == (code, 1), ran.stderr
        assert f"timeout.total = {LIMIT} s" in ran.error_line
        assert lasted(requests[0]) < LATEST
        assert requests[0].closed_at is not None
        assert requests[0].closed_at - began >= LIMIT


def test_a_plain_request_waits_for_the_whole_answer(easyllm: Easyllm) -> None:
    """first_token and idle are limits of a stream; a plain answer comes in one piece."""

    async def late(request: Request, reply: Reply) -> None:
        await reply.sleep(1)
        await reply.json({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})

    short = {"first_token": 0.2, "idle": 0.2}
    with StandIn(late) as server:
        profiles = single_profile_toml(server, timeout=short, max_retries=0)
        ran = easyllm.run("chat", "--no-stream", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (0, b"ok\n"), ran.stderr


def test_the_whole_command(easyllm: Easyllm) -> None:
    """--timeout: 6 before the first token, 7 after it; retries and their waits are inside."""
    on_and_on = dripping(drop=chunk("x"))
    limit = ("--timeout", "2")
    began = time.monotonic()
    (text, texts), (before, _), (waits, many), (models, _) = run_concurrently(
        lambda: asked(easyllm, on_and_on, "chat", *limit, "hi"),
        lambda: asked(easyllm, dripping(), "chat", *limit, "hi"),
        lambda: asked(
            easyllm, dripping(), "chat", *limit, "hi", timeout={"first_token": 0.1}, max_retries=99
        ),
        lambda: asked(easyllm, silent, "models", *limit),
    )
    assert time.monotonic() - began >= 2
    assert (text.code, text.stdout) == (7, b"")
    assert (before.code, waits.code, models.code) == (6, 6, 6)
    assert len(many) > 1
    assert lasted(texts[0]) < 5
    for ran in (text, before, models):
        assert "--timeout 2" in ran.error_line
    assert "--timeout 2" in waits.stderr


# A limit and how a profile or the command sets it; Ctrl-Z lasts longer than each.
STOPPED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "first_token": ({"timeout": FIRST_TOKEN}, ()),
    "idle": ({"timeout": IDLE}, ()),
    "total": ({"timeout": {"total": LIMIT}}, ()),
    "--timeout": ({}, ("--timeout", str(LIMIT))),
}


def stopped_for_too_long(easyllm: Easyllm, limit: str, command: tuple[str, ...]) -> None:
    """Stops a run before its answer comes, or in the midst of it, and then lets it go on."""
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
        one = easyllm.with_new_home()
        child = one.start(*command, *options, "hi", profiles=single_profile_toml(server, **keys))
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
def test_ctrl_z_for_longer_than_a_limit_costs_nothing(
    easyllm: Easyllm, command: tuple[str, ...]
) -> None:
    """What came meanwhile is read first, and nothing is asked again."""
    run_concurrently(*[partial(stopped_for_too_long, easyllm, limit, command) for limit in STOPPED])
