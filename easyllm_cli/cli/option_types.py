"""What an option's value may be: what checks it, and what a shell completes it with."""

from collections.abc import Callable
from typing import Any

import typer


def worded(words: tuple[str, ...]) -> dict[str, Any]:
    """What makes Typer's option one that takes these words: told, checked and completed."""
    checks = {"callback": one_of(*words), "autocompletion": lambda: list(words)}
    return {"metavar": "|".join(words), **checks}


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


def profiles(context: typer.Context, incomplete: str) -> list[str]:
    """Completes NAME, and NAME:MODEL."""
    from .completion import profile_names

    return profile_names(context.params.get("profiles"), incomplete)


def own_profiles(context: typer.Context) -> list[str]:
    """Completes a profile of the file: what a command shows or changes."""
    from .completion import names_in_file

    return names_in_file(context.params.get("profiles"))


def providers() -> list[str]:
    """Completes a built-in name."""
    from .completion import built_in_names

    return built_in_names()


def models(context: typer.Context) -> list[str]:
    """Completes a model of the profile that the line names."""
    from .completion import model_names

    return model_names(context.params.get("profiles"), context.params.get("profile"))


EFFORT = ("off", "minimal", "low", "medium", "high", "max")
REASONING = ("auto", "show", "hide", "only", "tags")
COLOR = ("auto", "always", "never")
CODE = ("first", "all")
