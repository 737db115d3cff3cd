"""Options for prompt templates: -T and --var."""

# No `from __future__ import annotations`: Typer needs the real types.

from typing import Annotated

from ..option_types import complete_templates
from .groups import INPUT_PANEL, OptionGroup, declare


class TemplateOptions(OptionGroup):
    """The template that the prompt is written with, and the values of its placeholders."""

    template: Annotated[
        str | None,
        declare(
            INPUT_PANEL, "-T", help="Prompt template: its name, or a path with a slash.",
            metavar="NAME|FILE", autocompletion=complete_templates,
        ),
    ] = None  # fmt: skip
    var: Annotated[
        list[str] | None,
        declare(
            INPUT_PANEL, "--var", help="Value of {NAME} in the template; repeatable.",
            metavar="NAME=TEXT",
        ),
    ] = None  # fmt: skip
