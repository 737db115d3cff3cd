"""The terminal's modes, cursor and screen are restored, however an answer ends."""

import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.binary import (
    BINARY,
    RUN_TIMEOUT_SECONDS,
    Easyllm,
    chat_answer_script,
    single_profile_toml,
    wait_until,
)
from tests.support.emulator import emulate_terminal
from tests.support.pseudoterminal import Pty
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, Cut, Reset, Script, Wait, chunk, script_handler
from tests.support.standins.server import Handler, StandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

# not ASCII: such rows are written with autowrap off
SHOWN = chunk("# A title\n\nSöme **words**")
HELD = Script(SHOWN, Wait(30))


@contextmanager
def run_on_pty(
    easyllm: Easyllm, handler: Handler, *args: str, command: list[str] | None = None
) -> Iterator[tuple[Pty, subprocess.Popen[bytes]]]:
    """Run on one terminal, and check that its modes are the same before and after."""
    with StandIn(handler) as server, Pty(80, 24) as pty:
        before = termios.tcgetattr(pty.descriptor)
        # its own process group in this session: SIGTSTP does not stop a session's only group
        child = easyllm.start(
            *args,
            profiles=single_profile_toml(server, max_retries=0),
            env={"TERM": "xterm-256color"},
            stdin=pty.descriptor,
            stdout=pty.descriptor,
            stderr=pty.descriptor,
            process_group=0,
            command=command,
        )
        try:
            yield pty, child
            assert termios.tcgetattr(pty.descriptor) == before
        finally:
            child.kill()
            child.wait()
        data = pty.whole()
    assert b"\x1b[?1049" not in data, "no alternate screen"
    assert data.count(b"\x1b[?25l") == data.count(b"\x1b[?25h"), "the cursor is visible"
    assert emulate_terminal(data).resting


def wait_for_words(pty: Pty) -> None:
    wait_until(lambda: "Söme words" in pty.seen().text())


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
@pytest.mark.parametrize("command", ["chat", "stream"])
def test_after_a_signal(easyllm: Easyllm, command: str, sent: signal.Signals, code: int) -> None:
    with run_on_pty(easyllm, script_handler(HELD), command, "hi") as (pty, child):
        wait_for_words(pty)
        child.send_signal(sent)
        assert child.wait(RUN_TIMEOUT_SECONDS) == code


@pytest.mark.parametrize("end", [Cut(), Reset(), b"data: {\n\n", b'data: {"error": "x"}\n\n'])
def test_after_a_server_that_fails(easyllm: Easyllm, end: Cut | Reset | bytes) -> None:
    with run_on_pty(easyllm, script_handler(Script(SHOWN, end)), "chat", "hi") as (_, child):
        assert child.wait(RUN_TIMEOUT_SECONDS) in (5, 7)


def test_after_a_refusal(easyllm: Easyllm) -> None:
    with run_on_pty(easyllm, script_handler(Script(b"{}", status=401)), "chat", "hi") as (_, child):
        assert child.wait(RUN_TIMEOUT_SECONDS) == 3


def test_after_an_answer(easyllm: Easyllm) -> None:
    with run_on_pty(
        easyllm, script_handler(chat_answer_script("# Hi", reasoning="Hm")), "cot", "hi"
    ) as (_, child):
        assert child.wait(RUN_TIMEOUT_SECONDS) == 0


def test_ctrl_z_and_fg(easyllm: Easyllm) -> None:
    """After a real SIGTSTP the shell gets a restored terminal; after fg the rest arrives."""
    gate = threading.Event()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(SHOWN)
        while not gate.is_set():
            await reply.sleep(0.01)
        await reply.write(chunk(" and the end") + chunk(finish="stop") + DONE)

    # The installed command, because only a process's parent can wait for its stop.
    with run_on_pty(easyllm, handler, "chat", "hi", command=[BINARY]) as (pty, child):
        wait_for_words(pty)
        modes = termios.tcgetattr(pty.descriptor)
        child.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert termios.tcgetattr(pty.descriptor) == modes
        gate.set()
        os.write(pty.descriptor, b"\n[1]+  Stopped\n$ fg\n")
        child.send_signal(signal.SIGCONT)
        assert child.wait(RUN_TIMEOUT_SECONDS) == 0
        rows = pty.seen().text()
    assert rows[-1] == "Söme words and the end"
    assert rows.count("A title") == 1
