"""Tests `timeout.connect`: the wait for a host that does not accept the connection is limited.

Only the client's clock is checked: no server sees the connection.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.binary import Easyllm, single_profile_toml


@pytest.mark.parametrize("command", ["chat", "models"])
def test_a_host_that_drops_packets(easyllm: Easyllm, command: str) -> None:
    """192.0.2.1 (RFC 5737) never answers, or there is no route to it."""
    began = time.monotonic()
    words = ["hi"] if command == "chat" else []
    profiles = single_profile_toml("http://192.0.2.1:81/v1", timeout={"connect": 1}, max_retries=0)
    ran = easyllm.run(command, *words, profiles=profiles, timeout=15)
    assert ran.code == 6
    assert time.monotonic() - began < 6
    assert ran.error_line


@pytest.fixture
def full() -> Iterator[str]:
    """The URL of a server that accepts no more connections: its backlog is full."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.mark.skipif(sys.platform != "linux", reason="others refuse when the backlog is full")
def test_fault_4_a_connect_timeout_is_retried(easyllm: Easyllm, full: str) -> None:
    """timeout.connect (1 s) applies to each of the two attempts."""
    began = time.monotonic()
    ran = easyllm.run(
        "chat", "hi", profiles=single_profile_toml(full, timeout={"connect": 1}, max_retries=1)
    )
    took = time.monotonic() - began
    assert (ran.code, ran.stdout) == (6, b"")
    first, last, end = ran.stderr.split("\n")
    assert "in time" in first
    assert "try 2" in first
    assert last.startswith("easyllm: no connection to 127.0.0.1")
    assert end == ""
    assert 2 <= took < 10
