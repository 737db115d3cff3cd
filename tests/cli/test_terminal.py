"""On a real terminal: live, dim reasoning apart, and no byte of a server that could steer it."""

import json
import re
import signal
import sys
import threading

import pytest

from tests.support.binary import (
    Easyllm,
    chat_answer_script,
    profile_toml,
    run_concurrently,
    single_profile_toml,
)
from tests.support.emulator import emulate_terminal
from tests.support.standins.openrouter import OpenRouterServer
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import DONE, Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal, run_on_terminals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

EVIL = (
    "\x1b]52;c;aGk=\x07", "\x1b]0;title\x1b\\", "\x1b[2J\x1b[H", "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
    "\x9b2J", "\x9d52;c;aGk=\x9c", "\x07", "\x08\x08\x08", "over\rwritten", "\u202ereversed\u202c",
    "\u2066isolated\u2069", "\x1bP+q\x1b\\", "\x1bc", "\x7f", "\x00", "\U000e0041\U000e0042",
    "\x1b[2K\x1b[1A", "\x1b[?7l", "\x1b[?2026h", "<http://x/%1B%5B2J>", "&#x202e;&#x9b;&#27;[2J",
)  # fmt: skip
# Our own codes: styles, rows that are erased, autowrap, frames. Everything else below a space, C1
# and bidi is theirs.
OURS = re.compile(r"\x1b\[(?:0|1|2|3|4|9|32|35|36|;)*m|\r?\x1b\[2K|\x1b\[1A|\x1b\[\?(?:7|2026)[hl]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7][;m]")
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def harmless(text: str) -> None:
    """Nothing in it steers a terminal but our own dim and bold."""
    found = STEERING.findall(OURS.sub("", text))
    assert not found, f"{found} in {text!r}"


def test_answer_grows(easyllm: Easyllm) -> None:
    """It is on the screen before the server has finished."""
    asked = threading.Event()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk("Hello "))
        while not asked.is_set():
            await reply.sleep(0.01)
        await reply.write(chunk("world") + chunk(finish="stop") + DONE)

    with StandIn(handler) as server:
        for command in ("chat", "stream"):
            asked.clear()
            with Terminal(easyllm, command, "hi", profiles=single_profile_toml(server)) as terminal:
                terminal.stdout.wait_for(b"Hello")
                asked.set()
                code, out, _ = terminal.end()
            assert (code, emulate_terminal(out).text()) == (0, ["Hello world"])


def test_reasoning_stands_dim_on_stderr(easyllm: Easyllm) -> None:
    script = chat_answer_script("The answer", reasoning="Let me think")
    with StandIn(script_handler(script)) as server:
        for command in ("chat", "cot"):
            code, out, err = run_on_terminals(
                easyllm, command, "hi", profiles=single_profile_toml(server)
            )
            assert (code, out) == (0, "The answer\n")
            assert "\x1b[2m" in err
            assert "Let me think" in err
            assert err.rfind("\x1b[0m") > err.find("Let me think"), "dim ends"
        code, out, err = run_on_terminals(
            easyllm, "chat", "-R", "hi", profiles=single_profile_toml(server)
        )
        assert (code, out) == (0, "The answer\n")
        assert "thought" not in err


@pytest.mark.parametrize(
    ("env", "args", "colored"),
    [
        ({}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": ""}, (), True),
        ({}, ("--color", "never"), False),
        ({"NO_COLOR": "1"}, ("--color", "always"), True),
    ],
)
def test_colour(
    easyllm: Easyllm, env: dict[str, str], args: tuple[str, ...], colored: bool
) -> None:
    """Without colours it is still Markdown: bold and dim are none."""
    answer = chat_answer_script("The **bold** `code`", reasoning="Let me think")
    with StandIn(script_handler(answer)) as server:
        _, out, err = run_on_terminals(
            easyllm, "cot", *args, "hi", profiles=single_profile_toml(server), env=env
        )
    assert bool(COLOUR.search(out)) == colored
    assert emulate_terminal(out).text() == ["The bold code"]
    assert "\x1b[1mbold\x1b[0m" in out
    assert "Let me think" in err


@pytest.mark.parametrize(("args", "dim"), [((), False), (("--color", "always"), True)])
@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_move_its_cursor(
    easyllm: Easyllm, args: tuple[str, ...], dim: bool, term: str | None
) -> None:
    """The text as it is, and no code but the dim that was asked for."""
    answer = chat_answer_script("The **answer**", reasoning="Let me think")
    with StandIn(script_handler(answer)) as server:
        profiles, env = single_profile_toml(server), {"TERM": term}
        _, out, err = run_on_terminals(easyllm, "cot", *args, "hi", profiles=profiles, env=env)
    assert out == "The **answer**\n"
    assert ("\x1b" in err) == (dim or term != "dumb")
    assert "\x1b" not in OURS.sub("", err)
    assert "\x1b[2K" not in err


def test_raw(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("# The **answer**\x1b[2J"))) as server:
        _, out, _ = run_on_terminals(
            easyllm, "chat", "--raw", "hi", profiles=single_profile_toml(server)
        )
    assert out == "# The **answer**␛[2J\n"


def test_fault_62_steering_answer_and_reasoning(easyllm: Easyllm) -> None:
    """Whole and cut at every character; a pipe gets the bytes as they came."""
    text = "a".join(EVIL) + "end"
    frames = [chunk(reasoning=one) for one in text]
    frames += [chunk(one) for one in text]
    frames += [chunk("?2J").replace(b"?", bytes([c1])) for c1 in range(0x80, 0xA0)]  # no UTF-8
    with StandIn(script_handler(Script(*frames, chunk(finish="stop"), DONE))) as server:
        profiles = single_profile_toml(server)
        (code, out, err), piped = run_concurrently(
            lambda: run_on_terminals(easyllm.with_new_home(), "cot", "hi", profiles=profiles),
            lambda: run_on_terminals(
                easyllm.with_new_home(), "cot", "hi", profiles=profiles, terminals=""
            ),
        )
    assert code == 0
    harmless(out)
    harmless(err)
    assert "end" in out
    assert "end" in err
    assert piped[0] == 0
    assert piped[1] == text.replace("\r\n", "\n") + "\ufffd2J" * 32 + "\n"


def test_fault_62_steering_on_the_other_screen(easyllm: Easyllm) -> None:
    """stdout a pipe, stderr a terminal: reasoning and notes are still harmless."""
    text = "".join(EVIL)
    script = Script(chunk(reasoning=text), chunk("ok"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(script)) as server:
        args = ("cot", "-v", "-m", text.replace("\x00", ""), "hi")
        code, out, err = run_on_terminals(
            easyllm, *args, profiles=single_profile_toml(server), terminals="2"
        )
    assert (code, out) == (0, "ok\n")
    harmless(err)


def test_fault_62_steering_error(easyllm: Easyllm) -> None:
    """The words of a server, of a page's title and of a profile, plain and with --debug."""
    text = "".join(EVIL)
    body = json.dumps({"error": {"message": text}}).encode()
    page = f"<html><title>{text}</title>".encode()
    for script in (
        Script(body, status=400, content_type="application/json"),
        Script(page, status=404, content_type="text/html"),
        Script(status=302, headers={"Location": "http://x/\x1b]0;t\x07\x9b2J"}),
    ):
        with StandIn(script_handler(script)) as server:
            for args in ((), ("--debug",)):
                code, out, err = run_on_terminals(
                    easyllm, "chat", *args, "hi", profiles=single_profile_toml(server)
                )
                assert code == 4
                harmless(out)
                harmless(err)


def test_fault_62_steering_names(easyllm: Easyllm) -> None:
    """Model names in the table, in a pipe's list (unchanged) and in a hint."""
    names = [f"m{number}{evil}" for number, evil in enumerate(EVIL)]

    async def handler(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"data": [{"id": name} for name in names]})
        else:
            await reply.json({"error": {"message": "no such model"}}, 404)

    with StandIn(handler) as server:
        code, out, _ = run_on_terminals(
            easyllm, "models", profiles=single_profile_toml(server), columns=60
        )
        assert code == 0
        harmless(out)
        profiles = single_profile_toml(server, model="m0")
        code, out, err = run_on_terminals(easyllm, "chat", "hi", profiles=profiles)
        assert code == 4
        harmless(out + err)


def test_fault_62_steering_profiles(easyllm: Easyllm) -> None:
    """A profile's name in a list, in -v and in an error, and an answering model's own."""
    name = re.sub("[\0:]", "", "".join(EVIL))  # no argument holds the one, no name the other
    quoted = "".join(f"\\U{ord(char):08x}" for char in name)
    renamed = chunk("ok", model=name)
    with StandIn(script_handler(Script(renamed, chunk(finish="stop"), DONE))) as server:
        table = profile_toml(server, "openrouter", name=f'"{quoted}"')
        for args, code in (
            (("profiles", "list"), 0), (("chat", "-v", "-p", name, "hi"), 0),
            (("chat", "-p", f"{name}x", "hi"), 2), (("chat", f"--{name}", "hi"), 2),
            (("profiles", "show", name), 0), (("doctor", "-p", name), 0),
        ):  # fmt: skip
            ended, out, err = run_on_terminals(easyllm, *args, profiles=table)
            assert ended == code or args[0] == "doctor", (args, err)
            harmless(out + err)


@pytest.mark.parametrize("args", [("chat", "--json"), ("stream", "--jsonl"), ("models", "--json")])
def test_fault_63_steering_json(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    """JSON escapes it: C0, and C1 and bidi, too (FAULTS promise 63)."""
    text = "".join(EVIL)

    async def handler(request: Request, reply: Reply) -> None:
        if request.method == "GET":
            await reply.json({"data": [{"id": text}]})
            return
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk(text) + chunk(finish="stop") + DONE)

    words = [] if args[0] == "models" else ["hi"]
    with StandIn(handler) as server:
        code, out, err = run_on_terminals(
            easyllm, *args, *words, profiles=single_profile_toml(server)
        )
    assert code == 0
    harmless(out + err)
    last = json.loads(out.splitlines()[-1])
    assert (last["models"][0]["id"] if "models" in last else last["text"]) == text


def test_models_as_a_table(easyllm: Easyllm) -> None:
    """It fits the terminal; what no model says is no column."""
    with StandIn(OpenRouterServer().handle) as server:
        profiles = single_profile_toml(server, "openrouter")
        code, out, err = run_on_terminals(easyllm, "models", profiles=profiles, columns=60)
    assert (code, err) == (0, "")
    lines = OURS.sub("", out).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split()[0] == "model"
    assert "$/M in" in lines[0]
    assert "vendor/plain" in out


def test_long_names_fold(easyllm: Easyllm) -> None:
    async def handler(request: Request, reply: Reply) -> None:
        await reply.json({"data": [{"id": "x" * 150}, {"id": "short"}]})

    with StandIn(handler) as server:
        _, out, _ = run_on_terminals(
            easyllm, "models", profiles=single_profile_toml(server), columns=60
        )
    assert max(map(len, OURS.sub("", out).splitlines())) <= 60
    assert out.count("x") == 150, "nothing is cut"


def test_cut_answer(easyllm: Easyllm) -> None:
    """It stands on the screen, so nothing is kept; the code says what happened."""
    with StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server:
        code, out, err = run_on_terminals(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
        assert len(server.requests) == 1, "shown: no second try"
    assert (code, out) == (7, "Hel\n")
    assert err.startswith("easyllm: the answer was cut")
    assert not easyllm.partials()


def test_ctrl_c(easyllm: Easyllm) -> None:
    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk(reasoning="Hm"))
        await reply.sleep(30)

    with StandIn(handler) as server:
        terminal = Terminal(easyllm, "chat", "hi", profiles=single_profile_toml(server))
        with terminal:
            terminal.stderr.wait_for(b"Hm")
            terminal.signal(signal.SIGINT)
            code, out, err = terminal.end()
    assert (code, out) == (130, "")
    assert "interrupted" in err
    assert err.rfind("\x1b[0m") > err.rfind("\x1b[2m"), "the terminal is left as it was"


def test_no_prompt_on_a_terminal(easyllm: Easyllm) -> None:
    """Nobody is waited for: a usage error."""
    code, out, err = run_on_terminals(
        easyllm, "chat", profiles=single_profile_toml("http://127.0.0.1:9")
    )
    assert (code, out) == (2, "")
    assert "no prompt" in err


def test_help_on_a_terminal(easyllm: Easyllm) -> None:
    for args in (("--help",), ("chat", "-h")):
        code, out, _ = run_on_terminals(easyllm, *args, columns=60)
        assert code == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
        assert max(map(len, lines)) <= 60
