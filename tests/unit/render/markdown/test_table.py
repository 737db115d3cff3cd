"""Tables as models write them: no text of a cell is lost, whatever stands in it."""

import pytest

from tests.unit.render.markdown.test_document import at_once, rows, shown

HEAD = "| a | b |\n|---|---|\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("| c | `x | y` |", ["c  x | y"]),
        ("| `x|y` | ``a ` | b`` |", ["x|y  a ` | b"]),
        ("| c | x \\| y |", ["c  x | y"]),
        ("| c | `x \\| y` |", ["c  x | y"]),
        ("| $|x|$ | \\(a|b\\) |", ["$|x|$  \\(a|b\\)"]),
        ("| $P(a | b)$ | c |", ["$P(a | b)$  c"]),
        ("| c | \\(\\|x\\|\\) |", ["c  \\(\\|x\\|\\)"]),
        ("| $5 | 6$ |", ["$5  6$"]),
        ("| ` | back-tick |", ["`  back-tick"]),
        ("| c | d | e | f |", ["c  d | e | f"]),
        ("| c |", ["c"]),
        ("c | d", ["c  d"]),
        ("| x<br>y | z |", ["x  z", "y"]),
        ("| x<br/>y<BR />z | `<br>` |", ["x  <br>", "y", "z"]),
    ],
)  # fmt: skip
def test_cells_of_a_row(row: str, expected: list[str]) -> None:
    text = f"{HEAD}{row}\n"
    assert [" ".join(line.split(" ")) for line in squeeze(shown(text)[2:])] == expected
    assert rows(text) == at_once(text)


def squeeze(lines: list[str]) -> list[str]:
    """Lines with at most two blanks between two words."""
    for _ in range(10):
        lines = [line.replace("   ", "  ") for line in lines]
    return lines


def test_a_line_that_breaks_is_as_wide_as_its_parts() -> None:
    assert shown("| a | b |\n|---|--:|\n| one<br>three | 1<br>22 |") == [
        "a       b", "─────  ──", "one     1", "three  22",
    ]  # fmt: skip


def test_a_break_outside_of_a_table_is_text() -> None:
    assert shown("a<br>b") == ["a<br>b"]


def test_code_in_a_header() -> None:
    assert shown("| `a|b` | c |\n|---|---|\n| 1 | 2 |\n") == ["a|b  c", "───  ─", "1    2"]


@pytest.mark.parametrize(
    ("text", "first"), [("# a | b\n|---|---|\n", "a | b"), ("~~~a | b\n|---|---|\n", "```a | b")]
)
def test_a_line_that_is_something_else_is_no_header(text: str, first: str) -> None:
    assert shown(text)[0] == first
    assert rows(text) == at_once(text)


def test_a_line_that_may_become_a_table_leaves_the_text_before_it_open() -> None:
    text = "word\n\\|a\n---more"
    assert rows(text) == at_once(text)


def test_words_are_whole_where_other_columns_have_room() -> None:
    """Columns of short words are narrowed before a long word is broken."""
    text = "| Key | Uses | Adds |\n|---|---|---|\n| internationalization | a b c d e | f g h i |\n"
    assert shown(text, 32) == [
        "Key                   Uses  Adds",
        "────────────────────  ────  ────",
        "internationalization  a b   f g",
        "                      c d   h i",
        "                      e",
    ]


def test_only_the_longest_word_is_broken_where_there_is_no_room() -> None:
    text = f"| Key | Address |\n|---|---|\n| database | {'x' * 30} |\n"
    assert shown(text, 30)[2:] == [f"database  {'x' * 20}", f"          {'x' * 10}"]
