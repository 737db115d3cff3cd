"""`easyllm repl` at a real terminal: pastes, Ctrl-C, signals, kill -9, and hostile answers."""

import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.binary import (
    BINARY,
    Easyllm,
    chat_answer_script,
    single_profile_toml,
    wait_until,
)
from tests.support.objects import parse_listing_json
from tests.support.repl_process import KEEPS_TEXTS, ReplProcess
from tests.support.standins.script import DONE, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import run_on_terminals
from tests.support.tmux import TMUX_TIMEOUT_SECONDS, Tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

PROMPT = "t> "
HELD = Script(chunk("Begin of it.\n\n"), Wait(30))
PASTE = "\n".join(f"\tline {number} of /a paste" for number in range(400))
# Ctrl-Z at the prompt leads to the next command.
IN_TMUX = """
set -m; stty -g > before; "$0" repl; stty -g > stopped; fg; echo "$?" > code; stty -g > after
"""
# What a terminal would obey: a title, the clipboard, a colour.
HOSTILE = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[31m\u009b35m"


@pytest.fixture
def server(easyllm: Easyllm) -> Iterator[StandIn]:
    """Answers One, Two, Three in turn."""
    with StandIn(script_handler(*map(chat_answer_script, ("One", "Two", "Three")))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        yield server


def sent(server: StandIn, number: int = -1) -> list[tuple[str, Any]]:
    """The role and content of each message of a request."""
    messages = server.requests[number].json["messages"]
    return [(each["role"], each["content"]) for each in messages]


def wait_for_answers(tmux: Tmux, count: int) -> None:
    """Wait for so many status lines, with the next prompt behind each."""
    wait_until(lambda: tmux.text().count(f" s\n{PROMPT.strip()}") == count, TMUX_TIMEOUT_SECONDS)


def test_repl_1_a_paste_of_400_lines_is_one_question(easyllm: Easyllm, server: StandIn) -> None:
    with Tmux(easyllm.home, 80, 24) as tmux:
        env = easyllm.variables({"TERM": "tmux-256color", **KEEPS_TEXTS})
        tmux.start(["sh", "-c", IN_TMUX, BINARY], env)
        tmux.wait_for(PROMPT)
        tmux.press("Typed: ")
        tmux.wait_for("Typed: ")
        tmux.press("C-z")
        tmux.wait_for(f"repl\n{PROMPT}Typed: ")
        tmux.paste(PASTE)
        tmux.wait_for("line 399")
        tmux.press("Enter")
        wait_for_answers(tmux, 1)
        tmux.press("Up", "Enter")
        wait_for_answers(tmux, 2)
        assert "Two" in tmux.text()
        tmux.press("C-d")  # before the prompt stands again, it would be no key of the repl
        tmux.wait_for("ENDED")
    assert [sent(server, number)[-1][1] for number in range(len(server.requests))] == [
        f"Typed: {PASTE}"
    ] * 2
    assert (easyllm.home / "code").read_text() == "0\n"
    modes = [(easyllm.home / name).read_text() for name in ("before", "stopped", "after")]
    assert modes == modes[:1] * 3


def test_repl_1_no_character_of_a_text_is_lost(easyllm: Easyllm, server: StandIn) -> None:
    """Between three quotes, as where pastes are not marked; and of a marked paste of code."""
    code = '"""What it does."""\n\n\timport x'
    with ReplProcess(easyllm) as repl:
        repl.wait_for(PROMPT)
        for line in ('"""', "\tif x:", "/usage"):
            repl.pty.type_keys(f"{line}\r")
            repl.wait_for("… ")
        repl.enter('"""')
        for keys, answer in ((f"\x1b[200~{code}\x1b[201~\r", "Two"), ("a\tb\r", "Three")):
            repl.pty.type_keys(keys)
            repl.wait_for(answer)
            repl.wait_for(PROMPT)
        repl.enter("/quit", then="")
        assert repl.end() == 0
    asked = [sent(server, number)[-1][1] for number in range(len(server.requests))]
    assert asked == ["\tif x:\n/usage", code, "a\tb"]


def test_repl_2_kill_9_keeps_every_finished_turn(easyllm: Easyllm, server: StandIn) -> None:
    with ReplProcess(easyllm) as repl:
        repl.wait_for(PROMPT)
        repl.enter("a")
        repl.enter("b")
        repl.child.send_signal(signal.SIGKILL)
        repl.child.wait()
    ran = easyllm.run("history", "show", "-a", "--json", env=KEEPS_TEXTS)
    calls = parse_listing_json(ran, "calls")["calls"]
    assert [(call["prompt"], call["text"]) for call in calls] == [("a", "One"), ("b", "Two")]
    assert len({call["conversation"] for call in calls}) == 1
    with ReplProcess(easyllm, "--conversation", "last") as repl:
        for shown in ("t> a", "One", "t> b", "Two", PROMPT):
            repl.wait_for(shown)
        repl.enter("c")
        repl.enter("/quit", then="")
        assert repl.end() == 0
    turns = [("user", "a"), ("assistant", "One"), ("user", "b"), ("assistant", "Two")]
    assert sent(server) == [*turns, ("user", "c")]


def test_c_continues_the_conversation_of_the_terminal(easyllm: Easyllm, server: StandIn) -> None:
    with Tmux(easyllm.home, 80, 24) as tmux:
        env = easyllm.variables({"TERM": "tmux-256color", **KEEPS_TEXTS})
        tmux.start(["sh", "-c", '"$0" chat a; "$0" repl -c', BINARY], env)
        shown = tmux.wait_for("leaves\n")
        assert 'continuing "a" (1 turn' in shown
        assert f"{PROMPT}a\nOne\n" in shown
        tmux.press("b", "Enter")
        tmux.wait_for("Two")
        tmux.press("/quit", "Enter")
        tmux.wait_for("ENDED")
    assert sent(server) == [("user", "a"), ("assistant", "One"), ("user", "b")]


def test_repl_3_ctrl_c_stops_the_answer_and_the_repl_goes_on(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(HELD, chat_answer_script("Two"))) as server,
        ReplProcess(easyllm, profiles=single_profile_toml(server)) as repl,
    ):
        repl.wait_for(PROMPT)
        repl.enter("a", then="Begin")
        stopped_at = time.monotonic()
        repl.child.send_signal(signal.SIGINT)
        repl.wait_for("interrupted")
        repl.wait_for(PROMPT)
        assert time.monotonic() - stopped_at < 5
        repl.pty.type_keys("half a line")
        repl.wait_for("half a line")
        repl.child.send_signal(signal.SIGINT)
        repl.wait_for(PROMPT)
        repl.child.send_signal(signal.SIGINT)
        repl.wait_for("/quit or Ctrl-D leaves")
        repl.wait_for(PROMPT)
        repl.enter("b")
        repl.pty.type_keys("\x04")
        assert repl.end() == 0
        assert sent(server) == [("user", "b")]
    ran = easyllm.run("history", "show", "-a", "--json", env=KEEPS_TEXTS)
    calls = parse_listing_json(ran, "calls")["calls"]
    assert [(call["prompt"], call["exit_code"]) for call in calls] == [("a", 130), ("b", 0)]
    assert calls[0]["text"].startswith("Begin of it.")


@pytest.mark.parametrize("is_answering", [True, False], ids=["answering", "at the prompt"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_repl_3_signals_end_it_with_143(
    easyllm: Easyllm, number: signal.Signals, is_answering: bool
) -> None:
    with (
        StandIn(script_handler(HELD)) as server,
        ReplProcess(easyllm, profiles=single_profile_toml(server)) as repl,
    ):
        repl.wait_for(PROMPT)
        if is_answering:
            repl.enter("a", then="Begin")
        repl.child.send_signal(number)
        assert repl.end() == 143


def test_repl_6_control_characters_of_a_model_reach_nothing(easyllm: Easyllm) -> None:
    text = f"Text {HOSTILE}\n\n```sh\necho {HOSTILE}\n```\n"
    answer = Script(chunk(text, model=f"model {HOSTILE}"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(answer)) as server:
        easyllm.write_profiles(single_profile_toml(server))
        with ReplProcess(easyllm) as repl:
            repl.wait_for(PROMPT)
            repl.enter("ask")
            repl.enter("/code")
            repl.pty.type_keys("\x1b[A\x1b[A\r")  # Up twice: what was typed, nothing else
            repl.wait_for("echo")
            repl.wait_for(PROMPT)
            repl.enter("/quit", then="")
            assert repl.end() == 0
            first = repl.pty.written()
        with ReplProcess(easyllm, "--conversation", "last") as repl:
            repl.wait_for("echo")
            repl.wait_for(PROMPT)
            repl.enter("/quit", then="")
            assert repl.end() == 0
            second = repl.pty.written()
    assert [sent(server, number)[-1] for number in (0, 1)] == [("user", "ask")] * 2
    for written in (first, second):
        assert b"\x07" not in written
        assert not [sign for sign in ("\x1b]", "\x1b[31m", "\u009b") if sign.encode() in written]
        assert written.count("␛]0;owned␇".encode()) >= 2


def test_chat_without_a_prompt_at_a_terminal_names_the_repl(easyllm: Easyllm) -> None:
    profiles = single_profile_toml("http://127.0.0.1:9/v1")
    code, stdout, stderr = run_on_terminals(easyllm, "chat", profiles=profiles, columns=200)
    assert (code, stdout) == (2, "")
    assert "easyllm repl" in stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("hi",), "needs a terminal"), (("--json",), "--json and repl do not go together"),
        (("--jsonl",), "--jsonl and repl"), (("--dry-run",), "--dry-run and repl"),
        (("--messages", "-"), "--messages and repl"), (("-x",), "in the repl: /code"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_sends_nothing(
    easyllm: Easyllm, server: StandIn, options: tuple[str, ...], says: str
) -> None:
    ran = easyllm.run("repl", *options, stdin="typed\n")
    assert (ran.code, server.requests) == (2, [])
    assert says in ran.stderr
    if "--json" in options:
        assert ran.json["error"]["exit_code"] == 2
