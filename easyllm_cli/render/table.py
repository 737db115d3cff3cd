"""The model list as a table that fits the terminal; columns that say nothing are left out."""

from __future__ import annotations

from collections.abc import Callable

from ..events import Model
from . import moves_cursor, takes_color
from .grid import GAP, as_lists, grid
from .neutral import neutral
from .output import Stream
from .size import size_of
from .spans import BOLD, Row, Span, cells, paint, plain

# Fewer cells than these for the ids: each model becomes a small list.
LEAST_FOR_ID = 12
COLUMNS: dict[str, Callable[[Model], str]] = {
    "model": lambda one: neutral(one.id).replace("\n", " "),
    "context": lambda one: f"{one.context:,}" if one.context else "",
    "vision": lambda one: yes(one.vision),
    "reasoning": lambda one: yes(one.reasoning),
    "$/M in": lambda one: price(one.prompt_usd),
    "$/M out": lambda one: price(one.completion_usd),
}
RIGHT = ("context", "$/M in", "$/M out")


def print_models(models: list[Model], color: str) -> None:
    """One row a model; prices in US dollars per million tokens. Raises as Stream.write."""
    rows = table(models, size_of(1)[0])
    styled, colored = moves_cursor(1), takes_color(1, color)
    lines = [paint(row, colored) if styled else plain(row) for row in rows]
    Stream(1, terminal=True).codes("".join(f"{line}\n" for line in lines))


def table(models: list[Model], width: int) -> list[Row]:
    """The rows of the table, at most so many cells wide."""
    said = {
        title: column
        for title, column in COLUMNS.items()
        if title == "model" or any(column(model) for model in models)
    }
    header: list[list[Span]] = [[(title, BOLD)] for title in said]
    body: list[list[list[Span]]] = [
        [[(text, "")] if (text := column(model)) else [] for column in said.values()]
        for model in models
    ]
    natural = [
        max(cells(tuple(row[column])) for row in [header, *body]) for column in range(len(said))
    ]
    room = width - sum(natural[1:]) - GAP * (len(said) - 1)
    if room < min(natural[0], LEAST_FOR_ID):
        return as_lists(header, body, width)
    return grid([header, *body], [title in RIGHT for title in said], width)


def yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[value]


def price(dollars: float | None) -> str:
    """Cents, or as many places as a smaller price has digits."""
    if dollars is None:
        return ""
    return f"{dollars:.2f}" if dollars >= 0.1 or not dollars else f"{dollars:.2g}"
