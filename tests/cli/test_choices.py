"""`easyllm chat --choices`: what is sent, printed and refused."""

import json

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import Terminal


def test_one_of_the_choices(easyllm: Easyllm) -> None:
    """A server that takes a schema chooses by it; the choice is printed as the list spells it."""
    with StandIn(script_handler(chat_answer_script('{"choice": "SPAM"}'))) as server:
        profiles = single_profile_toml(server)
        ran = easyllm.run("chat", "--choices", "spam,ham", "hi", profiles=profiles)
        assert (ran.code, ran.stdout, ran.stderr) == (0, b"spam\n", "")
        (request,) = server.requests
        schema = request.json["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["choice"]["enum"] == ["spam", "ham"]
        ran = easyllm.run("chat", "--choices", "spam,ham", "hi", "--json", profiles=profiles)
        assert (ran.json["text"], ran.json["ok"]) == ("spam", True)


def test_none_of_the_choices(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("I think it is ham"))) as server:
        profiles = single_profile_toml(server)
        ran = easyllm.run("chat", "--choices", "spam,ham", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (7, b"")
        assert 'none of the choices: "I think it is ham"' in ran.error_line
        ran = easyllm.run("chat", "--choices", "spam,ham", "--partial", "hi", profiles=profiles)
        assert (ran.code, ran.stdout) == (7, b"I think it is ham\n")


def test_cut_answer(easyllm: Easyllm) -> None:
    """Even the user's own limit may have cut `yesterday`."""
    with StandIn(script_handler(chat_answer_script("yes", finish="length"))) as server:
        ran = easyllm.run(
            "chat", "--choices", "yes,yesterday", "--max-tokens", "1", "hi",
            profiles=single_profile_toml(server),
        )  # fmt: skip
        assert (ran.code, ran.stdout) == (7, b"")


def test_terminal_shows_the_choice_alone(easyllm: Easyllm) -> None:
    answer = json.dumps({"choice": "ham"})
    with StandIn(script_handler(chat_answer_script(answer))) as server:
        easyllm.write_profiles(single_profile_toml(server))
        with Terminal(easyllm, "chat", "--choices", "spam,ham", "hi") as terminal:
            code, out, _ = terminal.end()
        assert (code, out.split()) == (0, ["ham"])


@pytest.mark.parametrize(
    "options",
    [("--schema", "s.json"), ("-x",), ("--jsonl",), ("--stream",), ("--reasoning", "only"),
     ("--reasoning", "tags")],
)  # fmt: skip
def test_options_that_want_another_answer(easyllm: Easyllm, options: tuple[str, ...]) -> None:
    ran = easyllm.run("chat", "--choices", "a,b", *options, "hi")
    assert ran.code == 2
    assert "and --choices do not go together" in ran.stderr + ran.stdout.decode()
