"""What an option's value may be: what checks it, and what a shell completes it with."""

from collections.abc import Callable
from typing import Any

import typer


def choice(choices: tuple[str, ...]) -> dict[str, Any]:
    """What makes Typer's option one that takes these words: told, checked and completed."""
    checks = {"callback": choice_callback(*choices), "autocompletion": lambda: list(choices)}
    return {"metavar": "|".join(choices), **checks}


def choice_callback(*choices: str) -> Callable[[str | None], str | None]:
    """A callback that takes only these words."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(f'"{value}" is not one of {", ".join(choices)}')
        return value

    return check


def finite_seconds(value: float | None) -> float | None:
    """A callback that refuses NaN, which passes every comparison with a bound."""
    if value is not None and value != value:
        raise typer.BadParameter("nan is no number of seconds")
    return value


def complete_profiles(context: typer.Context, incomplete: str) -> list[str]:
    """Completes NAME, and NAME:MODEL."""
    from .completion import profile_names

    return profile_names(context.params.get("profiles"), incomplete)


def complete_file_profiles(context: typer.Context) -> list[str]:
    """Completes a profile of the file: what a command shows or changes."""
    from .completion import names_in_file

    return names_in_file(context.params.get("profiles"))


def complete_providers() -> list[str]:
    """Completes a built-in name."""
    from .completion import built_in_names

    return built_in_names()


def complete_models(context: typer.Context) -> list[str]:
    """Completes a model of the profile that the line names."""
    from .completion import model_names

    return model_names(context.params.get("profiles"), context.params.get("profile"))


EFFORT_CHOICES = ("off", "minimal", "low", "medium", "high", "max")
REASONING_CHOICES = ("auto", "show", "hide", "only", "tags")
COLOR_CHOICES = ("auto", "always", "never")
CODE_CHOICES = ("first", "all")
