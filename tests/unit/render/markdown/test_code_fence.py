"""Code blocks on a terminal: exact text, with the same colours at any chunk boundary."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.lexers import get_all_lexers
from pygments.token import Token

from easyllm_cli.render.markdown.code_fence import (
    MAX_HELD_LINES,
    RECOLORABLE_LINES,
    SETTLE_THRESHOLD_LINES,
)
from easyllm_cli.render.markdown.document import Document
from easyllm_cli.render.markdown.syntax import MAX_LINE_CHARS, START_STATE, Highlighter
from easyllm_cli.render.spans import Row, text_from_row
from tests.unit.render.markdown.test_document import at_once, rows

HERE = Path(__file__)


def block(text: str, info: str = "python") -> str:
    return f"```{info}\n{text}\n```\n"


@pytest.mark.parametrize("info", ["python", "c", "", "nonsense", "html+jinja", "console", "make"])
def test_code_is_exact(info: str) -> None:
    """Tabs, trailing blanks, blank lines and long lines stay; no padding is added."""
    text = "def f(x):\n\treturn x   \n\n\n" + "x = 1; " * 60 + "\n  <div>*a*</div> `b`\n\\(c\\)"
    lines = [text_from_row(row) for row in at_once(block(text, info))]
    assert lines == [f"```{info}", *text.split("\n"), "```"]


def test_indented_fence() -> None:
    """The fence's indent is removed from each line, and no more."""
    lines = [text_from_row(row) for row in at_once("  ```\n  a\n    b\n c\n  ```\n")]
    assert lines == ["```", "a", "  b", "c", "```"]


def test_code_in_a_list_and_in_a_quote() -> None:
    """After the prefix of the list or quote the code is exact, trailing blanks included."""
    lines = [
        text_from_row(row)
        for row in at_once("- a\n  ```\n  x  \n\n    y\n  ```\n\n> ```\n> z  \n> ```\n")
    ]
    assert lines == ["• a", "  ```", "  x  ", "", "    y", "  ```", "", "│ ```", "│ z  ", "│ ```"]


def test_a_fence_of_four_holds_a_fence_of_three() -> None:
    lines = [text_from_row(row) for row in at_once("````md\n```py\nx\n```\n````\nafter")]
    assert lines == ["```md", "```py", "x", "```", "```", "", "after"]


def test_every_line_of_a_real_file_in_any_pieces() -> None:
    text = block(HERE.read_text("utf-8").replace("```", ""))
    whole = at_once(text)
    assert rows([text]) == whole
    assert rows(text) == whole
    assert rows(text[at : at + 100] for at in range(0, len(text), 100)) == whole


def test_colours_of_a_file_are_those_of_the_whole() -> None:
    """Coloured line by line with some held back, compared with the lexer on the whole text."""
    text = HERE.read_text("utf-8").replace("```", "")
    lines = text.rstrip("\n").split("\n")
    assert at_once(block(text.rstrip("\n")))[1:-1] == Highlighter("python").highlight(lines)


def test_a_comment_that_closes_late_is_recoloured() -> None:
    """Its first line waits in the tail, and is then output as a comment."""
    document = Document(80)
    document.feed("```js\nlet a;\n/* one\n")
    done, tail = document.take_rows()
    assert [text_from_row(row) for row in done] == ["```js"]
    assert ("/* one", "") in tail[1]
    document.feed("   two */\n```\n")
    done, _ = document.take_rows()
    assert ("/* one", "2") in done[1]
    assert ("   two */", "2") in done[2]


@pytest.mark.parametrize("before", range(20))
def test_comment_of_ten_lines_is_coloured_at_any_place(before: int) -> None:
    """JavaScript's lexer knows a comment only when it closes, so ten lines are held for that."""
    code = [f"let x{number};" for number in range(before)]
    comment = ["/* it begins", *[f"goes on {number}" for number in range(8)], "ends */"]
    block_rows = rows(block("\n".join([*code, *comment, "let y;"]), "js"))
    comment_rows = block_rows[1 + before : 1 + before + len(comment)]
    assert comment_rows == [((line, "2"),) for line in comment]


def test_lines_leave_the_tail_in_time() -> None:
    """At least ten and fewer than twenty lines stay open to recolouring, whatever the length."""
    document = Document(80)
    document.feed("```python\n")
    counts = set()
    for number in range(300):
        document.feed(f"x = {number}\n")
        counts.add(len(document.take_rows()[1]))
    assert set(range(RECOLORABLE_LINES, SETTLE_THRESHOLD_LINES)) <= counts
    assert max(counts) < SETTLE_THRESHOLD_LINES


def test_unclosed_comment_holds_a_bounded_number_of_lines() -> None:
    """A lexer that cannot stop inside a token (Perl's POD) is cut off."""
    document = Document(80)
    document.feed("```perl\n=head1 x\n")
    most = 0
    done: list[Row] = []
    for number in range(2 * MAX_HELD_LINES):
        document.feed(f"line {number} of the comment\n")
        settled, tail = document.take_rows()
        done += settled
        most = max(most, len(tail))
    assert most < MAX_HELD_LINES + SETTLE_THRESHOLD_LINES
    assert [text_from_row(row) for row in done[2:]] == [
        f"line {number} of the comment" for number in range(len(done) - 2)
    ]


def test_very_long_line_has_no_colours() -> None:
    long = '{"a": ' * MAX_LINE_CHARS
    assert Highlighter("json").highlight([long]) == [((long, ""),)]


@pytest.mark.parametrize("name", ["python", "c", "js", "html", "rust", "yaml", "bash", "perl"])
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_no_lexer_loses_a_character(name: str, data: st.DataObject) -> None:
    words = [
        "def f(",
        '"',
        "'''",
        "/*",
        "*/",
        "#",
        "\\",
        "${",
        "<a b=",
        "<!--",
        "`",
        "x",
        " ",
        "\t",
    ]
    text = st.lists(st.sampled_from(words) | st.text(max_size=4), max_size=8).map("".join)
    lines = [
        line.replace("\n", " ").replace("\r", " ")
        for line in data.draw(st.lists(text, min_size=1, max_size=6))
    ]
    lexer = Highlighter(name)
    assert [text_from_row(row) for row in lexer.highlight(lines)] == lines
    state = START_STATE
    for line in lines:
        coloured, states = lexer.highlight_lines([line], state)
        assert [text_from_row(row) for row in coloured] == [line]
        state = states[0] or state


@pytest.mark.parametrize("text", ["<!--", "a\n<!-- b\nc", "<!--\n<!--\n"])
def test_lexer_that_loops_for_ever_is_stopped(text: str) -> None:
    """The mcschema lexer of pygments 2.21 never returns for these texts."""
    lines = text.split("\n")
    assert [text_from_row(row) for row in Highlighter("mcschema").highlight(lines)] == lines


class Lossy:
    """A lexer that drops hashes."""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, object, str]]:
        yield 0, Token.Keyword, text.replace("#", "")


def test_a_lexer_that_loses_text_gives_no_colours() -> None:
    lexer = Highlighter("nonsense")
    lexer._lexer = Lossy()
    assert lexer.highlight(["a", "a#b"]) == [(("a", "35"),), (("a#b", ""),)]


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.full)])
def test_lexers_do_not_raise_on_cut_code(count: int) -> None:
    """None of pygments' lexers raises for code that is cut anywhere."""
    text = '<a href="x">{{ b }}</a> /* c */ "d" \'e\' # f\n=begin\n$g = h(1);\n'
    r = random.Random(1)
    names = [aliases[0] for _, aliases, _, _ in get_all_lexers() if aliases]
    for name in r.sample(names, count):
        for end in (len(text), 20, 40):
            lines = text[:end].split("\n")
            assert [text_from_row(row) for row in Highlighter(name).highlight(lines)] == lines, name
