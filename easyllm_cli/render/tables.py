"""Prints the tables of models, profiles and keys, fitted to the terminal's width."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from ..events import Model
from .grid import COLUMN_GAP_CELLS, lay_out_as_lists, lay_out_table
from .options import can_move_cursor, takes_color, terminal_size
from .output import OutputStream
from .sanitize import sanitize_text
from .spans import BOLD, Row, Span, ansi_from_row, row_width, text_from_row

# When the first column would get fewer cells than this, each row becomes a small list.
MIN_FIRST_COLUMN_CELLS = 12
Column = tuple[bool, Callable[[Any], str]]  # whether it is right-aligned, and the text of a record
MODEL_COLUMNS: dict[str, Column] = {
    "model": (False, lambda model: model.id),
    "context": (True, lambda model: f"{model.context:,}" if model.context else ""),
    "vision": (False, lambda model: format_yes_no(model.vision)),
    "reasoning": (False, lambda model: format_yes_no(model.reasoning)),
    "$/M in": (True, lambda model: format_price(model.prompt_usd)),
    "$/M out": (True, lambda model: format_price(model.completion_usd)),
}
PROFILE_COLUMNS: dict[str, Column] = {
    "profile": (False, lambda profile: ("* " if profile["default"] else "  ") + profile["name"]),
    "provider": (False, lambda profile: profile["provider"] or ""),
    "model": (False, lambda profile: profile["model"] or ""),
    "endpoint": (False, lambda profile: profile["endpoint"] or ""),
    "problem": (False, lambda profile: profile["problem"] or ""),
}
KEY_COLUMNS: dict[str, Column] = {
    "name": (False, lambda key: key["name"]),
    "key": (False, lambda key: key["ends"] or ""),
    "stored in": (False, lambda key: key["where"]),
    "problem": (False, lambda key: key["problem"] or ""),
}


def print_models(models: list[Model], color: str) -> None:
    """Print one row per model, prices in US dollars per million tokens.

    Raises as `OutputStream.write`.
    """
    _print_rows(lay_out_models(models, terminal_size(1)[0]), color)


def print_profiles(profiles: Sequence[Any], color: str) -> None:
    """Print one row per profile, the default marked with `*`; raises as `OutputStream.write`."""
    _print_rows(lay_out_columns(PROFILE_COLUMNS, profiles, terminal_size(1)[0]), color)


def print_keys(keys: Sequence[Any], color: str) -> None:
    """Print one row per stored key, with at most its last characters.

    Raises as `OutputStream.write`.
    """
    _print_rows(lay_out_columns(KEY_COLUMNS, keys, terminal_size(1)[0]), color)


def _print_rows(rows: list[Row], color: str) -> None:
    styled, colored = can_move_cursor(1), takes_color(1, color)
    lines = [ansi_from_row(row, colored) if styled else text_from_row(row) for row in rows]
    OutputStream(1, terminal=True).write_raw("".join(f"{line}\n" for line in lines))


def lay_out_models(models: list[Model], width: int) -> list[Row]:
    """Lay out the table of models, at most `width` cells wide."""
    return lay_out_columns(MODEL_COLUMNS, models, width)


def lay_out_columns(columns: dict[str, Column], records: Sequence[Any], width: int) -> list[Row]:
    """Lay out header and rows, at most `width` cells wide; leaves out empty columns."""
    first = next(iter(columns))
    texts = {
        title: [escape_invisible(column[1](record)).replace("\n", " ") for record in records]
        for title, column in columns.items()
    }
    titles = [title for title in columns if title == first or any(texts[title])]
    header: list[list[Span]] = [[(title, BOLD)] for title in titles]
    body: list[list[list[Span]]] = [
        [[(texts[title][number], "")] if texts[title][number] else [] for title in titles]
        for number in range(len(records))
    ]
    natural_widths = [
        max(row_width(tuple(row[column])) for row in [header, *body])
        for column in range(len(titles))
    ]
    first_width = width - sum(natural_widths[1:]) - COLUMN_GAP_CELLS * (len(titles) - 1)
    if first_width < min(natural_widths[0], MIN_FIRST_COLUMN_CELLS):
        return lay_out_as_lists(header, body, width)
    return lay_out_table([header, *body], [columns[title][0] for title in titles], width)


def escape_invisible(text: str) -> str:
    """Sanitize a name and show invisible characters, so that two names never look the same."""
    if text.isascii():
        return sanitize_text(text)
    return sanitize_text(
        "".join(
            f"<U+{ord(char):04X}>" if unicodedata.category(char) == "Cf" else char for char in text
        )
    )


def format_yes_no(value: bool | None) -> str:
    """Format as "yes", "no" or "" (unknown)."""
    return {True: "yes", False: "no", None: ""}[value]


def format_price(dollars: float | None) -> str:
    """Format with two decimals; a price below 0.1 with two significant digits."""
    if dollars is None:
        return ""
    return f"{dollars:.2f}" if dollars >= 0.1 or not dollars else f"{dollars:.2g}"
