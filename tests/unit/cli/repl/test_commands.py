"""The repl's commands, in process, against stand-in servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.cli.options.input import ModelOptions
from easyllm_cli.cli.repl.commands import COMMANDS, escape_command, handle, unescape_command
from easyllm_cli.cli.repl.line_completion import complete_line
from easyllm_cli.cli.repl.printing import print_messages
from easyllm_cli.cli.repl.session import Session
from easyllm_cli.cli.repl.transcript import Transcript
from easyllm_cli.cli.template import Template
from easyllm_cli.errors import EasyLLMError
from easyllm_cli.history import history_path
from easyllm_cli.history.calls import conversation_calls
from easyllm_cli.history.conversation import Conversation, read_conversation
from easyllm_cli.history.store import open_store
from easyllm_cli.messages import Message
from tests.support import ROOT
from tests.support.binary import chat_answer_script, profile_toml
from tests.support.images import png
from tests.support.repl_session import repl_request
from tests.support.standins.script import DONE, Cut, Script, chunk, script_handler, usage_chunk
from tests.support.standins.server import StandIn

CODE = "Two blocks:\n\n```sh\necho 1\n```\n\n```\ntwo\n```\n"
ANSWERS = [chat_answer_script(text) for text in ("One", CODE, "Three")]


class Servers:
    """Two servers, which answer One, code, Three: those of the profiles `t` and `u`."""

    def __init__(self, first: StandIn, second: StandIn) -> None:
        self.first = first
        self.second = second

    def sent(self, server: StandIn) -> list[tuple[str, Any]]:
        """The role and content of each message of a server's last request."""
        messages = server.requests[-1].json["messages"]
        return [(each["role"], each["content"]) for each in messages]


@pytest.fixture
def servers() -> Iterator[Servers]:
    with StandIn(script_handler(*ANSWERS)) as first, StandIn(script_handler(*ANSWERS)) as second:
        yield Servers(first, second)


@pytest.fixture
def session(home: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.chdir(home)
    file = home / "profiles.toml"
    file.write_text(
        'default_profile = "t"\n' + profile_toml(servers.first)
        + profile_toml(servers.second, name="u", system="Be brief.", model="other-model")
    )  # fmt: skip
    session = Session(repl_request(ModelOptions(profiles=str(file))))
    yield session
    session.runner.close()


def kept(session: Session) -> Conversation:
    """The session's conversation, as the history has it."""
    with open_store(history_path(), create=False) as store:
        rows = store.select(
            "SELECT * FROM conversation WHERE id = ?", (session.transcript.conversation,)
        )
        return read_conversation(store, rows[0])


def refused(session: Session, line: str) -> str:
    """The error of a line, after which nothing has been sent."""
    calls = session.totals.calls
    with pytest.raises(EasyLLMError) as caught:
        handle(session, line)
    assert session.totals.calls == calls
    return str(caught.value)


A, B = [("user", "a"), ("assistant", "One")], [("user", "b"), ("assistant", CODE)]


def test_repl_4_another_profile_gets_the_same_messages(session: Session, servers: Servers) -> None:
    handle(session, "a")
    handle(session, "/profile u")
    handle(session, "b")
    assert servers.sent(servers.second) == [("system", "Be brief."), *A, ("user", "b")]
    handle(session, "/model third")
    handle(session, "/system -")
    handle(session, "c")
    assert servers.second.requests[-1].json["model"] == "third"
    assert servers.sent(servers.second)[1:4] == [*A, ("user", "b")]
    assert len(servers.first.requests) == 1
    assert kept(session).count == 3


def test_an_auto_profile_stays_with_the_one_that_answered(
    session: Session, servers: Servers, home: Path
) -> None:
    with (home / "profiles.toml").open("a") as file:
        file.write('[profiles.auto]\nprovider = "auto"\ncandidates = ["t", "u"]\n')
        file.write('[profiles.auto.strong]\ncode = "u"\n')
    handle(session, "/profile auto")
    for line in ("```python\nx = 1\n```\nFix this code", "hi", "/fork", "hi again"):
        handle(session, line)
    assert (len(servers.first.requests), len(servers.second.requests)) == (0, 3)
    assert Transcript.of_conversation(kept(session)).answered_by == ("u", "other-model")


def test_the_history_has_exactly_what_was_sent(session: Session, servers: Servers) -> None:
    for line in ("a", "b"):
        handle(session, line)
        assert kept(session).messages == list(session.transcript.messages)
    first = session.transcript.conversation
    for line in ("/undo", "c"):
        handle(session, line)
    assert servers.sent(servers.first) == [*A, ("user", "c")]
    assert session.transcript.conversation != first
    assert kept(session).messages == list(session.transcript.messages)
    handle(session, "/fork")
    handle(session, "d")
    assert kept(session).messages == list(session.transcript.messages)
    assert [each.text for each in kept(session).messages[::2]] == ["a", "c", "d"]
    assert kept(session).count == 3


def test_again_replaces_the_answer_and_asks_another_profile_once(
    session: Session, servers: Servers
) -> None:
    handle(session, "a")
    handle(session, "/again u")
    assert servers.sent(servers.second)[1:] == [("user", "a")]
    assert [each.text for each in session.transcript.messages] == ["a", "One"]
    handle(session, "b")
    assert servers.sent(servers.first) == [*A, ("user", "b")]


def test_a_failed_answer_is_no_turn_and_can_be_asked_again(
    session: Session, servers: Servers, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut = Script(chunk("Tw"), Cut())
    with StandIn(script_handler(cut, ANSWERS[0])) as server:
        text = profile_toml(server, max_retries=0, name="t")
        (home / "profiles.toml").write_text('default_profile = "t"\n' + text)
        handle(session, "a")
        assert session.transcript.count == 0
        assert "easyllm: " in capfd.readouterr().err
        handle(session, "/again")
        assert servers.sent(server) == [("user", "a")]
    assert [each.text for each in session.transcript.messages] == ["a", "One"]
    assert kept(session).count == 1
    with open_store(history_path(), create=False) as store:
        calls = conversation_calls(store, kept(session).id)
    assert [call["exit_code"] for call in calls] == [7, 0]


def test_files_and_images_go_with_the_next_question_only(
    session: Session, servers: Servers, home: Path
) -> None:
    (home / "my notes.txt").write_text("some notes")
    (home / "p.png").write_bytes(png(2, 2, (255, 0, 0)))
    handle(session, "/file 'my notes.txt'")
    handle(session, "/image p.png")
    handle(session, "a")
    content = servers.sent(servers.first)[-1][1]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[0]["text"] == "my notes.txt:\nsome notes\n\na"
    handle(session, "/file *.txt")
    handle(session, "/undo")
    assert session.transcript.count == 1
    handle(session, "b")
    assert servers.sent(servers.first)[-1] == ("user", "b")


def test_code_and_save_write_new_files_only(
    session: Session, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handle(session, "a")
    assert "no code block" in refused(session, "/code")
    handle(session, "b")
    capfd.readouterr()
    handle(session, "/code 2")
    assert capfd.readouterr().out == "two\n"
    handle(session, "/code > run.sh")
    assert (home / "run.sh").read_text() == "echo 1\n"
    assert "run.sh" in refused(session, "/code 2 > run.sh")
    assert (home / "run.sh").read_text() == "echo 1\n"
    assert "no block 3" in refused(session, "/code 3")
    handle(session, "/save 'a talk.md'")
    assert (home / "a talk.md").read_text() == f"> a\n\nOne\n\n> b\n\n{CODE.strip()}\n"
    assert "exists" in refused(session, "/save 'a talk.md'")
    assert "no such home folder" in refused(session, "/save ~nobody-of-that-name/talk.md")


@pytest.fixture
def editor(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$VISUAL adds +1 to the text."""
    path = home / "editor"
    path.write_text('#!/bin/sh\nprintf "%s" "$(cat "$1")+1" > "$1"\n')
    path.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(path))
    monkeypatch.setenv("TMPDIR", str(home))


@pytest.mark.usefixtures("editor")
def test_edit_asks_what_was_saved(
    session: Session, servers: Servers, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(session, "a")
    handle(session, "/edit last")
    assert servers.sent(servers.first)[-1] == ("user", "a+1")
    monkeypatch.setenv("VISUAL", "true")
    handle(session, "/edit last")
    handle(session, "/edit")
    assert len(servers.first.requests) == 2
    assert not list(home.glob("easyllm-*"))


@pytest.mark.usefixtures("editor")
def test_edit_last_keeps_what_the_question_had(
    session: Session, servers: Servers, home: Path
) -> None:
    """Its files and images; and the template is not filled in again."""
    (home / "n.txt").write_text("notes")
    for name in ("p.png", "q.png"):
        (home / name).write_bytes(png(2, 2, (255, 0, 0)))
    session.template = Template({}, ["Say ", "prompt", "."], {})
    for line in ("/file n.txt", "/image p.png", "a", "/image q.png", "/edit last"):
        handle(session, line)
    (asked, first), (edited, *both) = (
        [part.get("text") or part["image_url"]["url"] for part in content]
        for role, content in servers.sent(servers.first)
        if role == "user"
    )
    assert (asked, edited) == ("n.txt:\nnotes\n\nSay a.", "n.txt:\nnotes\n\nSay a.+1")
    assert both == [first] * 2


def test_think_sends_an_effort(session: Session, servers: Servers) -> None:
    handle(session, "/think high")
    handle(session, "a")
    assert servers.first.requests[-1].json["reasoning_effort"] == "high"
    assert 'did you mean "high"' in refused(session, "/think hig")


@pytest.mark.parametrize(
    ("line", "sent"),
    [("//help", "/help"), ("/etc/hosts is what?", "/etc/hosts is what?"), ("-", "-"),
     ("//etc/hosts is what?", "/etc/hosts is what?"), ("///a", "//a"),
     ("// a comment\ncode", "// a comment\ncode"), ("/// docs", "/// docs"),
     ("/* a */\ncode", "/* a */\ncode"), ("{stdin}", "{stdin}"), ("@file", "@file")],
)  # fmt: skip
def test_what_is_no_command_is_text(
    session: Session, servers: Servers, line: str, sent: str
) -> None:
    handle(session, line)
    assert servers.sent(servers.first) == [("user", sent)]


@pytest.mark.parametrize("text", ["/help", "//help", "// help", "/", "//", "help", "", "/usr/bin"])
def test_any_text_can_be_asked(text: str) -> None:
    assert unescape_command(escape_command(text)) == text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/hlep", 'did you mean "/help"'), ("/usage now", "takes nothing"),
        ("/profile absent", "absent"), ("/undo", "no turn"), ("/again", "no question"),
        ("/fork", "no turn"), ("/save", "name one file"),
        ("/save ''", "name one file"), ("/save a b", "name one file"), ("/file", "needs the name"),
        ("/file 'open", "quotation"), ("/file absent", "absent"), ("/image absent.png", "absent"),
        ("/edit absent", "/edit last"), ("/code x y", "does not know"),
        pytest.param(f"/code {'9' * 5000}", "does not know", id="more digits than int takes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_error_and_sends_nothing(
    session: Session, line: str, says: str
) -> None:
    assert says in refused(session, line)


def test_every_command_runs(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    handle(session, "/help")
    shown = capfd.readouterr().out
    for name in COMMANDS:
        assert f"/{name}" in shown
    for name in ("profile", "model", "system", "think", "usage", "quit"):
        handle(session, f"/{name}")
    assert session.exit_code == 0
    assert "profiles: t, u" in capfd.readouterr().out


def test_the_status_line_shows_tokens_cost_and_a_full_context(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    counted = Script(chunk("One"), chunk(finish="stop"), usage_chunk(850, 50), DONE)
    file = home / "profiles.toml"
    with StandIn(script_handler(counted)) as server:
        price = {"input": 1.0, "output": 2.0}
        file.write_text('default_profile = "t"\n' + profile_toml(server, price=price))
        session = Session(repl_request(ModelOptions(profiles=str(file))))
        handle(session, "a")
        handle(session, "/usage")
        session.runner.close()
    shown = capfd.readouterr().out
    assert "850 in, 50 out" in shown
    assert "$0.00095" in shown
    assert "1 call, 850 tokens in, 50 out, $0.00095" in shown


def test_repl_6_replies_are_made_safe(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b]0;owned\x07"
    handle(session, f"/system {hostile}")
    print_messages([Message("user", (hostile,)), Message("assistant", (hostile,))], "t> ", "always")
    shown = capfd.readouterr().out
    assert not [sign for sign in ("\x1b]", "\x07") if sign in shown]
    assert shown.count("␛]0;owned␇") == 3


def test_history_off_keeps_the_turns_in_memory(
    session: Session, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EASYLLM_HISTORY", "off")
    handle(session, "/profile t")
    assert not session.keeps_texts
    handle(session, "a")
    handle(session, "b")
    assert servers.sent(servers.first) == [*A, ("user", "b")]
    assert not history_path().exists()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/un", ["/undo "]), ("/f", ["/file ", "/fork "]), ("/think ma", ["max"]),
        ("/profile u", ["u"]), ("/file no", ["notes.txt", "nothing/"]),
        ("/file my", ["'my file'"]), ("plain /un", []), ("/undo x", []),
    ],
)  # fmt: skip
def test_tab_completes(session: Session, home: Path, line: str, found: list[str]) -> None:
    for name in ("notes.txt", "my file"):
        (home / name).touch()
    (home / "nothing").mkdir()
    word = line.rpartition(" ")[2]
    assert sorted(complete_line(session, line, word)) == sorted(found)


def test_the_page_names_every_command() -> None:
    page = (ROOT / "docs" / "repl.md").read_text("utf-8")
    assert not [name for name in COMMANDS if f"`/{name}" not in page]
