"""`easyllm history`: list, show, search, export and delete, on a terminal and in a pipe."""

import json
import os

import pytest

from easyllm_cli.cli.commands.history import EXAMPLES
from easyllm_cli.errors import IncompleteAnswer
from tests.support.binary import Easyllm, RunResult, split_error_line
from tests.support.history import save
from tests.support.objects import parse_listing_json
from tests.support.terminal import SGR, Terminal, run_on_terminals

A, B, C, D = (letter.join(["0", "a" * 14]) for letter in "abcd")
ANSWER = "Snow *falls*\n\n```python\nprint(1)\n```\n"


@pytest.fixture
def filled(easyllm: Easyllm, monkeypatch: pytest.MonkeyPatch) -> Easyllm:
    """The command with a history: a conversation, a failed call, one without texts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(easyllm.home / "state"))
    save("Write a haiku", ANSWER, id=A, reasoning="Five syllables.", started_at=1e9)
    save("And rain?", "**Rain** falls.", id=B, conversation=A, started_at=1e9 + 1)
    save("Long " * 40, "x", id=C, error=IncompleteAnswer("it was cut"), exit_code=7)
    save(id=D, conversation=None)
    return easyllm


def run(easyllm: Easyllm, *words: str) -> str:
    ran = easyllm.run("history", *words)
    assert ran.code == 0, ran.stderr
    return ran.stdout.decode()


def refused(ran: RunResult, code: int = 2) -> str:
    assert (ran.code, ran.stdout) == (code, b""), ran.stderr
    return split_error_line(ran.error_line)[0]


def ids(text: str) -> list[str]:
    return [line.partition("\t")[0] for line in text.splitlines()]


def test_list(filled: Easyllm) -> None:
    lines = run(filled).splitlines()
    assert ids(run(filled, "list")) == ids("\n".join(lines)) == [D, C, B, A]
    assert lines[3].split("\t")[2:] == ["t", "m", "", "Write a haiku"]
    assert lines[1].split("\t")[4] == "incomplete"
    assert ids(run(filled, "-n", "2")) == [D, C]
    assert ids(run(filled, "--failed")) == [C]
    assert ids(run(filled, "--since", "1d", "-m", "M", "-p", "t")) == [D, C]
    assert ids(run(filled, "-m", "other")) == []
    calls = parse_listing_json(filled.run("history", "--json"), "calls")["calls"]
    assert [call["id"] for call in calls] == [D, C, B, A]
    assert (calls[3]["text"], calls[3]["conversation"]) == (ANSWER, A)
    assert (calls[0]["text"], calls[0]["total_tokens"]) == (None, 46)


def test_list_on_a_terminal(filled: Easyllm) -> None:
    code, out, _ = run_on_terminals(filled, "history", terminals="1", columns=80)
    lines = SGR.sub("", out).splitlines()
    assert (code, lines[0].split()) == (0, ["id", "when", "model", "error", "prompt"])
    assert len(lines) == 8
    assert lines[3].rstrip().endswith("incomplete  Long Long Long Long…")


def test_an_empty_history_is_no_error(easyllm: Easyllm) -> None:
    for words in ([], ["search", "x"], ["delete", "--all", "--yes"]):
        ran = easyllm.run("history", *words)
        assert (ran.code, ran.stdout) == (0, b"")
        assert "no answers are kept" in ran.error_line
    assert run(easyllm, "export") == ""
    assert parse_listing_json(easyllm.run("history", "--json"), "calls")["calls"] == []
    assert refused(easyllm.run("history", "show")) == "no answers are kept yet"
    assert not (easyllm.home / "state").exists()


def test_show(filled: Easyllm) -> None:
    head, _, rest = run(filled, "show", "0aaaa").partition("\n\n")
    assert head.startswith(f"## {A} · 2001-09-09 ")
    assert rest == f"> Write a haiku\n\n{ANSWER}"
    assert "Five syllables." in run(filled, "show", A, "--reasoning")
    assert run(filled, "show", A, "-x") == "print(1)\n"
    whole = run(filled, "show", B, "--all")
    assert [line[3:19] for line in whole.splitlines() if line.startswith("## ")] == [A, B]
    assert "no text is kept" in run(filled, "show")
    calls = parse_listing_json(filled.run("history", "show", B, "-a", "--json"), "calls")["calls"]
    assert [call["prompt"] for call in calls] == ["Write a haiku", "And rain?"]
    assert refused(filled.run("history", "show", B, "-x"), 7)
    assert refused(filled.run("history", "show", "zzzz")) == 'no call "zzzz" in the history'


def test_show_draws_markdown_on_a_terminal(filled: Easyllm) -> None:
    code, out, _ = run_on_terminals(filled, "history", "show", B, terminals="1", columns=80)
    assert code == 0
    assert "**" not in out
    assert "Rain falls." in SGR.sub("", out)


def test_search(filled: Easyllm) -> None:
    assert ids(run(filled, "search", "FALLS")) == [B, A]
    assert run(filled, "search", "snow", "falls").endswith(
        "\tSnow *falls* ```python print(1) ```\n"
    )
    assert ids(run(filled, "search", "falls", "-n", "1")) == [B]
    ran = filled.run("history", "search", "snow", "rain")
    assert (ran.code, ran.error_line) == (0, "easyllm: no answer holds snow and rain")
    assert refused(filled.run("history", "search", '"')) == ("nothing to search for")


def test_export(filled: Easyllm) -> None:
    text = run(filled, "export", "--conversation", A)
    assert text == run(filled, "show", A, "--all")
    lines = run(filled, "export", "--format", "jsonl").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [A, B, C, D]
    assert refused(filled.run("history", "export", "--conversation", "zzzz"))


def test_delete(filled: Easyllm) -> None:
    ran = filled.run("history", "delete", C)
    assert refused(ran) == "1 answer would be deleted for good"
    assert ids(run(filled)) == [D, C, B, A]
    run(filled, "delete", C, D[:5], "--yes")
    assert ids(run(filled)) == [B, A]
    run(filled, "delete", "--older", "2001-01-01", "--yes")
    assert ids(run(filled)) == [B, A]
    run(filled, "delete", "--conversation", A, "--yes")
    assert ids(run(filled)) == []
    for words in ([], [A, "--all"]):
        assert refused(filled.run("history", "delete", *words, "--yes"))


def test_delete_asks_on_a_terminal(filled: Easyllm) -> None:
    with Terminal(filled, "history", "delete", "--all", terminals="02") as terminal:
        terminal.stderr.wait_for(b"Delete 4 answers for good? [y/N]:")
        os.write(terminal.keys, b"y\r")
        assert terminal.end()[0] == 0
    assert ids(run(filled)) == []


def test_delete_all_removes_damaged_files_too(filled: Easyllm) -> None:
    path = filled.home / "state" / "easyllm" / "history.db"
    path.write_bytes(b"no database\n" * 100)
    assert refused(filled.run("history")) == "the history is damaged"
    assert filled.run("history", "delete", "--all", "--yes").code == 0
    assert not list(path.parent.glob("history.db*"))


def test_path(easyllm: Easyllm) -> None:
    path = str(easyllm.home / "state" / "easyllm" / "history.db")
    assert run(easyllm, "path") == f"{path}\n"
    listing = parse_listing_json(easyllm.run("history", "path", "--json"), "path")
    assert (listing["path"], listing["exists"]) == (path, False)


def test_off_and_on(easyllm: Easyllm) -> None:
    before = easyllm.write_profiles('# mine\n\n[profiles.a]\nprovider = "ollama"\n').read_text()
    ran = easyllm.run("history", "off")
    assert (ran.code, ran.stdout) == (0, b"")
    assert "no answers are kept from now on" in ran.error_line
    assert 'history = "off"\n' in easyllm.config.read_text("utf-8")
    assert "answers are kept again" in easyllm.run("history", "on").error_line
    assert "were kept before" in easyllm.run("history", "on").error_line
    assert easyllm.config.read_text("utf-8") == before


def test_off_and_on_name_what_comes_before_them(easyllm: Easyllm) -> None:
    full = '[profiles.a]\nprovider = "ollama"\nhistory = "full"\n'
    easyllm.write_profiles(full + full.replace("a]", "b]").replace("full", "off"))
    for command, profile, mode in (("off", "a", "full"), ("on", "b", "off")):
        message = easyllm.run("history", command, env={"EASYLLM_HISTORY": None}).error_line
        assert message.endswith(f"which set history themselves: {profile}")
        message = easyllm.run("history", command, env={"EASYLLM_HISTORY": mode}).error_line
        assert message.endswith(f'; but EASYLLM_HISTORY is "{mode}"')


@pytest.mark.parametrize("word", ["log", "logs"])
def test_words_of_other_tools_lead_here(easyllm: Easyllm, word: str) -> None:
    ran = easyllm.run(word)
    assert ran.code == 2
    assert "easyllm history lists" in ran.error_line


@pytest.mark.parametrize("example", EXAMPLES.splitlines())
def test_examples_of_the_help(filled: Easyllm, example: str) -> None:
    ran = filled.shell(example.replace("easyllm", "$E"))
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout or (filled.home / "answers.md").read_text("utf-8")
