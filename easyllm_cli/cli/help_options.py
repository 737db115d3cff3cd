"""The options `-h` and `--help` of a command; their pages are imported when they are asked for."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperOption

from .front_page import HELP_OPTIONS


def add_help_options(command: Any) -> None:
    """Give a command its own `-h` and `--help`: Typer's print the same page for both."""
    command.add_help_option = False
    command.params += [
        TyperOption(
            param_decls=[option, parameter], is_flag=True, expose_value=False, is_eager=True,
            callback=_print_page,
        )
        for option, parameter in HELP_OPTIONS.items()
    ]  # fmt: skip


def _print_page(ctx: Any, parameter: Any, is_set: bool) -> None:
    """Print the page of the option and end the command."""
    if not is_set or ctx.resilient_parsing:
        return
    from . import help_pages

    typer.echo(help_pages.build_page(ctx, full=parameter.name == HELP_OPTIONS["--help"]))
    ctx.exit()
