"""Tests the note and the errors for an empty stdin where input is expected."""

from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.cli.front_page import COMMAND_GROUPS
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    single_profile_toml,
    split_error_line,
)
from tests.support.images import gif_1x1
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

NOTE = "easyllm: stdin was empty: only the prompt is sent (-n: do not read stdin)\n"
NOBODY = "http://127.0.0.1:9/v1"
NOWHERE = single_profile_toml(NOBODY)
NEEDED = {"vision": ("a.gif",), "compare": ("-p", "t", "-p", "t")}
OTHERS = ("batch", "repl")  # their stdin is a file of rows, or the terminal
COMMANDS = [(name, *NEEDED.get(name, ())) for name in COMMAND_GROUPS["Ask"] if name not in OTHERS]
STRICT = [command for command in COMMANDS if command[0] != "compare"]  # it has no --strict


def run_ok(easyllm: Easyllm, *args: str, **more: Any) -> RunResult:
    """A run with exit code 0, whose answer is `ok`."""
    Path(easyllm.home, "a.gif").write_bytes(gif_1x1())
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        ran = easyllm.run(*args, profiles=single_profile_toml(server), **more)
    assert (ran.code, ran.stderr.count("Traceback")) == (0, 0), ran.stderr
    return ran


def refused(easyllm: Easyllm, *args: str, **more: Any) -> tuple[str, str]:
    """The error and the hint of a run that sends nothing and ends with 2."""
    Path(easyllm.home, "a.gif").write_bytes(gif_1x1())
    ran = easyllm.run(*args, profiles=NOWHERE, **more)
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    what, _, hint = split_error_line(ran.error_line)
    return what, hint


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("stdin", ["", "\n", "\ufeff", " \t\r\n"], ids=repr)
def test_an_empty_pipe_beside_a_prompt_is_a_note(
    easyllm: Easyllm, command: tuple[str, ...], stdin: str
) -> None:
    assert run_ok(easyllm, *command, "sum up", stdin=stdin).stderr == NOTE
    assert run_ok(easyllm, *command, "-q", "sum up", stdin=stdin).stderr == ""


@pytest.mark.parametrize("command", STRICT, ids=" ".join)
def test_an_empty_pipe_is_2_with_strict(easyllm: Easyllm, command: tuple[str, ...]) -> None:
    """The answer is still printed, as grep prints matches when one file is unreadable."""
    Path(easyllm.home, "a.gif").write_bytes(gif_1x1())
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        ran = easyllm.run(
            *command, "--strict", "sum up", stdin="", profiles=single_profile_toml(server)
        )
    assert (ran.code, ran.stdout) == (2, b"ok\n")
    assert ran.error_line == "easyllm: stdin is empty: use -n if nothing is to be read"
    assert run_ok(easyllm, *command, "--strict", "-n", "sum up", stdin="").stderr == ""


def test_strict_as_a_profile_setting(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        profiles = single_profile_toml(server, strict=True)
        ran = easyllm.run("chat", "--json", "sum up", stdin="", profiles=profiles)
    assert (ran.code, ran.json["ok"], ran.json["complete"]) == (2, False, True)
    assert ran.json["error"]["kind"] == "usage"


@pytest.mark.parametrize("command", STRICT, ids=" ".join)
def test_no_input_gives_no_note(easyllm: Easyllm, command: tuple[str, ...]) -> None:
    """/dev/null means no input: schedulers start commands with it as stdin."""
    assert run_ok(easyllm, *command, "--strict", "sum up").stderr == ""
    assert run_ok(easyllm, *command, "-n", "sum up", stdin="").stderr == ""
    if command != ("vision", "a.gif"):  # here - means the image
        assert run_ok(easyllm, *command, "--strict", "-", "sum up").stderr == ""


def test_a_failed_command_before_the_pipe(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        ran = easyllm.shell('false | "$E" chat "Summarise"', profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"ok\n", NOTE)


def test_a_failure_prints_no_note(easyllm: Easyllm) -> None:
    ran = easyllm.run(
        "chat", "sum up", stdin="", profiles=single_profile_toml(NOBODY, max_retries=0)
    )
    strict = easyllm.run(
        "chat", "--strict", "sum up", stdin="", profiles=single_profile_toml(NOBODY)
    )
    assert (ran.code, ran.stdout, strict.code) == (6, b"", 6)
    assert "127.0.0.1:9" in ran.error_line
    assert "127.0.0.1:9" in strict.error_line


def test_an_empty_file_on_stdin_is_a_note(easyllm: Easyllm) -> None:
    with Path(easyllm.home, "empty").open("w+b") as file:
        assert run_ok(easyllm, "chat", "sum up", file=file).stderr == NOTE


def test_the_note_is_in_json(easyllm: Easyllm) -> None:
    ran = run_ok(easyllm, "chat", "--json", "sum up", stdin="")
    assert ran.json["notes"] == [NOTE.removeprefix("easyllm: ").strip()]
    events = run_ok(easyllm, "stream", "--jsonl", "sum up", stdin="").events
    assert [event["text"] for event in events if event["kind"] == "note"] == ran.json["notes"]


def test_other_prompt_sources_beside_an_empty_pipe(easyllm: Easyllm) -> None:
    Path(easyllm.home, "a.txt").write_text("What is this?")
    Path(easyllm.home, "list.json").write_text('[{"role": "user", "content": "hi"}]')
    for args in (("-f", "a.txt"), ("--messages", "list.json"), ("-", "sum up")):
        assert run_ok(easyllm, "chat", *args, stdin="").stderr == NOTE
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        ran = easyllm.run(
            "chat", "--dry-run", "sum up", stdin="", profiles=single_profile_toml(server)
        )
    assert (ran.code, ran.stderr) == (0, NOTE)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("stdin", [None, "", "\n", "\ufeff"], ids=repr)
def test_the_stdin_placeholder_without_text_is_2(
    easyllm: Easyllm, command: tuple[str, ...], stdin: str | None
) -> None:
    what, hint = refused(easyllm, *command, "A {stdin} B", stdin=stdin)
    assert what == "{stdin} is in the prompt, and stdin holds no text"
    assert hint


def test_the_stdin_placeholder_where_stdin_is_not_read(easyllm: Easyllm) -> None:
    assert "-n" in refused(easyllm, "chat", "-n", "A {stdin}", stdin="text")[1]
    never = {"EASYLLM_STDIN": "never"}
    assert "EASYLLM_STDIN" in refused(easyllm, "chat", "A {stdin}", stdin="text", env=never)[1]
    path = Path(easyllm.home, "in.txt")
    path.write_text("one\ntwo\n")
    with path.open("rb", buffering=0) as file:
        file.read(4)
        assert "name it with -" in refused(easyllm, "chat", "A {stdin}", file=file)[1]
    ran = easyllm.shell('"$E" chat "A {stdin}" <&-', profiles=NOWHERE)
    assert (ran.code, "holds no text" in ran.error_line) == (2, True)


def test_the_stdin_placeholder_with_messages_or_an_image_on_stdin(easyllm: Easyllm) -> None:
    listed = '[{"role": "user", "content": "hi"}]'
    args = ("chat", "--messages", "-", "A {stdin}")
    assert "holds the message list" in refused(easyllm, *args, stdin=listed)[0]
    assert run_ok(easyllm, "vision", "-", "describe", stdin=gif_1x1()).stderr == ""


@pytest.mark.parametrize("stdin", [None, "", "\n"], ids=repr)
def test_required_input_missing_on_stdin(easyllm: Easyllm, stdin: str | None) -> None:
    for args, says in [
        (("chat", "--messages", "-"), "stdin holds no message list"),
        (("cot", "--extract"), "nothing to split on stdin"),
        (("chat", "-"), "prompt"),
        (("vision", "a.gif"), "no prompt"),
    ]:
        assert says in refused(easyllm, *args, stdin=stdin)[0]
