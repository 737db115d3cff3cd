"""What a text between three quotes is; readline itself is tested at a terminal."""

import builtins
from collections.abc import Callable, Iterator

import pytest

from easyllm_cli.cli.repl.line_editor import LineEditor

Type = Callable[..., LineEditor]
BAD = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Type]:
    """A line editor at which these lines are typed; an exception is raised."""
    left: list[str | Exception] = []

    def read(prompt: str) -> str:
        line = left.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    def type_lines(*lines: str | Exception) -> LineEditor:
        left[:] = lines
        return LineEditor([], lambda line, word: [])

    monkeypatch.setattr(builtins, "input", read)
    yield type_lines
    assert left == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (['"""', "a", "", "b", '"""'], "a\n\nb"), (['"""a', 'b"""'], "a\nb"), (['"""a"""'], "a"),
        (['"""', "a", '""" '], "a"), (['"""', "", '"""'], ""), (['"""', "/help", '"""'], "//help"),
        (['"""Docs."""\nimport x'], '"""Docs."""\nimport x'), (['a """'], 'a """'),
    ],
)  # fmt: skip
def test_a_text_between_three_quotes(typed: Type, lines: list[str], text: str) -> None:
    """A paste with line ends is what it is; a text that looks like a command is none."""
    assert typed(*lines).read("> ") == text


def test_no_line_of_a_text_that_cannot_be_read_is_a_question(typed: Type) -> None:
    editor = typed('"""', BAD, "/quit", '"""', "next")
    with pytest.raises(UnicodeDecodeError):
        editor.read("> ")
    assert editor.read("> ") == "next"
