"""The progress line of a batch."""

import os
import pty

import pytest

from easyllm_cli.render import batch_progress
from easyllm_cli.render.batch_progress import (
    BatchFigures,
    LiveLine,
    format_clock,
    format_figures,
    print_error_table,
)


def figures() -> BatchFigures:
    values = BatchFigures()
    values.done, values.total, values.failed, values.in_flight = 1234, 2000, 34, 64
    values.rate, values.token_rate, values.left = 412.0, 31_400.0, 1.9
    values.cost, values.max_cost, values.projected = 0.41, 5.0, 0.66
    return values


def test_the_line_says_everything_where_it_fits() -> None:
    assert format_figures(figures()) == (
        "1,234/2,000 61 % · 34 failed · 64 in flight · 412/s · 31k tok/s · ETA 0:02 · "
        "$0.41 of $5.00 · about $0.66 in all"
    )


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_narrow_line_leaves_out_what_matters_least(width: int) -> None:
    line = format_figures(figures(), width)
    assert len(line) <= width
    assert line.startswith("1,234/2,000 61 % · 34 failed · ")
    assert "of $5.00" in line


def test_a_pause_takes_the_place_of_the_time_left() -> None:
    values = figures()
    values.pause = 12.4
    assert " · waiting 12 s: the server asked · " in format_figures(values)
    assert "ETA" not in format_figures(values)


def test_what_is_not_known_is_left_out() -> None:
    assert format_figures(BatchFigures()) == "0 · 0.0/s"


def test_times() -> None:
    assert [format_clock(each) for each in (0, 9.6, 75, 3723)] == [
        "0:00",
        "0:10",
        "1:15",
        "1:02:03",
    ]


def test_the_live_line_is_written_over_itself_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    master, terminal = pty.openpty()
    before = os.dup(2)
    try:
        os.dup2(terminal, 2)
        monkeypatch.setattr(batch_progress, "terminal_size", lambda _: (40, 24))
        line = LiveLine()
        line.show(figures())
        line.show(BatchFigures())
        line.clear()
        line.clear()
    finally:
        os.dup2(before, 2)
        os.close(before)
    written = os.read(master, 10_000).decode()
    os.close(terminal)
    os.close(master)
    first, second, end = written.split("\r\x1b[K")[1:]
    assert len(first) <= 39
    assert (second, end) == ("0 · 0.0/s", "")


def test_the_table_of_errors_has_the_most_first(capfd: pytest.CaptureFixture[str]) -> None:
    print_error_table({"busy": 2, "refused": 1200}, {"busy": "try later", "refused": "x" * 300})
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("  refused  1,200  xxx")
    assert first.endswith("…")
    assert second == "  busy         2  try later"
