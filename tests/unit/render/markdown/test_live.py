"""Live Markdown on a real pty: the final screen equals one draw of the whole text."""

import random
import re
import sys
from collections.abc import Iterable

import pytest

from easyllm_cli.render.markdown.live import LiveMarkdown
from easyllm_cli.render.markdown.parser import parse_blocks
from easyllm_cli.render.output import OutputStream
from tests.support.answers import generate_answer, split_into_tokens
from tests.support.commonmark import EXAMPLES
from tests.support.emulator import Emulator, emulate_terminal
from tests.support.pseudoterminal import Pty

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pty there")

SIZES = [(80, 24), (40, 10), (120, 50), (20, 6)]
Size = tuple[int, int]


def written(parts: Iterable[str], size: Size, frame: float = 0.0) -> bytes:
    """The bytes that a live answer writes to a terminal, with one frame per part."""
    with Pty(*size) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=frame
        )
        for part in parts:
            live.write(part)
        live.end()
        return pty.whole()


def screen(parts: Iterable[str], size: Size) -> Emulator:
    return emulate_terminal(written(parts, size), *size)


@pytest.mark.parametrize(
    "start", [0, *(pytest.param(start, marks=pytest.mark.full) for start in (1, 2, 3))]
)
def test_commonmark_examples_character_by_character(start: int) -> None:
    """Screen and scrollback, styles included, of every fourth example, so of each section.

    test_document.py compares the rows of all of them, and tests late definitions.
    """
    for text in EXAMPLES[start::4]:
        if parse_blocks(text, {}).references:
            continue
        streamed, whole = screen(text, (80, 24)), screen([text], (80, 24))
        assert streamed.text() == whole.text(), repr(text)
        assert streamed.styles() == whole.styles(), repr(text)
        assert streamed.resting


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("together", "seeds"),
    [
        (2, range(1)),
        (8, range(1, 2)),
        pytest.param(1, range(12), marks=pytest.mark.full),
        pytest.param(8, range(2, 12), marks=pytest.mark.full),
    ],
    ids=str,
)
def test_random_documents(size: Size, together: int, seeds: range) -> None:
    for seed in seeds:
        text = generate_answer(2500, seed)
        streamed = screen(split_into_tokens(text, together), size)
        assert streamed.text() == screen([text], size).text(), seed
        assert streamed.resting


def test_random_documents_of_commonmark_examples() -> None:
    early = [text for text in EXAMPLES if not parse_blocks(text, {}).references]
    r = random.Random(11)
    for _ in range(12):
        text = "\n".join(r.choice(early) for _ in range(6))
        assert screen(text, (40, 10)).text() == screen([text], (40, 10)).text(), repr(text)


@pytest.mark.parametrize("size", [1 << 15, pytest.param(1 << 18, marks=pytest.mark.full)])
def test_a_very_long_answer(size: int) -> None:
    """Nothing is lost or doubled in hundreds of rows of scrollback."""
    text = generate_answer(size)
    streamed = screen(split_into_tokens(text, 64), (80, 24)).text()
    assert streamed == screen([text], (80, 24)).text()
    assert len(streamed) > size // 64


def test_few_bytes() -> None:
    """At most 8 bytes a character for a mixed answer, with a frame for every 8 tokens."""
    text = generate_answer(1 << 14)
    assert len(written(split_into_tokens(text, 8), (80, 24))) <= 8 * len(text)


def test_text_added_to_the_last_row_is_all_that_is_written() -> None:
    with Pty(80, 24) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=0
        )
        for part in ("One", " two", " **three", "**", " four"):
            live.write(part)
        assert pty.whole().startswith(b"One two")
    assert b"One two" in written(["One", " two"], (80, 24))
    assert b"One one" not in written(["One", " two"], (80, 24))


@pytest.mark.parametrize(
    "text",
    [
        "word " * 400, "| a | b |\n|---|---|\n" + "| one | two |\n" * 40, "> quoted words " * 60,
        "- item " + "with many words " * 60, "1. " + "nested\n   - item\n" * 30,
    ],
    ids=["paragraph", "table", "quote", "item", "nested"],
)  # fmt: skip
def test_a_block_that_is_taller_than_the_screen_is_followed(text: str) -> None:
    """Its last rows are visible, never more than fit; at the end all of it is there once."""
    size = (40, 10)
    pieces = [text[at : at + 13] for at in range(0, len(text), 13)]
    with Pty(*size) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=0
        )
        for part in pieces:
            live.write(part)
        emulator = emulate_terminal(pty.whole(), *size)
    assert not emulator.gone, "nothing has scrolled away yet"
    assert emulator.text()[-1].split()[-1] == re.findall(r"\w+", text)[-1]
    assert screen(pieces, size).text() == screen([text], size).text()


def test_a_long_table_shows_its_header_and_its_last_rows() -> None:
    """The first rows stand next in the scrollback: what is pushed there is never wrong."""
    with Pty(40, 10) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=0
        )
        live.write("| a | b |\n|---|---|\n")
        for number in range(110):
            live.write(f"| {number} | words |\n")
        rows = emulate_terminal(pty.whole(), 40, 10).text()
    assert rows == [
        "a    b", "───  ─────", "0    words", "1    words", "2    words", "…",
        "107  words", "108  words", "109  words",
    ]  # fmt: skip


def test_enter_that_is_typed_leaves_no_row_behind() -> None:
    """Its echo moves the cursor; a real terminal says how many bytes nobody has read."""
    with Pty(40, 10) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=0
        )
        live.write("| a | b |\n|---|---|\n| one | two |\n")
        pty.press("\r")
        live.write("| wider | x |\n")
        live.clear_tail()
        pty.press("\r")
        live.write("\nend")
        live.end()
        rows = emulate_terminal(pty.whole(), 40, 10).text()
    assert rows == ["a      b", "─────  ───", "one    two", "wider  x", "", "end"]


def test_the_first_piece_is_seen_at_once() -> None:
    """The next ones wait for their frame, and the end shows them all."""
    with Pty(80, 24) as pty:
        live = LiveMarkdown(
            OutputStream(pty.descriptor, terminal=True), colored=True, frame_seconds=3600
        )
        live.write("First")
        live.write(" and second")
        live.tick()
        assert pty.whole() == b"First"
    assert emulate_terminal(written(["First", " and second"], (80, 24), frame=3600)).text() == [
        "First and second"
    ]


def test_note_is_shown_above_the_live_tail() -> None:
    """No row is doubled by a note in the middle of an answer."""
    with Pty(40, 10) as pty:
        stream = OutputStream(pty.descriptor, terminal=True)
        live = LiveMarkdown(stream, colored=True, frame_seconds=0)
        live.write("# Title\n\n" + "word " * 30)
        live.clear_tail()
        stream.write_raw("a note\n")
        live.write("end")
        live.end()
        rows = emulate_terminal(pty.whole(), 40, 10).text()
    assert rows[:3] == ["Title", "a note", ""]
    assert " ".join(rows[3:]).split() == ["word"] * 30 + ["end"]


@pytest.mark.parametrize("odd", ["🇫🇷", "👍🏽", "⚠️", "👩‍💻", "é"])
def test_terminals_may_differ_about_a_width(odd: str) -> None:
    """A row with such a cluster never becomes two, and is complete at the end."""
    text = "\n\n".join(f"{'x' * (38 - number % 5)} {odd} end{number}" for number in range(12))
    rows = screen(split_into_tokens(text), (40, 10)).text()
    for number in range(12):
        assert len(re.findall(rf"\bend{number}\b", " ".join(rows))) == 1


def test_code_with_wide_characters_that_is_too_wide() -> None:
    """It is folded while it is live, and complete when it is done."""
    text = "```\n" + "".join(f"{n} {'模型逐字返回答案' * (n % 7)} x\n" for n in range(40)) + "```"
    for size in ((40, 10), (80, 24)):
        streamed = screen(split_into_tokens(text), size).text()
        assert streamed == screen([text], size).text()
        assert "".join(streamed).count("模") == text.count("模")


def test_interrupted_write_leaves_the_terminal_usable() -> None:
    class Broken(OutputStream):
        breaks = False

        def write_raw(self, text: str) -> None:
            if self.breaks:
                super().write_raw(text[: len(text) // 2])
                raise KeyboardInterrupt
            super().write_raw(text)

    with Pty(20, 6) as pty:
        stream = Broken(pty.descriptor, terminal=True)
        live = LiveMarkdown(stream, colored=True, frame_seconds=0)
        live.write("**bold** 模型逐字返回答案终端必须 **still bold** and more words")
        stream.breaks = True
        with pytest.raises(KeyboardInterrupt):
            live.write(" **and bold 模型** 终端 words\n\nnext " + "word " * 40)
        stream.breaks = False
        live.end()
        screen = emulate_terminal(pty.whole(), 20, 6)
    assert screen.resting
    text = " ".join(screen.text())
    assert "and bold 模型 终端 words" in text, "what was done is not lost"
    assert text.endswith("word " * 39 + "word")
