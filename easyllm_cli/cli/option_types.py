"""Allowed words of options, and the callbacks that check and complete option values."""

from collections.abc import Callable
from typing import Any

import typer


def choice(choices: tuple[str, ...]) -> dict[str, Any]:
    """Typer arguments that limit an option to these words: metavar, check and completion."""
    checks = {"callback": choice_callback(*choices), "autocompletion": lambda: list(choices)}
    return {"metavar": "|".join(choices), **checks}


def choice_callback(*choices: str) -> Callable[[str | None], str | None]:
    """A callback that accepts only these words."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in choices:
            raise typer.BadParameter(f'"{value}" is not one of {", ".join(choices)}')
        return value

    return check


def finite_seconds(value: float | None) -> float | None:
    """A callback that refuses NaN, which passes every range check."""
    if value is not None and value != value:
        raise typer.BadParameter("nan is not a number of seconds")
    return value


def dollar_amount(value: float | None) -> float | None:
    """A callback that refuses NaN, infinity and negative numbers."""
    from ..config.setting_values import is_dollar_amount

    if value is not None and not is_dollar_amount(value):
        raise typer.BadParameter(f"{value} is not a number of US dollars, at least 0")
    return value


def complete_profiles(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a profile, as NAME or NAME:MODEL."""
    from .completion import profile_names

    return profile_names(context.params.get("profiles"), incomplete)


def complete_file_profiles(context: typer.Context) -> list[str]:
    """Complete a profile of the profiles file."""
    from .completion import names_in_file

    return names_in_file(context.params.get("profiles"))


def complete_providers() -> list[str]:
    """Complete the name of a built-in provider."""
    from .completion import built_in_names

    return built_in_names()


def complete_models(context: typer.Context) -> list[str]:
    """Complete a model of the profile on the command line."""
    from .completion import model_names

    return model_names(context.params.get("profiles"), context.params.get("profile"))


def complete_templates(incomplete: str) -> list[str]:
    """Complete the name of a template."""
    from .completion import saved_template_names

    return saved_template_names()


def complete_models_of_all(context: typer.Context) -> list[str]:
    """Complete a model of any of the profiles on the command line."""
    from .completion import model_names

    file = context.params.get("profiles")
    selectors = context.params.get("selectors") or []
    return list(dict.fromkeys(name for each in selectors for name in model_names(file, each)))


def complete_settings() -> list[tuple[str, str]]:
    """Complete the name of a profile's setting."""
    from .completion import setting_names

    return setting_names()


def complete_setting_values(context: typer.Context) -> list[str]:
    """Complete the value of the setting on the command line."""
    from .completion import setting_values

    return setting_values(context.params.get("profiles"), context.params.get("key") or "")


EFFORT_CHOICES = ("off", "minimal", "low", "medium", "high", "max")
HISTORY_CHOICES = ("full", "metadata", "off")
REASONING_CHOICES = ("auto", "show", "hide", "only", "tags")
COLOR_CHOICES = ("auto", "always", "never")
CODE_CHOICES = ("first", "all")
BATCH_FORMATS = ("easyllm", "openai")
VIA_LIVE, VIA_API = BATCH_WAYS = ("live", "api")
