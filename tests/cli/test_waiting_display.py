"""Terminal display beside the answer: spinner, countdown, reasoning panel and summary line."""

import os
import re
import signal
import sys
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
from tests.support.servers.fixtures import RealServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, Cut, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import Handler, StandIn
from tests.support.terminal import Terminal, run_on_one_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

THOUGHT = re.compile(r"∴ thought for \d+\.\d s, about \d+ tokens")


def gated(gate: threading.Event, before: bytes, after: bytes) -> Handler:
    """Handler that sends `before`, waits for the gate, and then sends `after`."""

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(before)
        while not gate.is_set():
            await reply.sleep(0.01)
        await reply.write(after + chunk(finish="stop") + DONE)

    return handler


@contextmanager
def run_on_two_terminals(easyllm: Easyllm, handler: Handler, *args: str) -> Iterator[Terminal]:
    """Run against this handler; stdout and stderr are a terminal each."""
    with (
        StandIn(handler) as server,
        Terminal(easyllm, *args, profiles=single_profile_toml(server)) as terminal,
    ):
        yield terminal


def test_spinner_names_profile_and_model(easyllm: Easyllm) -> None:
    """It is shown until the first token, and then erased."""
    gate = threading.Event()
    with run_on_two_terminals(easyllm, gated(gate, b"", chunk("Hello")), "chat", "hi") as terminal:
        terminal.stderr.wait_for("t · test-model · 0 s".encode())
        terminal.stderr.wait_for("t · test-model · 1 s".encode())
        gate.set()
        code, out, err = terminal.end()
    assert (code, out) == (0, "Hello\n")
    assert emulate_terminal(err).text() == [""]
    assert emulate_terminal(err).resting


@pytest.mark.parametrize("terminals", ["12", "2"])
def test_no_spinner_with_q(easyllm: Easyllm, terminals: str) -> None:
    gate = threading.Event()
    with StandIn(gated(gate, b"", chunk("Hello"))) as server:
        profiles = single_profile_toml(server)
        with Terminal(
            easyllm, "chat", "-q", "hi", profiles=profiles, terminals=terminals
        ) as terminal:
            wait_until(lambda: server.requests)
            threading.Timer(0.6, gate.set).start()
            code, out, err = terminal.end()
    assert (code, out, err) == (0, "Hello\n", "")


def test_countdown_to_the_next_attempt(easyllm: Easyllm) -> None:
    busy = Script(b"{}", status=503, headers={"Retry-After": "2"}, content_type="application/json")
    with run_on_two_terminals(
        easyllm, script_handler(busy, chat_answer_script("Hello")), "chat", "hi"
    ) as terminal:
        terminal.stderr.wait_for("t · test-model · next try in 2 s".encode())
        terminal.stderr.wait_for("t · test-model · next try in 1 s".encode())
        code, out, err = terminal.end()
    assert (code, out) == (0, "Hello\n")
    rows = emulate_terminal(err, 80).text()
    assert len(rows) == 1, "the note stays, the countdown is erased"
    assert "next try in 2.0 s (try 2)" in rows[0]


def test_reasoning_is_live_and_then_one_line(easyllm: Easyllm) -> None:
    gate = threading.Event()
    reasoning = "".join(f"step{number} is a thought with some words.\n" for number in range(30))
    script = gated(gate, chunk(reasoning=reasoning), chunk("The **answer**"))
    with run_on_two_terminals(easyllm, script, "chat", "hi") as terminal:
        terminal.stderr.wait_for("∴ thinking 1 s".encode())
        live = emulate_terminal(terminal.stderr.data).text()
        gate.set()
        code, out, err = terminal.end()
    assert live[0].startswith("∴ thinking ")
    assert live[1:] == [f"│ step{number} is a thought with some words." for number in range(24, 30)]
    assert (code, emulate_terminal(out).text()) == (0, ["The answer"])
    assert THOUGHT.fullmatch(emulate_terminal(err).text()[0])
    assert len(emulate_terminal(err).text()) == 1
    assert not emulate_terminal(err).gone


@pytest.mark.parametrize("command", ["chat", "stream"])
def test_answer_and_reasoning_on_one_terminal(easyllm: Easyllm, command: str) -> None:
    with StandIn(
        script_handler(chat_answer_script("# The ", "answer", reasoning="Let me think"))
    ) as server:
        code, screen = run_on_one_terminal(
            easyllm, command, "hi", profiles=single_profile_toml(server)
        )
    line, *others = screen.text()
    assert code == 0
    assert THOUGHT.fullmatch(line)
    assert others == ["", "The answer"]
    assert screen.resting


def test_raw_has_the_panel_too(easyllm: Easyllm) -> None:
    """Later reasoning begins on a line of its own, and is not part of the answer."""
    script = Script(
        chunk(reasoning="first"), chunk("# Title\n*so"), chunk(reasoning="second"), chunk("me*"),
        chunk(finish="stop"), DONE,
    )  # fmt: skip
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "--raw", "hi", profiles=single_profile_toml(server)
        )
    rows = screen.text()
    assert code == 0
    assert sum(bool(THOUGHT.fullmatch(row)) for row in rows) == 2
    assert [row for row in rows if row and not THOUGHT.fullmatch(row)] == ["# Title", "*so", "me*"]
    assert screen.resting


def test_code_alone_on_a_terminal(easyllm: Easyllm) -> None:
    script = chat_answer_script("Here:\n```sh\nls\n```\n", reasoning="Let me think")
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "-x", "hi", profiles=single_profile_toml(server)
        )
    assert code == 0
    assert THOUGHT.fullmatch(screen.text()[0])
    assert screen.text()[1:] == ["", "ls"]


@pytest.mark.parametrize("size", [(20, 6), (0, 0), (300, 80)])
def test_any_terminal_size(easyllm: Easyllm, size: tuple[int, int]) -> None:
    text = "# A title of some words\n\n" + "many words " * 9 + "\n\n- an item\n\n```\ncode\n```"
    with StandIn(script_handler(chat_answer_script(text, reasoning="thoughts " * 30))) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server), size=size
        )
    rows = screen.text()
    assert code == 0
    assert " ".join(rows).split().count("many") == 9
    assert rows[-5:] == ["• an item", "", "```", "code", "```"]


def test_cot_shows_all_reasoning(easyllm: Easyllm) -> None:
    lines = [f"step{number} " + "word " * 30 + "\n" for number in range(12)]
    script = Script(
        *[chunk(reasoning=line) for line in lines], *[chunk("ok")], chunk(finish="stop")
    )
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "cot", "hi", profiles=single_profile_toml(server), size=(40, 10)
        )
    rows = screen.text()
    assert code == 0
    assert rows[0] == "∴ thinking"
    assert re.findall(r"step\d+", "\n".join(rows)) == [f"step{number}" for number in range(12)]
    assert "".join(rows).count("word") == 12 * 30
    assert THOUGHT.search("".join(rows[-5:]))
    assert rows[-2:] == ["", "ok"]


def test_spinner_while_reasoning_is_hidden(easyllm: Easyllm) -> None:
    """-R hides it, and the spinner goes on while the model reasons."""
    gate = threading.Event()
    with run_on_two_terminals(
        easyllm, gated(gate, chunk(reasoning="secret thought"), chunk("ok")), "chat", "-R", "hi"
    ) as terminal:
        terminal.stderr.wait_for("t · test-model · 1 s".encode())
        gate.set()
        code, out, err = terminal.end()
    assert (code, out) == (0, "ok\n")
    assert "secret" not in err
    assert emulate_terminal(err).text() == [""]


def test_reasoning_only_is_rendered_like_an_answer(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("answer", reasoning="**Let** me"))) as server:
        args = ("chat", "--reasoning", "only", "hi")
        code, screen = run_on_one_terminal(easyllm, *args, profiles=single_profile_toml(server))
    assert (code, screen.text()) == (0, ["Let me"])


def test_reasoning_and_no_answer(easyllm: Easyllm) -> None:
    """An error line and exit code 7; the last reasoning can still be read."""
    script = Script(chunk(reasoning="I wonder"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
    rows = screen.text()
    assert code == 7
    assert THOUGHT.fullmatch(rows[0])
    assert rows[1] == "│ I wonder"
    assert rows[2].startswith("easyllm: the model only reasoned and gave no answer")


def test_reasoning_after_the_answer_has_begun(easyllm: Easyllm) -> None:
    """Unfinished rows are moved; nothing is lost, doubled or mixed."""
    script = Script(
        chunk(reasoning="first"), chunk("# Title\n\n|a|b|\n|-|-|\n|c|d|\n"),
        chunk(reasoning="second"),
        chunk("|a longer cell|e|\n\n- item"), chunk(reasoning="third"), chunk(" end"),
        chunk(finish="stop"), DONE,
    )  # fmt: skip
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
    rows = screen.text()
    assert code == 0
    assert sum(bool(THOUGHT.fullmatch(row)) for row in rows) == 3
    answer = [row for row in rows if row and not THOUGHT.fullmatch(row)]
    assert answer == [
        "Title", "a              b", "─────────────  ─", "c              d", "a longer cell  e",
        "• item end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "seen_first", "kept"),
    [
        (chunk("# A title\n\nand **half** a sen"), "half a sen", ["A title", "", "and half a sen"]),
        (chunk("```python\nx = 1\ny ="), "y =", ["```python", "x = 1", "y =", "```"]),
        (chunk("| a | b |\n|---|---|\n| c |"), "c", ["a  b", "─  ─", "c"]),
        (chunk(reasoning="I wonder"), "I wonder", ["│ I wonder"]),
    ],
    ids=["text", "code", "table", "reasoning"],
)
def test_ctrl_c_keeps_what_came_and_restores_the_terminal(
    easyllm: Easyllm, sent: bytes, seen_first: str, kept: list[str]
) -> None:
    with StandIn(gated(threading.Event(), sent, b"")) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server), stop=seen_first
        )
    *rows, last = screen.text()
    assert code == 130
    assert [row for row in rows if not THOUGHT.fullmatch(row)] == kept
    assert last == "easyllm: interrupted"
    assert screen.resting


def test_ctrl_c_before_the_first_token(easyllm: Easyllm) -> None:
    with StandIn(gated(threading.Event(), b"", b"")) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server), stop=" 0 s"
        )
    assert (code, screen.text()) == (130, ["easyllm: interrupted"])
    assert screen.resting


def test_cut_answer_stays(easyllm: Easyllm) -> None:
    script = Script(chunk("# A title\n\nand **half**"), Cut())
    with StandIn(script_handler(script)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
    rows = screen.text()
    assert code == 7
    assert rows[:3] == ["A title", "", "and half"]
    assert rows[3].startswith("easyllm: the answer was cut")


def test_text_that_turns_out_to_be_reasoning(easyllm: Easyllm) -> None:
    with StandIn(
        script_handler(chat_answer_script("I think. ", "</think>", "The answer"))
    ) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
    assert code == 0
    assert screen.text() == [
        "I think.",
        "easyllm: the text above was the model's reasoning; the answer follows",
        "The answer",
    ]


def test_usage(easyllm: Easyllm) -> None:
    """Tokens in, out and for reasoning, times, tokens per second, and the cost if it is known."""
    usage = usage_chunk(12, 340, reasoning_tokens=200, cost=0.00125)
    with StandIn(script_handler(chat_answer_script("The answer", then=(usage, DONE)))) as server:
        profiles = single_profile_toml(server, "openrouter")
        code, screen = run_on_one_terminal(easyllm, "chat", "-u", "hi", profiles=profiles)
    text = "".join("".join(screen.text()).split())  # the terminal wraps the line
    assert code == 0
    assert re.search(
        r"12tokensin,340out\(200reasoning\),firsttoken\d\.\d\ds,total\d\.\d\ds,"
        r"\d+tokens/s,\$0\.00125",
        text,
    ), text


def test_no_speed_for_a_buffered_answer(easyllm: Easyllm) -> None:
    body = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],'
    body += b'"usage":{"prompt_tokens":1,"completion_tokens":9}}'
    with StandIn(script_handler(Script(body, content_type="application/json"))) as server:
        ran = easyllm.run("chat", "-u", "--no-stream", "hi", profiles=single_profile_toml(server))
    assert "9 out" in ran.stderr
    assert "tokens/s" not in ran.stderr


def test_panel_and_answer_of_a_real_model(easyllm: Easyllm, thinker: RealServer) -> None:
    profiles = single_profile_toml(f"{thinker.url}/v1", "llamacpp", model=thinker.model)
    code, screen = run_on_one_terminal(easyllm, "chat", "-u", "What is 2+2?", profiles=profiles)
    rows = screen.text()
    assert code == 0
    assert THOUGHT.fullmatch(rows[0])
    assert rows[1] == ""
    assert rows[2]
    assert "tokens/s" in rows[-1]
    assert screen.resting


def test_shell_output_while_stopped_stays(easyllm: Easyllm) -> None:
    """Ctrl-Z and fg: unfinished rows are drawn again below it, and nothing of it is erased."""
    gate = threading.Event()
    handler = gated(gate, chunk("# A title\n\nSome **words**"), chunk(" and the end"))
    with StandIn(handler) as server, Pty(80, 24) as pty:
        # The installed command, because only a process's parent can wait for its stop.
        child = easyllm.start(
            "chat", "hi", profiles=single_profile_toml(server), env={"TERM": "xterm-256color"},
            stdin=pty.descriptor, stdout=pty.descriptor, stderr=pty.descriptor, command=[BINARY],
        )  # fmt: skip
        wait_until(lambda: "Some words" in pty.seen().text())
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        os.write(pty.descriptor, b"\n[1]+  Stopped\n$ ls\nfile\n$ fg\n")
        child.send_signal(signal.SIGCONT)
        wait_until(lambda: "Some words" in pty.seen().text()[-1])
        gate.set()
        assert child.wait(RUN_TIMEOUT_SECONDS) == 0
        rows = emulate_terminal(pty.whole(), *pty.size).text()
    assert rows == [
        "A title", "", "Some words", "[1]+  Stopped", "$ ls", "file", "$ fg", "",
        "Some words and the end",
    ]  # fmt: skip


def test_sigterm_keeps_the_text(easyllm: Easyllm) -> None:
    with run_on_two_terminals(
        easyllm, gated(threading.Event(), chunk("Some **words**"), b""), "chat", "hi"
    ) as terminal:
        terminal.stdout.wait_for(b"words")
        terminal.signal(signal.SIGTERM)
        code, out, _ = terminal.end()
    assert code == 143
    assert emulate_terminal(out).text() == ["Some words"]
    assert emulate_terminal(out).resting


def test_note_at_the_end_follows_the_answer(easyllm: Easyllm) -> None:
    """Not in the middle of the unfinished list."""
    answer = chat_answer_script("A list:\n\n- one\n", "- two and", " half", finish="length")
    with StandIn(script_handler(answer)) as server:
        code, screen = run_on_one_terminal(
            easyllm, "chat", "--max-tokens", "9", "hi", profiles=single_profile_toml(server)
        )
    rows = [row for row in screen.text() if row.strip()]
    assert code == 0
    assert rows[-1].startswith("easyllm: the answer was cut at the token limit")
    assert rows[-2].endswith("two and half")
