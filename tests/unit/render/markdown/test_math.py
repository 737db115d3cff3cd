"""LaTeX on a terminal: formulas as they were written, tinted like code, the same at any split."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easyllm_cli.render.markdown.document import Document
from easyllm_cli.render.markdown.math import MAX_BLOCK_CHARS
from easyllm_cli.render.markdown.parser import parse_blocks
from tests.unit.render.markdown.test_document import at_once, rows, shown

TINT = "36"
ALIGNED = "\\begin{aligned}\na &= b \\\\\n  &= c*d*e \\\\[4pt]\n= f\n- g\n\\end{aligned}"
BLOCKS = [f"\\[\n{ALIGNED}\n\\]", f"$$\n{ALIGNED}\n$$", ALIGNED, "\\[ x_1 *y* \\]", "$$x\\\\y$$."]


def tinted(text: str, width: int = 80) -> str:
    """What is tinted, a newline between the rows."""
    made = ("".join(part for part, style in row if TINT in style) for row in at_once(text, width))
    return "\n".join(filter(None, made))


@pytest.mark.parametrize(
    "formula",
    [
        r"\(x^2\)", r"\( a_1 * b_1 * c \)", r"\[ a \\ b \]", r"$$ x\,y $$", r"$x^2\,dx$", "$5x$",
        r"$\$5$", r"\(\text{a \\) b}\)", r"\[ [0, 1) \]", "$a|b$", r"\(\sqrt[3]{x}\)", "$x$",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "around",
    ["so {}, thus", "- item {}", "> quoted {} words", "# Heading {}", "**bold {} text**",
     "| a | b |\n|---|---|\n| c | {} |"],
)  # fmt: skip
def test_a_formula_in_a_text_stays_as_it_is(formula: str, around: str) -> None:
    text = around.format(formula)
    assert tinted(text) == formula
    assert rows(text) == at_once(text)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("prefix", ["", "  ", "- ", "> ", "1. > "])
def test_a_formula_on_lines_of_its_own(block: str, prefix: str) -> None:
    """No line is taken for a list or a heading, and each is a row, however long."""
    indent = prefix if prefix.strip() == ">" else prefix.replace("1.", "  ").replace("-", " ")
    inside = f"{prefix}text\n{indent}" + block.replace("\n", f"\n{indent}") + f"\n{indent}text\n"
    for width in (8, 80):
        assert tinted(inside, width) == block
        assert rows(inside, width) == at_once(inside, width)


def test_formulas_stand_apart_from_the_text() -> None:
    assert shown("Thus\n\\[\na\n\\]\nand\n- so\n  $$b$$\n") == [
        "Thus", "", "\\[", "a", "\\]", "", "and", "", "• so", "  $$b$$",
    ]  # fmt: skip


def test_lines_of_a_formula_within_a_text() -> None:
    assert shown("thus \\[\na \\\\\nb\n\\] and $$c\n  d$$") == [
        "thus \\[", "a \\\\", "b", "\\] and $$c", "  d$$",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$5 and $6", "$5 and $6"), ("$5-$10", "$5-$10"), ("5$ or 6 $ each", "5$ or 6 $ each"),
        ("$ a$", "$ a$"), ("$a $", "$a $"), ("$a$5", "$a$5"), ("$$", "$$"), ("$$$$", "$$$$"),
        (r"\(a", "(a"), (r"\[a", "[a"), ("$$a", "$$a"), ("$a", "$a"), (r"\(\)", "()"),
        (r"\$a\$ b$", "$a$ b$"), ("\\[\n*a*\n\nb\\]", "[ a"), ("\\[\n- a\n", "["),
    ],
)  # fmt: skip
def test_unclosed_formulas_and_prices_are_text(text: str, expected: str) -> None:
    assert tinted(text) == ""
    assert shown(text)[0] == expected
    assert rows(text) == at_once(text)


@pytest.mark.parametrize(
    "text",
    ["`\\(a\\)` `$b$`", "`$a` and `b$`", "\\(a `\\)`", "$$ is\n```sh\necho $$\n```",
     "\\[ is\n~~~\n\\]\n~~~", "```\n\\[\na\n\\]\n$$\n```", "    \\[ a \\]"],
)  # fmt: skip
def test_code_is_code(text: str) -> None:
    block_kinds = {token.type for block in parse_blocks(text, {}).blocks for token in block.tokens}
    assert "math_block" not in block_kinds
    made = "".join(part for row in at_once(text) for part, style in row if style == TINT)
    assert "`" not in made
    assert rows(text) == at_once(text)


def test_a_formula_without_end_is_text_when_it_is_too_long() -> None:
    """It does not hold back the rest of an answer, nor the lines before it."""
    text = "before\n\\[\n" + "word word\n" * (MAX_BLOCK_CHARS // 10)
    assert shown(text)[0].startswith("before [ word")
    document = Document(80)
    document.feed(f"{text}- item\n\nend")
    assert len(document.take_rows()[0]) > MAX_BLOCK_CHARS // 100
    text += "- \\]\n"
    assert shown(text)[-1] == "• ]"
    assert rows([text[:3000], text[3000:]]) == at_once(text)


def test_an_open_formula_is_shown_as_one_at_once() -> None:
    document = Document(80)
    document.feed("before\n\\[\n- a")
    assert document.take_rows() == ([], [(("before", ""),), (), (("\\[", TINT),), (("- a", TINT),)])
    document.feed("\n")
    assert document.take_rows()[0] == [], "it may turn out to be text"
    document.feed("\\]\n")
    assert document.take_rows()[0][0] == (("before", ""),)


PIECES = [
    "\\[", "\\]", "\\(", "\\)", "$$", "$", "\n", "\n\n", " ", "- ", "> ", "1. ", "x", "= b", "=",
    "---", "a &= b \\\\", "\\begin{a}", "\\end{a}", "| a | b |\n|---|---|\n", "| 1 | 2 |\n", "`",
    "```", "~~~", "# ", "5", "\\", "**", "    ", "[a]", "|", "<br>",
]  # fmt: skip


@settings(deadline=None)
@given(
    text=st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    cuts=st.lists(st.integers(0, 80), max_size=8) | st.just(list(range(120))),
    width=st.sampled_from([4, 20, 80]),
)
def test_any_split_gives_the_same_rows(text: str, cuts: list[int], width: int) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    parts = [text[start:end] for start, end in pairwise(edges)]
    assert rows(parts, width) == at_once(text, width)
