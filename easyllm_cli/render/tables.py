"""Lists as tables that fit the terminal; columns that say nothing are left out."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from ..events import Model
from .grid import GAP, as_lists, grid
from .options import moves_cursor, size_of, takes_color
from .output import Stream
from .sanitize import neutral
from .spans import BOLD, Row, Span, cells, paint, plain

# Fewer cells than these for the first column: each row becomes a small list.
LEAST_FOR_ID = 12
Column = tuple[bool, Callable[[Any], str]]  # whether it stands to the right, and its text
MODELS: dict[str, Column] = {
    "model": (False, lambda one: one.id),
    "context": (True, lambda one: f"{one.context:,}" if one.context else ""),
    "vision": (False, lambda one: yes(one.vision)),
    "reasoning": (False, lambda one: yes(one.reasoning)),
    "$/M in": (True, lambda one: price(one.prompt_usd)),
    "$/M out": (True, lambda one: price(one.completion_usd)),
}
PROFILES: dict[str, Column] = {
    "profile": (False, lambda one: ("* " if one["default"] else "  ") + one["name"]),
    "provider": (False, lambda one: one["provider"] or ""),
    "model": (False, lambda one: one["model"] or ""),
    "endpoint": (False, lambda one: one["endpoint"] or ""),
    "problem": (False, lambda one: one["problem"] or ""),
}
KEYS: dict[str, Column] = {
    "name": (False, lambda one: one["name"]),
    "key": (False, lambda one: one["ends"] or ""),
    "stored in": (False, lambda one: one["where"]),
    "problem": (False, lambda one: one["problem"] or ""),
}


def print_models(models: list[Model], color: str) -> None:
    """One row a model; prices in US dollars per million tokens. Raises as Stream.write."""
    _print(table(models, size_of(1)[0]), color)


def print_profiles(profiles: Sequence[Any], color: str) -> None:
    """One row a profile; `*` stands before the default. Raises as Stream.write."""
    _print(laid_out(PROFILES, profiles, size_of(1)[0]), color)


def print_keys(keys: Sequence[Any], color: str) -> None:
    """One row a stored key, of which at most the end is shown. Raises as Stream.write."""
    _print(laid_out(KEYS, keys, size_of(1)[0]), color)


def _print(rows: list[Row], color: str) -> None:
    styled, colored = moves_cursor(1), takes_color(1, color)
    lines = [paint(row, colored) if styled else plain(row) for row in rows]
    Stream(1, terminal=True).codes("".join(f"{line}\n" for line in lines))


def table(models: list[Model], width: int) -> list[Row]:
    """The rows of the model table, at most so many cells wide."""
    return laid_out(MODELS, models, width)


def laid_out(columns: dict[str, Column], things: Sequence[Any], width: int) -> list[Row]:
    """Header and rows, at most so many cells wide; a column without a word is left out."""
    first = next(iter(columns))
    texts = {
        title: [visible(column[1](one)).replace("\n", " ") for one in things]
        for title, column in columns.items()
    }
    said = [title for title in columns if title == first or any(texts[title])]
    header: list[list[Span]] = [[(title, BOLD)] for title in said]
    body: list[list[list[Span]]] = [
        [[(texts[title][number], "")] if texts[title][number] else [] for title in said]
        for number in range(len(things))
    ]
    natural = [
        max(cells(tuple(row[column])) for row in [header, *body]) for column in range(len(said))
    ]
    room = width - sum(natural[1:]) - GAP * (len(said) - 1)
    if room < min(natural[0], LEAST_FOR_ID):
        return as_lists(header, body, width)
    return grid([header, *body], [columns[title][0] for title in said], width)


def visible(text: str) -> str:
    """A name, neutralised: no character of it is left unseen, as a second name's difference."""
    if text.isascii():
        return neutral(text)
    return neutral(
        "".join(
            f"<U+{ord(char):04X}>" if unicodedata.category(char) == "Cf" else char for char in text
        )
    )


def yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[value]


def price(dollars: float | None) -> str:
    """Cents, or as many places as a smaller price has digits."""
    if dollars is None:
        return ""
    return f"{dollars:.2f}" if dollars >= 0.1 or not dollars else f"{dollars:.2g}"
