"""Errors and notes on a terminal: a coloured `easyllm:`, wrapped at words, the hint below."""

import json
import re
import signal
import sys

import pytest

from tests.support.binary import (
    BINARY,
    Easyllm,
    chat_answer_script,
    single_profile_toml,
)
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.script import Cut, Script, Wait, chunk, script_handler
from tests.support.standins.server import StandIn, unreachable_server
from tests.support.terminal import SGR, Terminal, run_on_terminals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

RED, DIM = "\x1b[31measyllm:\x1b[0m ", "\x1b[2measyllm:\x1b[0m "
NOBODY = 'default_profile = "nobody"\n'
# Each command, and the words of its error.
FAILING = {
    "usage": ("chat", "--no-such-option", "hi"),
    "config": ("chat", "hi"),
    "group": ("profiles", "show", "nobody"),
    "keys": ("keys", "remove", "nobody"),
    "command": ("nonsense",),
}


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("args", FAILING.values(), ids=FAILING)
def test_every_command(easyllm: Easyllm, args: tuple[str, ...], columns: int) -> None:
    """The rows hold the words of the one line that goes into a pipe."""
    ran = easyllm.run(*args, profiles=NOBODY)
    code, _, err = run_on_terminals(easyllm, *args, profiles=NOBODY, columns=columns)
    assert (code, ran.code) == (2, 2)
    assert err.startswith(RED)
    rows = err.removesuffix("\n").removeprefix(RED).split("\n")
    assert all(row.startswith("  ") for row in rows[1:])
    assert all(len(row) <= columns or len(row.split()) == 1 for row in rows[1:])
    assert "easyllm: " + " ".join(" ".join(rows).split()) == ran.error_line


def test_the_hint_has_its_own_row(easyllm: Easyllm) -> None:
    with unreachable_server() as server:
        profiles = single_profile_toml(server.url, "ollama", max_retries=0)
        code, _, err = run_on_terminals(easyllm, "chat", "hi", profiles=profiles, columns=100)
    assert code == 6
    where = server.url.removeprefix("http://")
    assert err.removeprefix(RED).splitlines() == [
        f"nothing listens at {where} (profile t, {server.url}):",
        "  is Ollama running? start it with: ollama serve",
    ]


@pytest.mark.parametrize(
    ("args", "env"),
    [
        ((), {"NO_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
        (("--color", "never"), {}),
        (("--color=never",), {}),
    ],
)
def test_without_colours(easyllm: Easyllm, args: tuple[str, ...], env: dict[str, str]) -> None:
    _, _, err = run_on_terminals(easyllm, "chat", *args, "hi", profiles=NOBODY, env=env)
    assert err.startswith("easyllm: no profile ")
    assert "\n  known: " in err, "rows all the same"
    assert "\x1b" not in err


def test_colours_in_a_pipe_stay_one_line(easyllm: Easyllm) -> None:
    """Nothing of a server steers the terminal at the pipe's end."""
    body = json.dumps({"error": {"message": "no\x1b[2J " + "word " * 50}}).encode()
    with StandIn(script_handler(Script(body, status=401))) as server:
        profiles = single_profile_toml(server)
        plain, colored = (
            easyllm.run("chat", "--color", color, "hi", profiles=profiles)
            for color in ("never", "always")
        )
    assert "\x1b[2J" in plain.error_line
    assert colored.stderr.startswith(RED)
    text = SGR.sub("", colored.stderr)
    assert text == plain.stderr.replace("\x1b", "\u241b")


def test_the_kept_file_can_be_copied(easyllm: Easyllm) -> None:
    """The terminal wraps it, not easyllm."""
    with StandIn(script_handler(Script(chunk("Hello"), Cut()))) as server:
        code, out, err = run_on_terminals(
            easyllm, "chat", "--no-retry", "hi", terminals="2", columns=40,
            profiles=single_profile_toml(server), env={"XDG_STATE_HOME": str(easyllm.home / "a b")},
        )  # fmt: skip
    assert (code, out) == (7, "")
    (kept,) = (easyllm.home / "a b").rglob("*.md")
    assert err.endswith(f"\n  {kept}\n")


def test_ctrl_c(easyllm: Easyllm) -> None:
    with (
        StandIn(script_handler(Script(chunk("Hello"), Wait(20)))) as server,
        Terminal(easyllm, "chat", "hi", profiles=single_profile_toml(server)) as terminal,
    ):
        terminal.stdout.wait_for(b"Hello")
        terminal.signal(signal.SIGINT)
        code, _, err = terminal.end()
    assert (code, err) == (130, f"{RED}interrupted\n")


def test_a_retry_is_a_note(easyllm: Easyllm) -> None:
    busy = Script(
        json.dumps({"error": {"message": "too many tokens per minute (TPM), of all of which " * 3}})
        .encode(), status=503, content_type="application/json",
    )  # fmt: skip
    with StandIn(script_handler(busy, chat_answer_script("Hello"))) as server:
        code, out, err = run_on_terminals(
            easyllm, "chat", "hi", profiles=single_profile_toml(server), terminals="2", columns=60
        )
    assert (code, out) == (0, "Hello\n")
    assert err.startswith(DIM)
    rows = [row.removeprefix(DIM) for row in err.splitlines()]
    assert all(len(row) <= 60 for row in rows[1:])
    assert "(try 2)" in " ".join(err.split())
    assert "(TPM)," in err.split()


def test_a_traceback_keeps_its_layout(easyllm: Easyllm) -> None:
    args = ("chat", "--debug", "hi")
    ran = easyllm.run(*args, profiles=NOBODY)
    _, _, err = run_on_terminals(easyllm, *args, profiles=NOBODY, columns=40)
    shown, _, _ = err.partition(RED)
    wanted, _, _ = ran.stderr.partition("easyllm: ")
    assert shown == wanted
    assert max(map(len, shown.splitlines())) > 40


def test_no_rich_for_it(easyllm: Easyllm) -> None:
    _, _, err = run_on_terminals(
        easyllm, "chat", "hi", profiles=NOBODY, command=[BINARY],
        env={"PYTHONPROFILEIMPORTTIME": "1"},
    )  # fmt: skip
    assert RED in err
    assert "easyllm_cli.render.notices" in err
    assert not re.search(r"\| +rich(\.|$)", err, re.MULTILINE)


def test_a_routine_note_is_for_people(easyllm: Easyllm) -> None:
    """A loop in a script is not told on each call which model was chosen; JSON always is."""
    note = "model llama3.2:latest: the first one installed (choose with -m)"
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama", model=None)
        ran = easyllm.run("chat", "hi", profiles=profiles)
        verbose = easyllm.run("chat", "-v", "hi", profiles=profiles)
        as_json = easyllm.run("chat", "--json", "hi", profiles=profiles)
        _, _, err = run_on_terminals(easyllm, "chat", "hi", profiles=profiles, terminals="2")
    assert (ran.code, ran.stderr) == (0, "")
    assert f"easyllm: {note}\n" in verbose.stderr
    assert (as_json.json["notes"], as_json.stderr) == ([note], "")
    assert err == f"{DIM}{note}\n"
