"""Prints tables of models, profiles, settings, keys and calls, fitted to the terminal's width."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from ..events import Model
from .name_wrapping import wrap_names
from .options import can_move_cursor, takes_color, terminal_size
from .output import OutputStream
from .record_list import Column, lay_out_records
from .sanitize import sanitize_text
from .spans import DIM, Row, ansi_from_row, text_from_row

FILE_PLACE = re.compile(r"\([^()]*:(\d+):\d+\)")
MODEL_COLUMNS: dict[str, Column] = {
    "model": Column(lambda model: model.id),
    "context": Column(
        lambda model: f"{model.context:,}" if model.context else "",
        align_right=True, short_title="ctx", leave_out_order=4,
    ),
    "vision": Column(
        lambda model: format_yes_no(model.vision), short_title="see", leave_out_order=3
    ),
    "reasoning": Column(
        lambda model: format_yes_no(model.reasoning), short_title="think", leave_out_order=2
    ),
    "$/M in": Column(
        lambda model: format_price(model.prompt_usd),
        align_right=True, short_title="$in", leave_out_order=1,
    ),
    "$/M out": Column(
        lambda model: format_price(model.completion_usd),
        align_right=True, short_title="$out", leave_out_order=1,
    ),
}  # fmt: skip
PROFILE_COLUMNS: dict[str, Column] = {
    "profile": Column(lambda row: ("* " if row["default"] else "  ") + row["name"]),
    "provider": Column(lambda row: row["provider"] or "", leave_out_order=2),
    "model": Column(lambda row: row["model"] or ""),
    "endpoint": Column(lambda row: row["endpoint"] or "", leave_out_order=1),
    "problem": Column(lambda row: shorten_place(row["problem"] or ""), min_cells=24),
}
SETTING_COLUMNS: dict[str, Column] = {
    "setting": Column(lambda row: row["key"]),
    "value": Column(lambda row: row["value"], min_cells=20),
    "from": Column(lambda row: shorten_home(row["source"]), min_cells=12),
}
KEY_COLUMNS: dict[str, Column] = {
    "name": Column(lambda key: key["name"]),
    "key": Column(lambda key: key["ends"] or ""),
    "stored in": Column(lambda key: shorten_home(key["where"]), min_cells=20),
    "problem": Column(lambda key: shorten_home(key["problem"] or ""), min_cells=20),
}
HISTORY_COLUMNS: dict[str, Column] = {
    "id": Column(lambda row: row["id"]),
    "when": Column(lambda row: row["when"], leave_out_order=3),
    "profile": Column(lambda row: row["profile"], leave_out_order=1),
    "model": Column(lambda row: row["model"], leave_out_order=2),
    "error": Column(lambda row: row["error"]),
    "prompt": Column(lambda row: row["prompt"], min_cells=20),
}


def print_models(models: list[Model], color: str) -> None:
    """Print one row per model, prices in US dollars per million tokens.

    Raises as `OutputStream.write`.
    """
    print_rows(lay_out_models(models, terminal_size(1)[0]), color)


def print_profiles(profiles: Sequence[Any], color: str) -> None:
    """Print one row per profile, the default marked with `*`; raises as `OutputStream.write`."""
    print_rows(lay_out_records(PROFILE_COLUMNS, profiles, terminal_size(1)[0]), color)


def print_settings(path: str, settings: Sequence[Any], hidden: int, color: str) -> None:
    """Print the file's path, one row per setting, and how many defaults are not shown.

    Raises as `OutputStream.write`.
    """
    print_rows(lay_out_settings(path, settings, hidden, terminal_size(1)[0]), color)


def print_keys(keys: Sequence[Any], color: str) -> None:
    """Print one row per stored key, with at most its last characters.

    Raises as `OutputStream.write`.
    """
    print_rows(lay_out_records(KEY_COLUMNS, keys, terminal_size(1)[0]), color)


def print_history(calls: Sequence[Any], color: str) -> None:
    """Print one row per call of the history; raises as `OutputStream.write`."""
    print_rows(lay_out_records(HISTORY_COLUMNS, calls, terminal_size(1)[0]), color)


def print_rows(rows: list[Row], color: str) -> None:
    """Print rows, styled where stdout takes it; raises as `OutputStream.write`."""
    colored = takes_color(1, color)
    styled = color == "always" or can_move_cursor(1)
    lines = [ansi_from_row(row, colored) if styled else text_from_row(row) for row in rows]
    OutputStream(1, terminal=True).write_raw("".join(f"{line}\n" for line in lines))


def lay_out_models(models: list[Model], width: int) -> list[Row]:
    """Lay out the table of models, at most `width` cells wide."""
    return lay_out_records(MODEL_COLUMNS, models, width)


def lay_out_settings(path: str, settings: Sequence[Any], hidden: int, width: int) -> list[Row]:
    """Lay out a profile's settings, at most `width` cells wide; `path` "" = there is no file."""
    above = wrap_names(sanitize_text(shorten_home(path)), width)
    count = f"{hidden} setting{'s' * (hidden != 1)} left at the default: -a shows them"
    below = wrap_names(count, width) if hidden else []
    return [
        *[((row, DIM),) for row in above],
        *([()] if above else []),
        *lay_out_records(SETTING_COLUMNS, settings, width),
        *([()] if below else []),
        *[((row, DIM),) for row in below],
    ]


def shorten_place(problem: str) -> str:
    """Write `(FILE:LINE:COLUMN)` as `(line LINE)`: all profiles stand in one file."""
    return FILE_PLACE.sub(r"(line \1)", problem)


def shorten_home(text: str) -> str:
    """Write the home folder as `~` in the paths of a text."""
    home = os.path.expanduser("~").rstrip(os.sep)
    return text.replace(home + os.sep, "~" + os.sep) if home else text


def format_yes_no(value: bool | None) -> str:
    """Format as "yes", "no" or "" (unknown)."""
    return {True: "yes", False: "no", None: ""}[value]


def format_price(dollars: float | None) -> str:
    """Format with two decimals; a price below 0.1 with two significant digits."""
    if dollars is None:
        return ""
    return f"{dollars:.2f}" if dollars >= 0.1 or not dollars else f"{dollars:.2g}"
