"""-c and --conversation: which conversation, which messages are sent, and to whom."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from tests.support.binary import BINARY, Easyllm, RunResult, chat_answer_script, profile_toml
from tests.support.history import save
from tests.support.images import png
from tests.support.objects import parse_answer_json, parse_listing_json
from tests.support.standins.script import Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR, Terminal

FULL: dict[str, str | None] = {"EASYLLM_HISTORY": "full"}
DEFAULT: dict[str, str | None] = {"EASYLLM_HISTORY": None}
ANSWERS = [
    chat_answer_script("One.\n", reasoning="Hm."), chat_answer_script("Two *ä*"),
    chat_answer_script("Three"),
]  # fmt: skip


@pytest.fixture
def server(easyllm: Easyllm) -> Iterator[StandIn]:
    """Answers One, Two, Three in turn; profile `t` is the default, `u` another one."""
    with StandIn(script_handler(*ANSWERS)) as server:
        other = profile_toml(server, name="u", model="other-model", system="Other.")
        easyllm.write_profiles('default_profile = "t"\n' + profile_toml(server) + other)
        yield server


def sent(server: StandIn) -> list[tuple[str, Any]]:
    """The role and content of each message of the last request."""
    return [(each["role"], each["content"]) for each in server.requests[-1].json["messages"]]


def begin(easyllm: Easyllm, *words: str, env: Any = FULL) -> str:
    """Ask "a" in a new conversation; return its id."""
    answer = parse_answer_json(easyllm.run("chat", "--json", *words, "a", env=env))
    assert answer["ok"]
    return str(answer["conversation"])


def refused(ran: RunResult) -> str:
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    return ran.error_line


def in_a_session(easyllm: Easyllm, *commands: str) -> tuple[int, str]:
    """Run commands in one session with a controlling terminal; the last exit code, all stderr."""
    script = "; ".join(f'"$E" {command}' for command in commands)
    with Terminal(
        easyllm, script, env={**DEFAULT, "E": BINARY},
        command=["setsid", "--ctty", "--wait", "sh", "-c"], terminals="02",
    ) as terminal:  # fmt: skip
        code, _, errors = terminal.end()
    return code, SGR.sub("", errors)


def test_hist_9_exactly_the_turns_are_sent(easyllm: Easyllm, server: StandIn) -> None:
    id = begin(easyllm)
    for prompt in ("b\n ", "c"):
        assert easyllm.run("chat", "--conversation", id, prompt, env=FULL).code == 0
    assert sent(server) == [
        ("user", "a"), ("assistant", "One.\n"), ("user", "b\n "), ("assistant", "Two *ä*"),
        ("user", "c"),
    ]  # fmt: skip
    assert b"Hm." not in server.requests[-1].body
    listing = parse_listing_json(easyllm.run("history", "show", "-a", "--json"), "calls")["calls"]
    shown = [(call["prompt"], call["text"]) for call in listing]
    assert shown == [("a", "One.\n"), ("b\n ", "Two *ä*"), ("c", "Three")]
    assert {call["conversation"] for call in listing} == {id}


def test_a_failed_call_is_no_turn(easyllm: Easyllm) -> None:
    cut = Script(chunk("Tw"), Cut())
    with StandIn(script_handler(ANSWERS[0], cut, ANSWERS[2])) as server:
        easyllm.write_profiles('default_profile = "t"\n' + profile_toml(server))
        id = begin(easyllm)
        assert easyllm.run("chat", "--no-retry", "--conversation", id, "b", env=FULL).code == 7
        assert easyllm.run("chat", "--conversation", id, "c", env=FULL).code == 0
        assert sent(server) == [("user", "a"), ("assistant", "One.\n"), ("user", "c")]


def test_hist_8_c_continues_the_conversation_of_its_terminal(
    easyllm: Easyllm, server: StandIn
) -> None:
    assert in_a_session(easyllm, "'first terminal'")[0] == 0
    code, errors = in_a_session(easyllm, "'second terminal'", "chat -c b")
    assert (code, sent(server)[0]) == (0, ("user", "second terminal"))
    assert 'easyllm: continuing "second terminal" (1 turn, just now)' in errors
    code, errors = in_a_session(easyllm, "chat -c b")
    assert (code, len(server.requests)) == (2, 3)
    assert "this terminal has none" in " ".join(errors.split())


def test_without_a_terminal_c_needs_a_name(easyllm: Easyllm, server: StandIn) -> None:
    assert "no answers are kept yet" in refused(easyllm.run("chat", "-c", "b", env=FULL))
    begin(easyllm)
    ran = easyllm.run("chat", "-c", "b", env=FULL, start_new_session=True)
    assert "there is no terminal" in refused(ran)
    assert len(server.requests) == 1


def test_names(easyllm: Easyllm, server: StandIn) -> None:
    begin(easyllm, "--conversation", "new:work", env=DEFAULT)
    assert easyllm.run("chat", "--conversation", "work", "b", env=DEFAULT).code == 0
    assert sent(server) == [("user", "a"), ("assistant", "One.\n"), ("user", "b")]
    assert easyllm.run("chat", "--conversation", "last", "c", env=DEFAULT).code == 0
    assert len(sent(server)) == 5
    assert "begins one" in refused(easyllm.run("chat", "--conversation", "other", "b", env=FULL))
    for name in ("new:", "new: ", "new:last", "new:a\tb", "new:new:x"):
        assert "cannot name" in refused(easyllm.run("chat", "--conversation", name, "b", env=FULL))


def test_the_variable_names_what_c_continues(easyllm: Easyllm, server: StandIn) -> None:
    env = {**DEFAULT, "EASYLLM_CONVERSATION": "work"}
    begin(easyllm)
    assert 'no conversation "work"' in refused(easyllm.run("chat", "-c", "b", env=env))
    begin(easyllm, env=env)
    assert easyllm.run("chat", "-c", "b", env=env).code == 0
    assert sent(server) == [("user", "a"), ("assistant", "Two *ä*"), ("user", "b")]
    begin(easyllm, env=env)
    assert sent(server) == [("user", "a")]


def test_profile_model_and_system_prompt_are_the_conversations(
    easyllm: Easyllm, server: StandIn
) -> None:
    id = begin(easyllm, "-p", "u", "-m", "mine", "-s", "Brief.")
    assert easyllm.run("chat", "--conversation", id, "b", env=FULL).code == 0
    assert server.requests[-1].json["model"] == "mine"
    assert sent(server)[0] == ("system", "Brief.")
    ran = easyllm.run("chat", "--conversation", id, "-p", "t", "-s", "Long.", "c", env=FULL)
    assert ran.code == 0
    assert server.requests[-1].json["model"] == "test-model"
    assert [each for each in sent(server) if each[0] == "system"] == [("system", "Long.")]
    id = begin(easyllm, "-p", "u")
    assert easyllm.run("chat", "--conversation", id, "-m", "new", "b", env=FULL).code == 0
    assert server.requests[-1].json["model"] == "new"
    assert sent(server)[0] == ("system", "Other.")


def test_a_conversation_begins_with_a_message_list(easyllm: Easyllm, server: StandIn) -> None:
    messages = [
        {"role": "system", "content": "Brief."}, {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y"},
    ]  # fmt: skip
    file = easyllm.home / "messages.json"
    file.write_text(json.dumps(messages), "utf-8")
    id = begin(easyllm, "--messages", str(file))
    assert easyllm.run("chat", "--conversation", id, "b", env=FULL).code == 0
    assert sent(server) == [
        ("system", "Brief."), ("user", "x"), ("assistant", "y"), ("user", "a"),
        ("assistant", "One.\n"), ("user", "b"),
    ]  # fmt: skip
    words = ["--messages", str(file), "--conversation", id, "c"]
    assert "does not go together" in refused(easyllm.run("chat", *words, env=FULL))


def test_images_are_read_again(easyllm: Easyllm, server: StandIn) -> None:
    file = easyllm.home / "red.png"
    file.write_bytes(png(8, 8, (255, 0, 0)))
    ran = easyllm.run("vision", str(file), "What?", "--json", env=FULL)
    id = parse_answer_json(ran)["conversation"]
    first = server.requests[-1].json["messages"][0]
    assert easyllm.run("chat", "--conversation", id, "b", env=FULL).code == 0
    assert server.requests[-1].json["messages"][0] == first
    file.write_bytes(png(8, 8, (0, 0, 255)))
    ran = easyllm.run("chat", "--conversation", id, "b", env=FULL)
    assert "the file has changed" in refused(ran)


@pytest.mark.parametrize("command", ["stream", "vision", "cot"])
def test_other_commands_continue_too(easyllm: Easyllm, server: StandIn, command: str) -> None:
    id = begin(easyllm)
    image = easyllm.home / "red.png"
    image.write_bytes(png(8, 8, (255, 0, 0)))
    words = [str(image)] if command == "vision" else []
    ran = easyllm.run(command, "--conversation", id, *words, "b", env=FULL)
    assert ran.code == 0, ran.stderr
    assert sent(server)[:2] == [("user", "a"), ("assistant", "One.\n")]


def test_dry_run_shows_the_turns_and_keeps_nothing(easyllm: Easyllm, server: StandIn) -> None:
    id = begin(easyllm)
    request = easyllm.run("chat", "--dry-run", "--conversation", id, "b", env=FULL).json
    assert [each["content"] for each in request["body"]["messages"]] == ["a", "One.\n", "b"]
    assert len(server.requests) == 1
    assert len(easyllm.run("history").stdout.splitlines()) == 1


def test_a_setting_that_forbids_texts_forbids_a_conversation(
    easyllm: Easyllm, server: StandIn
) -> None:
    env = {"EASYLLM_HISTORY": "metadata"}
    ran = easyllm.run("chat", "--conversation", "new:x", "a", env=env)
    assert "--history full" in refused(ran)
    id = begin(easyllm, "--history", "full", env=env)
    ran = easyllm.run("chat", "--conversation", id, "--history", "off", "b", env=env)
    assert (ran.code, len(sent(server))) == (0, 3)
    assert len(easyllm.run("history").stdout.splitlines()) == 1


def test_another_host_gets_the_turns_only_with_p(easyllm: Easyllm, server: StandIn) -> None:
    id = begin(easyllm)
    moved = profile_toml(server, name="t").replace("127.0.0.1", "localhost")
    easyllm.write_profiles('default_profile = "t"\n' + moved)
    again = ["chat", "--conversation", id]
    message = refused(easyllm.run(*again, "b", "--dry-run", env=FULL))
    assert "the conversation was with 127.0.0.1, and -p t is now localhost" in message
    assert len(server.requests) == 1
    assert easyllm.run(*again, "-p", "t", "b", env=FULL).code == 0
    assert sent(server)[0] == ("user", "a")


def test_a_conversation_without_a_named_profile_needs_p(
    easyllm: Easyllm, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of a database and a dict of the library may bear the name of a built-in profile."""
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    row = Profile(name="openai", provider="openai", selected_by="--config-db URL --config-id")
    save(id="0aaaaaaaaaaaaaaa", profile=row)
    save(id="0bbbbbbbbbbbbbbb", command="library")
    for id in ("0aaaaaaaaaaaaaaa", "last"):
        ran = easyllm.run("chat", "--conversation", id, "b", "--dry-run", env=FULL)
        assert "the conversation was held without a named profile" in refused(ran)
