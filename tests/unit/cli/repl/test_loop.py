"""The loop of the repl: no error ends it, and no answer's end stays in force for the next one."""

import locale
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.cancellation import seconds_left
from easyllm_cli.cli.options.input import ModelOptions
from easyllm_cli.cli.repl import commands, loop
from easyllm_cli.cli.repl.line_editor import LineEditor
from easyllm_cli.cli.repl.line_history import load_entries
from easyllm_cli.cli.repl.session import Session
from easyllm_cli.cli.runtime import interrupted_error
from easyllm_cli.cli.termination import Terminated, restore_process_afterwards
from tests.support.binary import chat_answer_script, profile_toml
from tests.support.repl_session import repl_request
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn


class Typed(LineEditor):
    """Gives lines as if they were typed; an exception is raised, and at the end it is Ctrl-D."""

    def __init__(self, *lines: str | BaseException) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []
        self.remembered: list[str] = []

    def read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self.lines.pop(0) if self.lines else EOFError()
        if isinstance(line, BaseException):
            raise line
        return line

    def remember(self, text: str) -> None:
        self.remembered.append(text)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn(script_handler(chat_answer_script("One"))) as server:
        yield server


@pytest.fixture
def session(home: Path, server: StandIn) -> Iterator[Session]:
    file = home / "profiles.toml"
    file.write_text('default_profile = "t"\n' + profile_toml(server))
    session = Session(repl_request(ModelOptions(profiles=str(file))))
    yield session
    session.runner.close()


def test_no_error_ends_it(
    session: Session, server: StandIn, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(session: Session, argument: str) -> None:
        raise ValueError("unexpected")

    monkeypatch.setitem(vars(commands), "import_module", lambda *_: type("", (), {"usage": fail}))
    bad = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
    editor = Typed("/absent", "/usage", bad, KeyboardInterrupt(), "", " \n", "a")
    assert loop.run_loop(session, editor, "first") == 0
    errors = capfd.readouterr().err
    for said in ("no command /absent", "a bug in easyllm: ValueError", "not UTF-8"):
        assert said in errors
    asked = [each.json["messages"][-1]["content"] for each in server.requests]
    assert asked == ["first", "a"]
    assert editor.prompts == ["t> "] * 8


@pytest.mark.parametrize(
    ("encoding", "hint"), [("utf-8", "type it again"), ("ANSI_X3.4-1968", "LC_ALL=C.UTF-8")]
)
def test_a_line_in_another_locale_says_what_helps(
    session: Session, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    encoding: str, hint: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(locale, "getencoding", lambda: encoding)
    bad = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
    assert loop.run_loop(session, Typed(bad), "") == 0
    assert hint in capfd.readouterr().err


def test_ctrl_c_twice_says_how_to_leave(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    ctrl_c = KeyboardInterrupt()
    assert loop.run_loop(session, Typed(ctrl_c, "/usage", ctrl_c), "") == 0
    assert "Ctrl-D leaves" not in capfd.readouterr().err
    session.exit_code = None
    assert loop.run_loop(session, Typed(ctrl_c, ctrl_c), "") == 0
    assert "Ctrl-D leaves" in capfd.readouterr().err


def test_sigterm_at_the_prompt_is_143(session: Session) -> None:
    assert loop.run_loop(session, Typed("a", Terminated()), "") == 143


def test_typed_lines_are_kept_unless_they_begin_with_a_space_or_history_is_off(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = Typed("/usage", " /usage", "/model x")
    loop.run_loop(session, editor, "")
    assert load_entries() == ["/usage", "/model x"]
    assert editor.remembered == ["/usage", " /usage", "/model x"]
    monkeypatch.setenv("EASYLLM_HISTORY", "metadata")
    session.exit_code = None
    loop.run_loop(session, Typed("/model y", "/model z"), "")
    assert load_entries() == ["/usage", "/model x", "/model y"]  # y is what ends the keeping


def test_timeout_is_for_each_answer(session: Session, server: StandIn) -> None:
    vars(session.request.common)["timeout"] = 1.0

    class Slow(Typed):
        def read(self, prompt: str) -> str:
            time.sleep(0.6)
            return super().read(prompt)

    assert loop.run_loop(session, Slow("a", "b"), "") == 0
    assert session.transcript.count == 2
    assert seconds_left() == float("inf")


def test_an_interruption_is_undone_for_the_next_answer() -> None:
    handlers: dict[Any, Any] = {each: signal.getsignal(each) for each in (2, 15, 1)}
    filters = list(warnings.filters)
    with restore_process_afterwards():
        interrupted_error(terminated=False)
        assert signal.getsignal(2) == signal.SIG_IGN
    assert {each: signal.getsignal(each) for each in (2, 15, 1)} == handlers
    assert warnings.filters == filters
    from easyllm_cli.render import output

    assert output._write_deadline == float("inf")
