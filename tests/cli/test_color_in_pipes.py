"""`--color always` in a pipe: as on a terminal, COLUMNS or 80 wide; data stays as it is."""

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.images import png
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.script import Cut, Script, chunk, script_handler
from tests.support.standins.server import StandIn
from tests.support.terminal import SGR

MARKDOWN = "# Title\n\nSome **bold** words, " + "and more " * 20 + "\x1b[2J.\n\n```\na = 1\n```\n"
ALWAYS = ("--color", "always")


@pytest.mark.parametrize("columns", ["", "40"])
@pytest.mark.parametrize("command", ["chat", "vision", "cot"])
def test_a_whole_answer_is_drawn(easyllm: Easyllm, command: str, columns: str) -> None:
    (easyllm.home / "a.png").write_bytes(png(1, 1, (1, 2, 3)))
    words = ["a.png", "hi"] if command == "vision" else ["hi"]
    with StandIn(script_handler(chat_answer_script(MARKDOWN))) as server:
        ran = easyllm.run(
            command, *ALWAYS, *words, profiles=single_profile_toml(server), env={"COLUMNS": columns}
        )
    out = ran.stdout.decode()
    assert ran.code == 0
    assert "\x1b[1;4mTitle\x1b[0m\n" in out
    assert "\x1b[1mbold\x1b[0m" in out
    width = int(columns or 80)
    assert width - 10 < max(len(SGR.sub("", row)) for row in out.splitlines()) <= width
    assert "\x1b" not in SGR.sub("", out), "the model steers no terminal"


def test_an_incomplete_answer_prints_nothing(easyllm: Easyllm) -> None:
    with StandIn(script_handler(Script(chunk(MARKDOWN), Cut()))) as server:
        ran = easyllm.run("chat", *ALWAYS, "--no-retry", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (7, b"")
    assert [path.read_text() for path in easyllm.partials()] == [MARKDOWN]


def test_a_long_answer_loses_nothing(easyllm: Easyllm) -> None:
    """It is parsed in parts."""
    lines = [f"• item number {number} of a list" for number in range(1, 1000)]
    sent = "\n".join(lines).replace("•", "-")
    with StandIn(script_handler(chat_answer_script(sent))) as server:
        ran = easyllm.run("chat", *ALWAYS, "hi", profiles=single_profile_toml(server))
    rows = SGR.sub("", ran.stdout.decode()).split("\n")
    assert rows == [*lines, ""]


@pytest.mark.parametrize(
    "args", [("stream",), ("chat", "--raw"), ("chat", "--schema", "s.json"), ("chat", "-x")]
)
def test_data_and_streams_stay_plain(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    (easyllm.home / "s.json").write_text("{}")
    text = '{\n  "a": "*x*"\n}'
    sent = f"```\n{text}\n```\n" if "-x" in args else text
    with StandIn(script_handler(chat_answer_script(sent))) as server:
        ran = easyllm.run(*args, *ALWAYS, "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout.decode(), ran.stderr) == (0, f"{text}\n", "")


def test_reasoning_and_notes(easyllm: Easyllm) -> None:
    script = chat_answer_script("Hello", reasoning="Hm\x1b[2J.")
    with StandIn(script_handler(script)) as server:
        ran = easyllm.run("cot", *ALWAYS, "-u", "hi", profiles=single_profile_toml(server))
    assert (ran.code, ran.stdout) == (0, b"Hello\n")
    assert ran.stderr.startswith("\x1b[2mHm\u241b[2J.\x1b[0m\n\x1b[2measyllm:\x1b[0m first token ")


@pytest.mark.parametrize("args", [("profiles", "list"), ("profiles", "show", "t")])
def test_the_profiles_are_a_table(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    profiles = single_profile_toml("http://127.0.0.1:9/v1")
    ran = easyllm.run(*args, *ALWAYS, profiles=profiles)
    assert ran.code == 0
    assert "\x1b[1m" in ran.stdout.decode()


def test_the_models_are_a_table(easyllm: Easyllm) -> None:
    with StandIn(OllamaServer().handle) as server:
        profiles = single_profile_toml(server, "ollama")
        ran = easyllm.run("models", *ALWAYS, profiles=profiles)
    lines = ran.stdout.decode().splitlines()
    assert lines[0].startswith("\x1b[1mmodel\x1b[0m")
    assert lines[2].split() == ["llama3.2:latest", "131,072", "no", "no"]
