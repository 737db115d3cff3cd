"""Reasoning as rows: no wider than can be read."""

import pytest

from easyllm_cli.render.reasoning_rows import ReasoningRows
from easyllm_cli.render.spans import row_width


@pytest.mark.parametrize("show_all", [False, True])
@pytest.mark.parametrize(("width", "most"), [(40, 40), (200, 100)])
def test_rows_of_reasoning_fit_and_can_be_read(show_all: bool, width: int, most: int) -> None:
    rows = ReasoningRows(show_all)
    rows.feed("many words of reasoning " * 40)
    done, live = rows.take_rows(width)
    assert most - 12 < max(map(row_width, [*done, *live])) <= most
