"""The model list as a table that fits the terminal; columns that say nothing are left out."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..events import Model
from . import takes_color
from .neutral import neutral


def print_models(models: list[Model], color: str) -> None:
    """One row a model; prices in US dollars per million tokens."""
    colored = takes_color(1, color)
    console = Console(no_color=not colored, highlight=False, soft_wrap=False)
    columns: dict[str, tuple[bool, Callable[[Model], str]]] = {
        "context": (True, lambda one: f"{one.context:,}" if one.context else ""),
        "vision": (False, lambda one: yes(one.vision)),
        "reasoning": (False, lambda one: yes(one.reasoning)),
        "$/M in": (True, lambda one: price(one.prompt_usd)),
        "$/M out": (True, lambda one: price(one.completion_usd)),
    }
    said = {
        title: column
        for title, column in columns.items()
        if any(column[1](model) for model in models)
    }
    table = Table(box=None, pad_edge=False, header_style="bold" if colored else "")
    table.add_column("model", overflow="fold")
    for title, (right, _) in said.items():
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for model in models:
        cells = [Text(column[1](model)) for column in said.values()]
        table.add_row(Text(neutral(model.id)), *cells)
    console.print(table)


def yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[value]


def price(dollars: float | None) -> str:
    return "" if dollars is None else f"{dollars:.2f}"
