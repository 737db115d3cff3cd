"""Output on a real terminal: live answers, dim reasoning, and no control codes of a server."""

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
from tests.support.terminal import SGR, Terminal, run_on_terminals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

EVIL = (
    "\x1b]52;c;aGk=\x07", "\x1b]0;title\x1b\\", "\x1b[2J\x1b[H", "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
    "\x9b2J", "\x9d52;c;aGk=\x9c", "\x07", "\x08\x08\x08", "over\rwritten", "\u202ereversed\u202c",
    "\u2066isolated\u2069", "\x1bP+q\x1b\\", "\x1bc", "\x7f", "\x00", "\U000e0041\U000e0042",
    "\x1b[2K\x1b[1A", "\x1b[?7l", "\x1b[?2026h", "<http://x/%1B%5B2J>", "&#x202e;&#x9b;&#27;[2J",
)  # fmt: skip
# easyllm's own codes: styles, erased rows, autowrap, frames. All other C0, C1 and bidi characters
# come from the server.
OURS = re.compile(r"\x1b\[(?:0|1|2|3|4|9|32|35|36|;)*m|\r?\x1b\[2K|\x1b\[1A|\x1b\[\?(?:7|2026)[hl]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7][;m]")
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


def check_harmless(text: str) -> None:
    """Check that the text has no control codes but easyllm's own."""
    codes = STEERING.findall(OURS.sub("", text))
    assert not codes, f"{codes} in {text!r}"


def test_answer_is_streamed(easyllm: Easyllm) -> None:
    """Text is on the screen before the server has finished."""
    seen = threading.Event()

    async def handler(request: Request, reply: Reply) -> None:
        await reply.head(content_type="text/event-stream", chunked=True)
        await reply.write(chunk("Hello "))
        while not seen.is_set():
            await reply.sleep(0.01)
        await reply.write(chunk("world") + chunk(finish="stop") + DONE)

    with StandIn(handler) as server:
        for command in ("chat", "stream"):
            seen.clear()
            with Terminal(easyllm, command, "hi", profiles=single_profile_toml(server)) as terminal:
                terminal.stdout.wait_for(b"Hello")
                seen.set()
                code, out, _ = terminal.end()
            assert (code, emulate_terminal(out).text()) == (0, ["Hello world"])


def test_reasoning_is_dim_on_stderr(easyllm: Easyllm) -> None:
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
    """Without colours Markdown is still rendered: bold and dim are not colours."""
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
def test_terminal_that_cannot_move_its_cursor(
    easyllm: Easyllm, args: tuple[str, ...], dim: bool, term: str | None
) -> None:
    """It gets the plain text, and no code except dim if --color always is given."""
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


def test_fault_62_control_codes_in_answer_and_reasoning(easyllm: Easyllm) -> None:
    """The stream is split at every character; a pipe gets the text unchanged."""
    text = "a".join(EVIL) + "end"
    frames = [chunk(reasoning=char) for char in text]
    frames += [chunk(char) for char in text]
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
    check_harmless(out)
    check_harmless(err)
    assert "end" in out
    assert "end" in err
    assert piped[0] == 0
    assert piped[1] == text.replace("\r\n", "\n") + "\ufffd2J" * 32 + "\n"


def test_fault_62_control_codes_if_only_stderr_is_a_terminal(easyllm: Easyllm) -> None:
    """With stdout in a pipe, reasoning and notes on the terminal are still cleaned."""
    text = "".join(EVIL)
    script = Script(chunk(reasoning=text), chunk("ok"), chunk(finish="stop"), DONE)
    with StandIn(script_handler(script)) as server:
        args = ("cot", "-v", "-m", text.replace("\x00", ""), "hi")
        code, out, err = run_on_terminals(
            easyllm, *args, profiles=single_profile_toml(server), terminals="2"
        )
    assert (code, out) == (0, "ok\n")
    check_harmless(err)


def test_fault_62_control_codes_in_errors(easyllm: Easyllm) -> None:
    """In a server's message, a page's title and a redirect, without and with --debug."""
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
                check_harmless(out)
                check_harmless(err)


def test_fault_62_control_codes_in_model_names(easyllm: Easyllm) -> None:
    """In the table of models and in a hint."""
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
        check_harmless(out)
        profiles = single_profile_toml(server, model="m0")
        code, out, err = run_on_terminals(easyllm, "chat", "hi", profiles=profiles)
        assert code == 4
        check_harmless(out + err)


def test_fault_62_control_codes_in_profile_names(easyllm: Easyllm) -> None:
    """A profile's name in lists, with -v and in errors, and the model name of an answer."""
    name = re.sub("[\0:]", "", "".join(EVIL))  # arguments cannot hold NUL, profile names no colon
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
            check_harmless(out + err)


@pytest.mark.parametrize("args", [("chat", "--json"), ("stream", "--jsonl"), ("models", "--json")])
def test_fault_63_control_codes_in_json(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    """JSON escapes C0, C1 and bidi characters."""
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
    check_harmless(out + err)
    last = json.loads(out.splitlines()[-1])
    assert (last["models"][0]["id"] if "models" in last else last["text"]) == text


def test_models_as_a_table(easyllm: Easyllm) -> None:
    """It fits the terminal, and has no empty columns."""
    with StandIn(OpenRouterServer().handle) as server:
        profiles = single_profile_toml(server, "openrouter")
        code, out, err = run_on_terminals(easyllm, "models", profiles=profiles, columns=60)
    assert (code, err) == (0, "")
    lines = OURS.sub("", out).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split()[0] == "model"
    assert "$in" in lines[0]
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
    """The text is on the screen, so it is not kept in a file; the exit code is 7."""
    with StandIn(script_handler(Script(chunk("Hel"), Cut()))) as server:
        code, out, err = run_on_terminals(
            easyllm, "chat", "hi", profiles=single_profile_toml(server)
        )
        assert len(server.requests) == 1, "no retry after shown text"
    assert (code, out) == (7, "Hel\n")
    assert SGR.sub("", err).startswith("easyllm: the answer was cut")
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
    """A usage error: the terminal's stdin is not read."""
    code, out, err = run_on_terminals(
        easyllm, "chat", profiles=single_profile_toml("http://127.0.0.1:9")
    )
    assert (code, out) == (2, "")
    assert "no prompt" in err
    assert "add words" in err  # to the same command: it may be another than chat
