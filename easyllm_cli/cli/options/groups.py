"""Declares options, and expands option groups into a command's parameters."""

import inspect
from collections.abc import Callable
from typing import Any, dataclass_transform

import typer

from ..option_types import choice

MODEL_PANEL = "Model"
INPUT_PANEL = "Input"
SAMPLING_PANEL = "Sampling"
OUTPUT_PANEL = "Output"
RUN_PANEL = "Run"


@dataclass_transform(kw_only_default=True)
class OptionGroup:
    """Base class of a group: each annotated attribute is an option, its value the default.

    Not a dataclass: to generate the methods of one takes 0.1 ms at every start.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


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
        group = parameter.annotation
        if not (isinstance(group, type) and issubclass(group, OptionGroup)):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[parameter.name] = group
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=getattr(group, name), annotation=type_
            )
            for name, type_ in group.__annotations__.items()
        ]

    def command(**values: Any) -> int:
        objects = {
            name: group(**{option: values.pop(option) for option in group.__annotations__})
            for name, group in groups.items()
        }
        return function(**values, **objects)

    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command
