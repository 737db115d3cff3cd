"""Callbacks that check an option's value: one of a few words, or a real number."""

from collections.abc import Callable

import typer


def one_of(*words: str) -> Callable[[str | None], str | None]:
    """A callback that takes only these words."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise typer.BadParameter(f'"{value}" is not one of {", ".join(words)}')
        return value

    return check


def number(value: float | None) -> float | None:
    """A callback that refuses NaN, which passes every comparison with a bound."""
    if value is not None and value != value:
        raise typer.BadParameter("nan is no number of seconds")
    return value


EFFORT = one_of("off", "minimal", "low", "medium", "high", "max")
REASONING = one_of("auto", "show", "hide", "only", "tags")
COLOR = one_of("auto", "always", "never")
CODE = one_of("first", "all")
