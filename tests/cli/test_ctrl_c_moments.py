"""Ctrl-C once and twice at any moment: 130, at once, no traceback, and what came is kept."""

import os
import signal
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
SOON = 15.0  # seconds; what is waited for takes 30


def stopped(ran: RunResult) -> None:
    """It ended by Ctrl-C, in so many words or in none, never in a traceback's."""
    assert ran.code in (130, -signal.SIGINT), ran
    assert ran.stderr in ("", "easyllm: interrupted\n"), ran.stderr


@pytest.mark.parametrize(
    "module",
    ["cli/app", "typer/__init__", "typer/main", "cli/commands/chat", "cli/request",
     "asyncio/__init__", "providers/openai/chat", "httpx2/_client", "transport/http"],
)  # fmt: skip
def test_ctrl_c_while_importing(easyllm: Easyllm, module: str) -> None:
    """The first 15 ms are Python's own, and it may print a traceback then."""
    folder, _, name = module.rpartition("/")
    env = signal_hook_environment(easyllm.home, "open", f"{folder}/__pycache__/{name}.")
    easyllm.run("chat", "hi", profiles=single_profile_toml(NOWHERE))  # everything is compiled
    stopped(easyllm.run("chat", "hi", env=env))


def test_ctrl_c_that_python_makes_another_error_of() -> None:
    """Until 3.12 it does so in __set_name__, which half of the classes in an import have."""

    class Field:
        def __set_name__(self, owner: type, name: str) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises((KeyboardInterrupt, RuntimeError)) as caught:
        type("Any", (), {"field": Field()})
    assert was_interrupted(caught.value)
    assert not was_interrupted(RuntimeError("another"))


def test_ctrl_c_while_a_name_is_looked_up(easyllm: Easyllm) -> None:
    env = signal_hook_environment(easyllm.home, "-") | {"SLOW_NAMES": "1"}
    profiles = single_profile_toml("http://slow.example")
    with easyllm.start("chat", "-v", "hi", profiles=profiles, env=env) as child:
        read_until(child.stderr, b"asking")
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    assert (ran.code, ran.stdout) == (130, b"")


def test_ctrl_c_while_the_partial_answer_is_written(easyllm: Easyllm) -> None:
    """Its file is there whole or not at all: a second Ctrl-C is obeyed at once."""
    env = signal_hook_environment(easyllm.home, "open", "/partial/")
    with StandIn(script_handler(CUT)) as server:
        ran = easyllm.run("chat", "--no-retry", "hi", profiles=single_profile_toml(server), env=env)
    stopped(ran)
    assert [path.read_text() for path in easyllm.partials()] in ([], ["Hello world"])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_while_the_partial_answer_is_written(
    easyllm: Easyllm, sent: signal.Signals
) -> None:
    env = signal_hook_environment(easyllm.home, "open", "/partial/", sent)
    with (
        StandIn(script_handler(SLOW)) as server,
        easyllm.start("chat", "-v", "hi", profiles=single_profile_toml(server), env=env) as child,
    ):
        read_until(child.stderr, b"\n")
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    assert ran.code == 130
    is_kept_and_named(easyllm, ran)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("apart", [0.0, 0.001, 0.002, 0.02])
def test_one_that_is_passed_on_twice(easyllm: Easyllm, sent: signal.Signals, apart: float) -> None:
    """As `timeout` does, and what runs a command for somebody: the text is kept all the same."""
    with (
        StandIn(script_handler(SLOW)) as server,
        easyllm.start("chat", "-v", "hi", profiles=single_profile_toml(server)) as child,
    ):
        read_until(child.stderr, b"\n")
        time.sleep(0.5)
        for _ in range(2):
            child.send_signal(sent)
            time.sleep(apart)
        ran = finish(child, None, SOON)
    assert ran.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent], ran.stderr
    is_kept_and_named(easyllm, ran)


def is_kept_and_named(easyllm: Easyllm, ran: RunResult) -> None:
    (kept,) = easyllm.partials()
    assert kept.read_text() == "Hello world"
    assert ran.stdout == b""
    assert str(kept) in ran.error_line


@pytest.mark.parametrize("apart", [0.0, 0.005, 0.02, 0.1])
def test_two_in_a_row(easyllm: Easyllm, apart: float) -> None:
    """While the first one closes the connection and says so."""
    with (
        StandIn(script_handler(SLOW)) as server,
        easyllm.start("stream", "hi", profiles=single_profile_toml(server)) as child,
    ):
        read_until(child.stdout, b"world")
        child.send_signal(signal.SIGINT)
        time.sleep(apart)
        child.send_signal(signal.SIGINT)
        ran = finish(child, None, SOON)
    stopped(ran)


def test_two_while_nobody_reads(easyllm: Easyllm) -> None:
    """The last words wait for the reader of stderr 0.3 s, and not at all after a second one."""
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
def test_a_whole_answer_that_is_only_half_read_is_kept(
    easyllm: Easyllm, sent: signal.Signals
) -> None:
    text = "0123456789\n" * 20_000
    reader, writer = os.pipe()
    with (
        StandIn(script_handler(chat_answer_script(text))) as server,
        easyllm.start("chat", "hi", profiles=single_profile_toml(server), stdout=writer) as child,
    ):
        os.close(writer)
        assert os.read(reader, 10) == b"0123456789", "it has begun to come"
        child.send_signal(sent)
        ran = finish(child, None, SOON)
    os.close(reader)
    assert ran.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent]
    (kept,) = easyllm.partials()
    assert kept.read_text() == text
    assert str(kept) in ran.error_line


def test_when_all_is_said(easyllm: Easyllm) -> None:
    """At the very end: the answer is whole, whichever of the two it was."""
    env = signal_hook_environment(easyllm.home, "-")
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        for wait in (0.0, 0.002, 0.004, 0.008, 0.016, 0.032):
            with easyllm.start("chat", "hi", env=env) as child:
                out = read_until(child.stdout, b"Hello\n")
                time.sleep(wait)
                child.send_signal(signal.SIGINT)
                ran = finish(child, None, SOON)
            assert out + ran.stdout == b"Hello\n"
            # not 0: it came before we knew that all was written, which may be kept as well
            assert ran.code in (0, 130, -signal.SIGINT)
            said_so = ran.code and ran.stderr and ran.error_line.startswith("easyllm: interrupted")
            assert said_so or not ran.stderr
