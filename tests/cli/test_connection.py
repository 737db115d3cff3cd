"""Tests that the connection is closed at once however a command ends.

Otherwise the server would continue, and the user would pay for the rest.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

import pytest

from tests.support.adapters import ADAPTERS, HTTP_ADAPTERS, Adapter
from tests.support.binary import (
    BINARY,
    Easyllm,
    finish,
    read_until,
    single_profile_toml,
    wait_until,
)
from tests.support.standins.script import Script, Wait, script_handler
from tests.support.standins.server import Handler, Reply, Request, StandIn

SDK = next(adapter for adapter in ADAPTERS if adapter.transport == "sdk" and adapter.api is None)
CLOSES = (*HTTP_ADAPTERS, SDK)
AT_ONCE = 5.0  # seconds; 1 is the aim, but a busy machine needs more
# The exit code for each signal.
TOLD = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "terminated"}
each_protocol = pytest.mark.parametrize("adapter", CLOSES, ids=lambda adapter: adapter.id)


def profiles(server: StandIn, adapter: Adapter, **keys: Any) -> str:
    return single_profile_toml(
        server, adapter.provider, api=adapter.api, transport=adapter.transport, **keys
    )


def stalling_script(adapter: Adapter) -> Script:
    """Three tokens, then silence for longer than a test may take."""
    script = adapter.script("one ", "two ", "three ", ends=False)
    return Script(*script.steps, Wait(30), content_type=adapter.wire.content_type)


def endless_answer(adapter: Adapter) -> Handler:
    """An answer that never ends."""
    frame = adapter.wire.text("a line\n" * 100)

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type=adapter.wire.content_type, chunked=True)
        while True:
            await reply.write(frame)

    return handler


def assert_closed_at_once(server: StandIn, since: float) -> None:
    wait_until(lambda: server.requests[-1].closed_at is not None)
    assert (server.requests[-1].closed_at or 0) - since < AT_ONCE


@each_protocol
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_fault_48_and_49_signal_at_the_third_token(
    easyllm: Easyllm, adapter: Adapter, sent: signal.Signals
) -> None:
    with StandIn(script_handler(stalling_script(adapter))) as server:
        with easyllm.start("stream", "hi", profiles=profiles(server, adapter)) as child:
            seen = read_until(child.stdout, b"three ")
            at = time.monotonic()
            child.send_signal(sent)
            ran = finish(child, None, 5)
        assert_closed_at_once(server, at)
    assert seen + ran.stdout == b"one two three \n"
    assert ran.code == TOLD[sent]
    assert ran.error_line == f"easyllm: {WORDS[sent]}"
    assert not easyllm.partials(), "all of the text is on stdout"


def test_fault_50_head_closes_the_pipe(easyllm: Easyllm) -> None:
    script = '"$E" stream hi | head -1; echo "${PIPESTATUS[0]}"'
    with StandIn(endless_answer(HTTP_ADAPTERS[0])) as server:
        ran = easyllm.shell(script, shell="bash", profiles=profiles(server, HTTP_ADAPTERS[0]))
        assert_closed_at_once(server, time.monotonic())
    assert ran.stdout == b"a line\n141\n"
    assert ran.stderr == ""


@each_protocol
def test_fault_50_a_reader_closes_the_pipe(easyllm: Easyllm, adapter: Adapter) -> None:
    with (
        StandIn(endless_answer(adapter)) as server,
        easyllm.start("stream", "hi", profiles=profiles(server, adapter)) as child,
    ):
        assert child.stdout is not None
        assert os.read(child.stdout.fileno(), 7) == b"a line\n"
        child.stdout.close()
        at = time.monotonic()
        assert child.wait(10) == 141
        assert_closed_at_once(server, at)
        assert child.stderr is not None
        assert child.stderr.read() == b""


@pytest.mark.parametrize("streams", ["1", "2", "12"])
def test_fault_50_readers_close_their_pipes(easyllm: Easyllm, streams: str) -> None:
    """The readers of stdout, stderr or both close their pipe in the middle of an answer."""
    readers, writers = zip(os.pipe(), os.pipe(), strict=True)
    with StandIn(endless_answer(HTTP_ADAPTERS[0])) as server:
        child = easyllm.start(
            "stream", "-v", "hi", profiles=profiles(server, HTTP_ADAPTERS[0]),
            stdout=writers[0], stderr=writers[1],
        )  # fmt: skip
        for writer in writers:
            os.close(writer)
        os.read(readers[0], 10)
        at = time.monotonic()
        for stream in streams:
            os.close(readers[int(stream) - 1])
        if "1" in streams:
            assert child.wait(5) == 141
        else:
            for _ in range(100):
                assert os.read(readers[0], 4000), "a broken stderr is no reason to fail"
            child.send_signal(signal.SIGTERM)
            os.close(readers[0])
            assert child.wait(5) in (141, 143)
            at = time.monotonic()
        assert_closed_at_once(server, at)
    if "2" not in streams:
        assert b"Traceback" not in os.read(readers[1], 10_000)
        os.close(readers[1])


def test_fault_53_a_full_disk_closes_the_connection(easyllm: Easyllm) -> None:
    with (
        StandIn(endless_answer(HTTP_ADAPTERS[0])) as server,
        open("/dev/full", "wb", buffering=0) as full,
    ):
        ran = easyllm.run("stream", "hi", profiles=profiles(server, HTTP_ADAPTERS[0]), stdout=full)
        assert_closed_at_once(server, time.monotonic())
    assert ran.code == 8
    assert "cannot write to stdout" in ran.error_line


def test_a_closed_terminal_saves_the_partial_answer(easyllm: Easyllm) -> None:
    """The kernel sends SIGHUP: the stream stops, and the partial answer is saved."""
    script = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    script += "os.execv(sys.argv[1], sys.argv[1:])"
    terminal_fd, child_fd = os.openpty()
    with StandIn(script_handler(stalling_script(HTTP_ADAPTERS[0]))) as server:
        with easyllm.start(
            "chat", "hi", command=[sys.executable, "-c", script, BINARY], stdin=child_fd,
            profiles=profiles(server, HTTP_ADAPTERS[0]), start_new_session=True,
        ) as child:  # fmt: skip
            os.close(child_fd)
            wait_until(lambda: server.requests)
            time.sleep(0.5)
            at = time.monotonic()
            os.close(terminal_fd)
            ran = finish(child, None, 5)
        assert_closed_at_once(server, at)
    assert (ran.code, ran.stdout) == (143, b"")
    assert [path.read_text() for path in easyllm.partials()] == ["one two three "]


def test_an_ignored_sighup_stays_ignored(easyllm: Easyllm) -> None:
    """With SIGHUP ignored, as nohup does, the answer is completed without the terminal."""
    gate = threading.Event()

    async def handler(request: Request, reply: Reply) -> None:
        while not gate.is_set():
            await reply.sleep(0.01)
        await HTTP_ADAPTERS[0].script("Hello").play(reply)

    ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", BINARY]
    with (
        StandIn(handler) as server,
        easyllm.start(
            "chat", "hi", profiles=profiles(server, HTTP_ADAPTERS[0]), command=ignoring
        ) as child,
    ):
        wait_until(lambda: server.requests)
        child.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        gate.set()
        ran = finish(child, None, 5)
    assert (ran.code, ran.stdout) == (0, b"Hello\n"), ran.stderr
