"""The answers of a comparison, side by side and below each other, and how they grow."""

import re
from typing import Any

import pytest

from easyllm_cli.events import Reasoning, Reclassified, Retrying, Start, Text
from easyllm_cli.render.columns import join_columns, measure_text_columns
from easyllm_cli.render.comparison import ShownAnswer, format_document, format_table
from easyllm_cli.render.comparison_layout import lay_out_comparison, lay_out_figures
from easyllm_cli.render.comparison_preview import AnswerPreview, ComparisonPreview
from easyllm_cli.render.spans import RED, Row, row_width, text_from_row

TITLES = ("profile", "model", "first token", "total", "tokens/s", "tokens", "cost", "finish")
VALUES = ("openai:gpt-4o", "gpt-4o-2024-08-06", "0.42 s", "1.30 s", "85", "93", "$0.000198", "stop")
FIGURES = [
    dict(zip(TITLES, VALUES, strict=True)),
    dict.fromkeys(TITLES, "") | {"profile": "天空", "finish": "failed: busy"},
]
CODE = "```python\nx = '" + "y" * 200 + "'\n```\n"
ANSWERS = [
    ShownAnswer("a", "model-a", f"# Title\n\nOne **bold** word.\x1b[2J\n\n{CODE}\nthe end"),
    ShownAnswer("b", "", "天空" * 40, "incomplete: the answer was cut"),
    ShownAnswer("c" * 60, "m" * 60, "", "failed: \x1b[31mbusy"),
]


def texts(rows: list[Row]) -> list[str]:
    return [text_from_row(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("```sh\nls", "\n```"), ("~~~~\n~~~", "\n~~~~"), ("a\n  ````\n```\n", "\n````"),
        ("```\nls\n``` sh", "\n```"), ("```\nls\n```", ""), ("a ```sh", ""), ("    ```", ""),
        ("```ls``` lists", ""), ("~~~\n```\n~~~", ""), ("```\na\n````", ""),
    ],
)  # fmt: skip
def test_a_document_closes_the_code_block_of_a_cut_answer(text: str, end: str) -> None:
    """The next heading and the table would be code."""
    document = format_document([ShownAnswer("a", "", text), ShownAnswer("b", "", "x")], FIGURES)
    assert document.startswith("## a\n\n" + text.strip("\n") + end + "\n\n## b\n")


@pytest.mark.parametrize(
    ("count", "width", "cells"),
    [(2, 99, 0), (2, 100, 48), (3, 100, 31), (4, 100, 0), (4, 129, 30), (2, 300, 148)],
)
def test_columns_need_room(count: int, width: int, cells: int) -> None:
    assert measure_text_columns(count, width) == cells


@pytest.mark.parametrize("width", [100, 120, 231])
def test_side_by_side(width: int) -> None:
    cells = measure_text_columns(3, width)
    rows = lay_out_comparison(ANSWERS, FIGURES, width, cells)
    lines = texts(rows)
    assert max(map(row_width, rows)) <= width
    body = lines[: lines.index("")]
    separators = {tuple(cells_before(line)) for line in body if line.count("│") == 2}
    assert separators == {(cells + 1, 2 * cells + 4)}
    assert lines[0].startswith("a  model-a")
    parts = [[*line.split("│"), "", ""][:3] for line in body]
    first, second, third = (
        "".join(cell.strip() for cell in column) for column in zip(*parts, strict=True)
    )
    assert "Title" in first
    assert "y" * 200 in first
    assert first.endswith("the end")
    assert second.count("天空") == 40
    assert second.endswith("cut")
    assert "incomplete: the answer" in second
    assert "c" * 60 + "m" * 60 in third
    assert "\x1b" not in "".join(lines)


def cells_before(line: str) -> list[int]:
    return [row_width(((line[: match.start()], ""),)) for match in re.finditer("│", line)]


@pytest.mark.parametrize("width", [20, 40, 80, 140])
def test_one_below_the_other(width: int) -> None:
    rows = lay_out_comparison(ANSWERS, FIGURES, width, 0)
    lines = texts(rows)
    assert lines[:2] == ["a  model-a", ""]
    assert f"x = '{'y' * 200}'" in lines  # the terminal wraps code, so that it can be copied
    at = [
        lines.index("a  model-a"),
        lines.index("b"),
        next(n for n, x in enumerate(lines) if "cc" in x),
    ]
    assert at == sorted(at)
    red = [text for row in rows for text, style in row if style == RED]
    assert "incomplete:" in red[0]
    assert "openai:gpt-4o" in " ".join(lines)


def test_json_answers_are_not_drawn_as_markdown() -> None:
    rows = lay_out_comparison(
        [ShownAnswer("a", "m", '{"a": "*b*"}\n')], FIGURES, 80, 0, is_data=True
    )
    assert texts(rows)[:4] == ["a  m", "", '{"a": "*b*"}', ""]


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_figures_fit(width: int) -> None:
    rows = lay_out_figures(FIGURES, width)
    assert max(map(row_width, rows)) <= width
    text = "\n".join(texts(rows))
    for value in ("0.42 s", "1.30 s", "85", "$0.000198", "failed: busy"):
        assert value in text
    assert (VALUES[1] in text) == (width != 80)
    assert ("no room for model" in text) == (width == 80)


def test_a_document_leaves_out_empty_columns() -> None:
    figures = [
        {"profile": "a|b", "first token": "", "cost": "$1"},
        {"profile": "天", "first token": "", "cost": ""},
    ]
    table = "| profile | cost |\n|---------|-----:|\n| a\\|b    |   $1 |\n| 天      |      |"
    assert format_table(figures) == table
    answers = [ShownAnswer("a", "m", "\nHello\n\n"), ShownAnswer("b", "", "", "failed: no")]
    assert format_document(answers, figures) == (
        f"## a (m)\n\nHello\n\n## b\n\n*failed: no*\n\n{table}\n"
    )


def test_join_folds_and_pads() -> None:
    rows = join_columns([[(("abcdef", "1"),)], [(("x", ""),), (("yz", ""),), ()]], 4)
    assert texts(rows) == ["abcd │ x", "ef   │ yz", "     │"]


def preview(*answers: AnswerPreview, title: str = "", shows_text: bool = True) -> ComparisonPreview:
    shown = ComparisonPreview(quiet=False, color="never", shows_text=shows_text)
    shown.begin(answers, title)
    return shown


def grown(label: str, *events: Any) -> AnswerPreview:
    answer = AnswerPreview(label)
    for event in events:
        answer.handle_event(event)
    return answer


LINES = "".join(f"- line {number} with some words\n" for number in range(300))


@pytest.mark.parametrize("size", [(120, 40), (120, 10), (80, 24), (40, 12), (200, 5), (60, 4)])
def test_the_preview_fits_the_screen_and_shows_the_ends(size: tuple[int, int]) -> None:
    width, height = size
    answers = [
        grown("a", Start("openai", "model-a"), Text(LINES), Text(CODE)),
        grown("b", Reasoning("secret thoughts")),
        grown("c", Text("short")),
    ]
    shown = preview(*answers, title="round 1 of 2")
    for _ in range(2):
        rows = shown.lay_out(width, height)
        assert max(map(row_width, rows)) <= width
        assert len(rows) <= max(height, 7)  # label, state, and the title: these are never cut
        text = "\n".join(texts(rows))
        assert "secret" not in text
        assert re.search(r"model-a · answering \d+ s", text)
        assert re.search(r"thinking \d+ s", text)
        assert text.startswith("round 1 of 2")
        assert ("short" in text) == (height > 4)
        assert "line 0 " not in text


def test_the_preview_follows_the_events() -> None:
    answer = grown("a", Text("old"), Retrying(2, 0.5, "busy"))
    assert "retrying" in texts(preview(answer).lay_out(80, 24))[1]
    answer.handle_event(Text("thoughts"))
    answer.handle_event(Reclassified())
    answer.handle_event(Text("new\x1b[2J"))
    assert texts(preview(answer).lay_out(80, 24))[2:] == ["new␛[2J"]
    assert len(preview(answer, shows_text=False).lay_out(80, 24)) == 2
    answer.end("failed: busy")
    assert re.fullmatch(r"failed: busy, \d+\.\d s", texts(preview(answer).lay_out(80, 24))[1])
