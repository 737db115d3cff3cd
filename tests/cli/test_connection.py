"""Whatever ends us, the server sees the connection close at once: nobody pays for the rest."""

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

SDK = next(one for one in ADAPTERS if one.transport == "sdk" and one.api is None)
CLOSES = (*HTTP_ADAPTERS, SDK)
AT_ONCE = 5.0  # promise 48 says 1 s; a busy machine needs more
TOLD = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "terminated"}
each_protocol = pytest.mark.parametrize("adapter", CLOSES, ids=lambda adapter: adapter.id)


def profiles(server: StandIn, adapter: Adapter, **keys: Any) -> str:
    return single_profile_toml(
        server, adapter.provider, api=adapter.api, transport=adapter.transport, **keys
    )


def tokens(adapter: Adapter) -> Script:
    """Three tokens, and then nothing for as long as a test may take."""
    said = adapter.script("one ", "two ", "three ", ends=False)
    return Script(*said.steps, Wait(30), content_type=adapter.wire.content_type)


def endless(adapter: Adapter) -> Handler:
    """An answer that never ends."""
    frame = adapter.wire.text("a line\n" * 100)

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type=adapter.wire.content_type, chunked=True)
        while True:
            await reply.write(frame)

    return handler


def closes_at_once(server: StandIn, since: float) -> None:
    wait_until(lambda: server.requests[-1].closed_at is not None)
    assert (server.requests[-1].closed_at or 0) - since < AT_ONCE


@each_protocol
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_fault_48_and_49_signal_at_the_third_token(
    easyllm: Easyllm, adapter: Adapter, sent: signal.Signals
) -> None:
    with StandIn(script_handler(tokens(adapter))) as server:
        with easyllm.start("stream", "hi", profiles=profiles(server, adapter)) as child:
            seen = read_until(child.stdout, b"three ")
            at = time.monotonic()
            child.send_signal(sent)
            ran = finish(child, None, 5)
        closes_at_once(server, at)
    assert seen + ran.stdout == b"one two three \n"
    assert ran.code == TOLD[sent]
    assert ran.error_line == f"easyllm: {WORDS[sent]}"
    assert not easyllm.partials(), "it all stands on stdout"


@each_protocol
def test_fault_50_head_closes_the_pipe(easyllm: Easyllm, adapter: Adapter) -> None:
    script = '"$E" stream hi | head -1; echo "${PIPESTATUS[0]}"'
    with StandIn(endless(adapter)) as server:
        ran = easyllm.shell(script, shell="bash", profiles=profiles(server, adapter))
        closes_at_once(server, time.monotonic())
    assert ran.stdout == b"a line\n141\n"
    assert ran.stderr == ""


@pytest.mark.parametrize("streams", ["1", "2", "12"])
def test_fault_50_readers_that_leave(easyllm: Easyllm, streams: str) -> None:
    """stdout, stderr or both are closed by who reads them, in the middle of an answer."""
    readers, writers = zip(os.pipe(), os.pipe(), strict=True)
    with StandIn(endless(HTTP_ADAPTERS[0])) as server:
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
        closes_at_once(server, at)
    if "2" not in streams:
        assert b"Traceback" not in os.read(readers[1], 10_000)
        os.close(readers[1])


def test_fault_53_a_full_disk_closes_it(easyllm: Easyllm) -> None:
    with StandIn(endless(HTTP_ADAPTERS[0])) as server, open("/dev/full", "wb", buffering=0) as full:
        ran = easyllm.run("stream", "hi", profiles=profiles(server, HTTP_ADAPTERS[0]), stdout=full)
        closes_at_once(server, time.monotonic())
    assert ran.code == 8
    assert "cannot write to stdout" in ran.error_line


def test_a_terminal_that_is_gone(easyllm: Easyllm) -> None:
    """The kernel's own SIGHUP: the answer stops coming, and what came is kept."""
    script = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    script += "os.execv(sys.argv[1], sys.argv[1:])"
    mine, childs = os.openpty()
    with StandIn(script_handler(tokens(HTTP_ADAPTERS[0]))) as server:
        with easyllm.start(
            "chat", "hi", command=[sys.executable, "-c", script, BINARY], stdin=childs,
            profiles=profiles(server, HTTP_ADAPTERS[0]), start_new_session=True,
        ) as child:  # fmt: skip
            os.close(childs)
            wait_until(lambda: server.requests)
            time.sleep(0.5)
            at = time.monotonic()
            os.close(mine)
            ran = finish(child, None, 5)
        closes_at_once(server, at)
    assert (ran.code, ran.stdout) == (143, b"")
    assert [path.read_text() for path in easyllm.partials()] == ["one two three "]


def test_nohup_is_obeyed(easyllm: Easyllm) -> None:
    """Who ignores SIGHUP wants the answer although the terminal is gone."""
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
