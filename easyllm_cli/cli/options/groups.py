"""Declares options, and expands option groups into a command's parameters."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import typer

from ..option_types import choice

MODEL_PANEL = "Model"
INPUT_PANEL = "Input"
SAMPLING_PANEL = "Sampling"
OUTPUT_PANEL = "Output"
RUN_PANEL = "Run"


class Heading(str):
    """The heading of an option in `--help`; `short`: the option stands in `-h`, too."""

    short = False


def declare(
    panel: str,
    *names: str,
    help: str,
    choices: tuple[str, ...] = (),
    short: bool = False,
    **more: Any,
) -> Any:
    """Declare an option in a help section (`panel`).

    `choices`: the allowed values. `short`: list the option in `-h`, which is one screen.
    """
    if choices:
        more = {**choice(choices), **more}
    heading = Heading(panel)
    heading.short = short
    return typer.Option(*names, help=help, rich_help_panel=heading, show_default=False, **more)


def expand_option_groups(function: Callable[..., int]) -> Callable[..., int]:
    """Replace each parameter whose type is an option group by that group's options."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if not is_dataclass(parameter.annotation):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = parameter.annotation
        parameters += [
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default,
                annotation=item.type,
            )
            for item in fields(parameter.annotation)
        ]  # fmt: skip

    def command(**values: Any) -> int:
        objects = {
            name: group(**{item.name: values.pop(item.name) for item in fields(group)})
            for name, group in groups.items()
        }
        return function(**values, **objects)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
