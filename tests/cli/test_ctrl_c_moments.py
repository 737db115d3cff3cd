"""Tests Ctrl-C, once and twice, at any moment of a run.

The run ends at once with 130 and no traceback, and the partial answer is saved.
"""

import os
import signal
import subprocess
import time

import pytest

from easyllm_cli.cli.app import was_interrupted
from tests.support.at_a_moment import signal_hook_environment
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    read_until,
    single_profile_toml,
)
from tests.support.standins.script import Cut, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn

NOWHERE = "http://127.0.0.1:9"
CUT = Script(chunk("Hello "), chunk("world"), Cut())
SLOW = Script(chunk("Hello "), chunk("world"), Wait(30))
SLOW_WHOLE = Script(chunk("Hello world"), Wait(30))
SOON = 15.0  # seconds; the servers wait 30


def assert_interrupted(ran: RunResult) -> None:
    """The run ended by Ctrl-C, with its one line on stderr or none, and no traceback."""
    assert ran.code in (130, -signal.SIGINT), ran
    assert ran.stderr in ("", "easyllm: interrupted\n"), ran.stderr


@pytest.mark.parametrize(
    "module",
    ["cli/app", "typer/__init__", "typer/main", "cli/commands/chat", "cli/request",
     "asyncio/__init__", "providers/openai/chat", "httpx2/_client", "transport/http"],
)  # fmt: skip
def test_ctrl_c_while_importing(easyllm: Easyllm, module: str) -> None:
    """Python's own start (about 15 ms) is left out: there it may print a traceback."""
    folder, _, name = module.rpartition("/")
    env = signal_hook_environment(easyllm.home, "open", f"{folder}/__pycache__/{name}.")
    easyllm.write_profiles(single_profile_toml(NOWHERE))
    assert_interrupted(easyllm.run("chat", "hi", env=env))


def test_ctrl_c_that_python_turns_into_another_error() -> None:
    """Before Python 3.12 an exception in __set_name__ becomes a RuntimeError.

    Many classes run __set_name__ while they are imported.
    """

    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises((KeyboardInterrupt, RuntimeError)) as caught:
        type("Any", (), {"field": Field()})
    assert was_interrupted(caught.value)
    assert not was_interrupted(RuntimeError("another"))


def test_ctrl_c_during_a_dns_lookup(easyllm: Easyllm) -> None:
    env = signal_hook_environment(easyllm.home, "-") | {"SLOW_NAMES": "1"}
    profiles = single_profile_toml("http://slow.example")
    with easyllm.start("chat", "-v", "hi", profiles=profiles, env=env) as child:
        read_until(child.stderr, b"asking")
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    assert (ran.code, ran.stdout) == (130, b"")


def test_ctrl_c_while_the_partial_answer_is_written(easyllm: Easyllm) -> None:
    """The file is complete or absent: Ctrl-C during the write ends the run at once."""
    env = signal_hook_environment(easyllm.home, "open", "/partial/")
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server), env=env)
    assert_interrupted(ran)
    assert [path.read_text() for path in easyllm.partials()] in ([], ["Hello world"])


def start_and_wait_for_text(
    easyllm: Easyllm, profiles: str, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a chat into a pipe, and return when text has arrived, which it does not print yet.

    A prompt word that is a file's name is noted with the answer's first token.
    """
    (easyllm.home / "notes.txt").touch()
    child = easyllm.start("chat", "notes.txt", profiles=profiles, env=env)
    read_until(child.stderr, b"notes.txt")
    return child


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_the_partial_answer_is_written(
    easyllm: Easyllm, sent: signal.Signals
) -> None:
    env = signal_hook_environment(easyllm.home, "open", "/partial/", sent)
    with (
        StandIn(script_handler(SLOW_WHOLE)) as server,
        start_and_wait_for_text(easyllm, single_profile_toml(server), env) as child,
    ):
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    assert ran.code == 130
    assert_partial_answer_is_named(easyllm, ran)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("apart", [0.0, 0.001, 0.002, 0.02])
def test_a_signal_that_is_sent_twice(easyllm: Easyllm, sent: signal.Signals, apart: float) -> None:
    """timeout(1) and other runners send a signal twice; the partial answer is still saved."""
    with (
        StandIn(script_handler(SLOW_WHOLE)) as server,
        start_and_wait_for_text(easyllm, single_profile_toml(server)) as child,
    ):
        for _ in range(2):
            child.send_signal(sent)
            time.sleep(apart)
        ran = finish(child, None, SOON)
    assert ran.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent], ran.stderr
    assert_partial_answer_is_named(easyllm, ran)


def assert_partial_answer_is_named(easyllm: Easyllm, ran: RunResult) -> None:
    (partial,) = easyllm.partials()
    assert partial.read_text() == "Hello world"
    assert ran.stdout == b""
    assert str(partial) in ran.error_line


@pytest.mark.parametrize("apart", [0.0, 0.005, 0.02, 0.1])
def test_ctrl_c_twice_in_a_row(easyllm: Easyllm, apart: float) -> None:
    """The second arrives while the first closes the connection and writes its line."""
    with (
        StandIn(script_handler(SLOW)) as server,
        easyllm.start("stream", "hi", profiles=single_profile_toml(server)) as child,
    ):
        read_until(child.stdout, b"world")
        child.send_signal(signal.SIGINT)
        time.sleep(apart)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    assert_interrupted(ran)


def test_ctrl_c_twice_while_stderr_is_blocked(easyllm: Easyllm) -> None:
    """The last line waits 0.3 s for a blocked stderr, and not at all after a second Ctrl-C."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writer, True)
    with StandIn(script_handler(SLOW)) as server:
        child = easyllm.start("stream", "hi", profiles=single_profile_toml(server), stderr=writer)
        read_until(child.stdout, b"world")
        for _ in range(2):
            child.send_signal(signal.SIGINT)
            time.sleep(0.05)
        assert child.wait(SOON) == 130
        assert child.stdout is not None
        child.stdout.close()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_complete_answer_that_is_half_printed_is_saved(
    easyllm: Easyllm, sent: signal.Signals
) -> None:
    text = "0123456789\n" * 20_000
    reader, writer = os.pipe()
    with (
        StandIn(script_handler(chat_answer_script(text))) as server,
        easyllm.start("chat", "hi", profiles=single_profile_toml(server), stdout=writer) as child,
    ):
        os.close(writer)
        assert os.read(reader, 10) == b"0123456789", "output has started"
        child.send_signal(sent)
        ran = finish(child, None, SOON)
    os.close(reader)
    assert ran.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent]
    (partial,) = easyllm.partials()
    assert partial.read_text() == text
    assert str(partial) in ran.error_line


def test_ctrl_c_after_the_answer(easyllm: Easyllm) -> None:
    """The answer is on stdout, whether the run ends with 0 or by Ctrl-C."""
    env = signal_hook_environment(easyllm.home, "-")
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        for wait in (0.0, 0.004, 0.008, 0.032):
            with easyllm.start("chat", "hi", env=env) as child:
                out = read_until(child.stdout, b"Hello\n")
                time.sleep(wait)
                child.send_signal(signal.SIGINT)
                ran = finish(child, None, SOON)
            assert out + ran.stdout == b"Hello\n"
            # 130: the signal came before the write was known to be complete; the answer may
            # then be saved as a partial answer, too.
            assert ran.code in (0, 130, -signal.SIGINT)
            is_reported = (
                ran.code and ran.stderr and ran.error_line.startswith("easyllm: interrupted")
            )
            assert is_reported or not ran.stderr
