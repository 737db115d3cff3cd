"""Bounds: at most 8 output bytes per character of text, and each text is parsed about once."""

import os

import pytest

from easyllm_cli.render.markdown.document import Document
from easyllm_cli.render.markdown.live import LiveMarkdown
from easyllm_cli.render.markdown.parser import has_too_many_brackets
from easyllm_cli.render.spans import ansi_from_row, text_from_row
from tests.support.counting_stream import CountingStream

SIZE = 2_000  # characters; more than EXTRA_BYTES of document.py, so that they cover no fault
REPEATED = [
    "**a ", "*a", "_a ", "~~a ", "***a", "*a_b", "[", "![", "[a](", "![](", "[[a]", "[a](b) ",
    "[a](\U0001f600) ", "> ", "- ", "1. ", "`a", "`a`b", "<", "<a@b.c>", "|", "# a\n", "---\n",
    "- - a\n", "a\\\n", ">\n", "- \n", "&amp;", "```\n", "\u3042*\u3042*",
    "$a ", "$a$ ", "$$", "$$ a", "\\(", "\\[ ", "\\(a\\)", "$a`", "\\[\n", "\\[\na\n\\]\n", "$$\n",
    "> \\[\n", "\\begin{a}\n", "<br>",
]  # fmt: skip
TEXTS = {
    **{text: text * (SIZE // len(text)) for text in REPEATED},
    "emphasis closed": "**a " * 250 + "b** " * 250,
    "code in every style": "# ***~~" + "`a`b" * 500 + "~~***",
    "deep quote": "> " * 30 + "a\\\n" * 500,
    "deep list": "- " * 15 + "a\\\n" * 500,
    "links to one long address": f"[a]: http://{'x' * 500}\n\n" + "[a] " * 500,
    "pictures of one long address": f"[a]: http://{'x' * 500}\n\n" + "![a]\n\n" * 250,
    "cells of code and formulas": "|a|b|\n|-|-|\n" + "|`a|$x|$`|" * 200,
    "cells that break": "|a|b|\n|-|-|\n" + "|a<br>|\n" * 250,
    "wide first column": f"|{'a' * 70}|b|\n|-|-|\n" + "|a|b|\n" * 400,
    "long headers": "|" + f"{'t' * 50}|" * 40 + "\n|" + "-|" * 40 + "\n" + "|a|b\n" * 400,
}


@pytest.mark.parametrize("name", TEXTS, ids=ascii)
def test_no_text_takes_more_than_eight_bytes_a_character(name: str) -> None:
    text, stream = TEXTS[name], CountingStream()
    live = LiveMarkdown(stream, colored=True, frame_seconds=1000)
    live.write(text)
    live.end()
    os.close(stream.descriptor)
    assert stream.bytes <= 8 * len(text)


@pytest.mark.parametrize("name", TEXTS, ids=ascii)
def test_a_whole_text_is_parsed_about_once(name: str) -> None:
    document = Document(80)
    document.feed(TEXTS[name])
    document.end()
    assert document.parsed_characters <= 2 * len(TEXTS[name])


def test_text_that_would_take_too_much_is_shown_verbatim() -> None:
    document = Document(80)
    document.feed("---\n" * 1000)
    rows = [text_from_row(row) for row in document.end() if row]
    assert rows[0] == "─" * 24
    assert rows.count("---") > 500


def test_deeply_nested_brackets_are_text() -> None:
    assert has_too_many_brackets("[" * 21)
    assert has_too_many_brackets("![" * 21)
    assert not has_too_many_brackets("[" * 20)
    assert not has_too_many_brackets("[a](b) " * 1000)
    assert not has_too_many_brackets("[[a][b]](c) " * 1000)


def test_style_codes_are_not_repeated() -> None:
    row = (("a", "1"), ("b", "1;36"), ("c", "1"), ("d", ""))
    assert ansi_from_row(row, colored=True) == "\x1b[1ma\x1b[36mb\x1b[0;1mc\x1b[0md"
