"""Markdown to rows: the same at any split, code exact, nothing dropped, no control codes."""

import random
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easyllm_cli.render.markdown.document import Document
from easyllm_cli.render.markdown.parser import parse_blocks
from easyllm_cli.render.sanitize import Sanitizer, sanitize_text
from easyllm_cli.render.spans import Row, ansi_from_row, row_width, text_from_row
from tests.support.answers import code, generate_answer, split_into_tokens
from tests.support.commonmark import EXAMPLES
from tests.unit.render.test_sanitize import PAYLOADS, harmless

DIFF = "\n```diff\n@@ -1 +1 @@\n-a\n+b\n```\n"
OURS = re.compile(r"\x1b\[[0-9;]*m")


def rows(parts: Iterable[str], width: int = 80) -> list[Row]:
    """The rows that are final, with `take_rows` called after each part."""
    document = Document(width)
    final: list[Row] = []
    for part in parts:
        document.feed(part)
        final += document.take_rows()[0]
    return final + document.end()


def at_once(text: str, width: int = 80) -> list[Row]:
    document = Document(width)
    document.feed(text)
    return document.end()


def shown(text: str, width: int = 80) -> list[str]:
    return [text_from_row(row) for row in at_once(text, width)]


def uses_a_later_definition(text: str) -> bool:
    """Whether the text before a link definition looks different once the definition is known."""
    definitions = parse_blocks(text, {}).references
    lines = text.split("\n")
    for label, definition in definitions.items():
        before = "\n".join(lines[: definition["map"][0]])
        known = {label: {"href": definition["href"], "title": definition["title"]}}
        if repr(parse_blocks(before, known).blocks) != repr(parse_blocks(before, {}).blocks):
            return True
    return False


@pytest.mark.parametrize("start", range(0, len(EXAMPLES), 50))
def test_commonmark_examples_character_by_character(start: int) -> None:
    """Streamed equals whole, styles included, except for a definition that follows its use."""
    for text in EXAMPLES[start : start + 50]:
        streamed, whole = rows(text), at_once(text)
        if not uses_a_later_definition(text):
            assert streamed == whole, repr(text)
            continue
        assert streamed != whole, f"this definition is not late: {text!r}"
        targets = [row for row in streamed if re.match(r"(│ )?\[[^\]]+\]:", text_from_row(row))]
        assert targets, f"the definition is not shown: {text!r}"
        assert all(style == "2" for row in targets for _, style in row), f"it is not dim: {text!r}"


def test_late_definitions_are_few() -> None:
    assert sum(map(uses_a_later_definition, EXAMPLES)) == 50


def test_random_documents_of_commonmark_examples() -> None:
    early = [text for text in EXAMPLES if not parse_blocks(text, {}).references]
    r = random.Random(7)
    for _ in range(50):
        text = "\n".join(r.choice(early) for _ in range(6))
        assert rows(text) == at_once(text), repr(text)


def test_definitions_before_their_use() -> None:
    """They apply to all text after them, across blocks and inside quotes."""
    text = (
        "[a]: /first 'title\nover lines'\n\n> [b]: /second\n\n- [c]: /third\n- item\n\n"
        "one [a]\n\ntwo [b]\n\nthree [c]\n\n[a]: /other\n"
    )
    assert rows(text) == at_once(text)
    assert shown(text) == [
        "[a]: /first 'title over lines'", "", "│ [b]: /second", "", "• [c]: /third", "• item", "",
        "one a (/first)", "", "two b (/second)", "", "three c (/third)", "", "[a]: /other",
    ]  # fmt: skip


@settings(deadline=None)
@given(
    text=st.lists(
        st.sampled_from([*EXAMPLES[:200], "\n", "\n\n", "- ", "> ", "```\n", "| a |\n|---|\n", " "])
        | st.text(max_size=10),
        max_size=6,
    ).map("".join),
    cuts=st.lists(st.integers(0, 300), max_size=12),
    width=st.sampled_from([4, 20, 80]),
)
def test_any_split_of_any_text_gives_the_same_rows(text: str, cuts: list[int], width: int) -> None:
    text = sanitize_text(text)
    if parse_blocks(text, {}).references:
        text = text.replace("]:", "] :")
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    parts = [text[start:end] for start, end in pairwise(edges)]
    assert rows(parts, width) == at_once(text, width)


@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in (2, 3))]
)
def test_generated_answer_in_pieces(seed: int, width: int) -> None:
    text = generate_answer(3000, seed)
    assert (
        rows(split_into_tokens(text), width)
        == rows(split_into_tokens(text, 9), width)
        == at_once(text, width)
    )


def test_rows_fit_the_width_except_code() -> None:
    for width in (20, 40, 80):
        for row in rows(
            split_into_tokens(
                re.sub(r"```.*?(```|\Z)", "", generate_answer(9000), flags=re.DOTALL), 16
            ),
            width,
        ):
            assert row_width(row) <= width, text_from_row(row)


def test_every_character_is_parsed_a_few_times_only() -> None:
    """The cost is linear: at most 10 parsed characters for each input character.

    And at least one: a counter that does not count would prove nothing.
    """
    text = generate_answer(16_384)
    document = Document(80)
    for piece in split_into_tokens(text, 8):
        document.feed(piece)
        document.take_rows()
    document.end()
    assert len(text) <= document.parsed_characters <= 10 * len(text)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("word " * 3500, 1, 28),  # one line
        ("| a | b |\n|---|---|\n" + "| some | cells |\n" * 500, 1, 20),
        pytest.param(
            "| a | b |\n|---|---|\n" + "| some | cells |\n" * 4000, 1, 20, marks=pytest.mark.full
        ),
        ("\\[ x \\] and " * 1000, 1, 28),
        ("\\[ x\n\\]\n" * 1000, 1, 12),
        ("- an item of a list\n" * 400, 1, 12),
        ("```c\n" + "int x = 1; /* a comment */\n" * 600, 0, 1),  # code is not parsed
        ("\n" * 65_000, 0, 1),
    ],
    ids=[
        "paragraph",
        "table",
        "long table",
        "formulas",
        "formula blocks",
        "list",
        "fence",
        "blank",
    ],
)
def test_a_single_long_block(text: str, least: int, most: int) -> None:
    """A long block is not parsed from its beginning for every frame.

    If it were, half of it would be parsed for every 128 characters: far more than `most`.
    """
    assert len(text) / (2 * 128) > 1.5 * most
    document = Document(80)
    for piece in (text[at : at + 128] for at in range(0, len(text), 128)):
        document.feed(piece)
        document.take_rows()
    document.end()
    assert least * len(text) <= document.parsed_characters <= most * len(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<div>hi</div> <think> Vec<u8>", ["<div>hi</div> <think> Vec<u8>"]),
        ("<!-- seen -->\n\nx", ["<!-- seen -->", "", "x"]),
        ("[https://bank.example](https://evil.example/)",
         ["https://bank.example (https://evil.example/)"]),
        ("<https://a.example/b>", ["https://a.example/b"]),
        ("<me@a.example>", ["me@a.example"]),
        ("[https://a.example](https://a.example)", ["https://a.example"]),
        ("[](https://a.example)", ["https://a.example"]),
        ("![a *cat*](cat.png)", ["[image] a cat (cat.png)"]),
        ("# One\nTwo\n===\n", ["One", "", "Two"]),
        ("a  \nb\\\nc\nd", ["a", "b", "c d"]),
        ("9. a\n9. b\n   1. c\n", [" 9. a", "10. b", "     1. c"]),
        ("- a\n\n- b\n  - c\n    - d\n\n  e", ["• a", "• b", "  ◦ c", "    ▪ d", "", "  e"]),
        ("> a\n> > b\n", ["│ a", "│", "│ │ b"]),
        ("a\n***\nb", ["a", "", "─" * 24, "", "b"]),
        ("|a|b|\n|-|-:|\n|**c**|12345|\n", ["a      b", "─  ─────", "c  12345"]),
        ("~~a~~", ["a"]),
        ("", []),
        (" \n\n", []),
    ],
)  # fmt: skip
def test_rendered_rows(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("mark", ["> ", "- ", "1. "])
@pytest.mark.parametrize("depth", [5, 18, 20, 30, 500])
def test_too_deep_nesting_is_shown_verbatim(mark: str, depth: int) -> None:
    """The parser drops what is nested deeper than its limit."""
    text = f"{mark * depth}words\n\nend\n"
    assert "words" in "".join(shown(text, 400))
    step = 1 if depth <= 30 else 25  # characters
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    assert rows(parts, 400) == at_once(text, 400)


def test_a_title_below_its_definition() -> None:
    """Until its last line it looks like a paragraph, but must not be output as one."""
    text = "[a]: /u\n'a title\nover more\nlines'\n\n[a]\n"
    assert shown(text) == ["[a]: /u 'a title over more lines'", "", "a (/u)"]
    assert rows(text) == at_once(text)


def test_no_blank_line_between_definitions() -> None:
    text = "a\n\n[b]: c\n[d]: e\n\n[f]: g\nh"
    assert shown(text) == ["a", "", "[b]: c", "[d]: e", "[f]: g", "", "h"]
    assert rows(text) == at_once(text)


def test_styles() -> None:
    row = at_once("**b** *i* `c` ~~s~~ ***bi***")[0]
    assert dict(row) == {"b": "1", " ": "", "i": "3", "c": "36", "s": "9", "bi": "3;1"}


def test_only_colours_that_can_be_read_on_light_and_dark() -> None:
    """Bold, dim, italic, underline, strike; four colours; no background, nothing else."""
    r = random.Random(3)
    used = {
        number
        for row in at_once(
            generate_answer(20_000) + "\n\n" + "\n".join(code(r) for _ in range(20)) + DIFF
        )
        for _, style in row
        for number in style.split(";")
    }
    assert used <= {"", "1", "2", "3", "4", "9", "31", "32", "35", "36"}
    assert {"31", "32", "35", "36"} <= used


def test_a_diff_is_red_and_green() -> None:
    made = at_once(DIFF)
    assert made[2:4] == [(("-a", "31"),), (("+b", "32"),)]
    assert ansi_from_row(made[2], colored=False) == "-a"


def test_text_is_not_wider_than_can_be_read() -> None:
    """Paragraphs, headings, lists and quotes, with what stands before them; tables and code are."""
    words = "many words " * 30
    text = f"{words}\n\n# {words}\n\n- {words}\n  > {words}\n\n1. {words}\n"
    assert 95 <= max(map(row_width, at_once(text, 200))) <= 100
    table = f"> |{'a' * 70}|{'b' * 70}|\n> |-|-|\n"
    assert max(map(row_width, at_once(table, 200))) == 144
    assert max(map(row_width, at_once(f"```\n{words}\n```", 200))) == len(words)


def test_without_colours_bold_stays() -> None:
    row = at_once("**b** `c` and **`d`**")[0]
    assert ansi_from_row(row, colored=False) == "\x1b[1mb\x1b[0m c and \x1b[1md\x1b[0m"


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
@pytest.mark.parametrize(
    "around", ["{}", "**{}**", "`{}`", "```{}\n{}\n```", "[{}]({})", "|{}|\n|-|"]
)
def test_fault_62_no_payload_reaches_a_row(payload: str, around: str) -> None:
    """Whole and at every split, in every kind of block."""
    text = around.replace("{}", payload)
    for at in range(len(text)):
        sanitizer = Sanitizer()
        parts = [sanitizer.feed(text[:at]), sanitizer.feed(text[at:]), sanitizer.end()]
        for row in rows(parts):
            assert harmless(OURS.sub("", ansi_from_row(row, colored=True)))
            assert "\n" not in text_from_row(row)


@pytest.mark.parametrize(
    "text",
    [
        "<http://x/%1B%5B2J%C2%9B>", "&#27;[2J", "&#x202e;", "&#x9b;2J", "&#x2028;a", "&#xfeff;",
        "```&#x202e;x\n```", "[a](<http://x/&#x202e;> '&#x202e;')", "![&#x202e;](&#x202e;)",
        "`a&#x202e;`", "|&#x202e;|\n|-|\n", "# &#x2066;", "&#13;x", "&#xe0041;",
    ],
)  # fmt: skip
def test_no_control_codes_from_entities(text: str) -> None:
    """Entities and percent codes become characters after the text was sanitized."""
    for row in at_once(text):
        assert harmless(OURS.sub("", ansi_from_row(row, colored=True)))
        assert "\n" not in ansi_from_row(row, colored=True)


def test_ansi_from_row_escapes_control_codes() -> None:
    """The last check, whatever an earlier stage missed."""
    assert ansi_from_row((("a\x1b[2Jb\n\x9b\u202e", "1"),), colored=True) == (
        "\x1b[1ma␛[2Jb �<U+202E>\x1b[0m"
    )
