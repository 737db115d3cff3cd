"""Makes a Typer command of a command's file, which is imported only when the command runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import BROKEN_PIPE_EXIT_CODE, Interrupted
from .front_page import COMMAND_HELP, HELP_OPTIONS
from .help_options import add_help_options

# Typer contains its own click since 0.26; ClickException is only reachable as a base class.
ClickError: Any = typer.BadParameter.__mro__[2]

# Options whose value may be omitted, and the value they then get. Any other value needs `=`.
BARE_OPTION_REWRITES = {"-x": "--code=first", "--code": "--code=first"}


class EasyLLMCommand(TyperCommand):
    """A command with its own help pages, optional option values, and broken pipe handling."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        add_help_options(self)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, rewrite_args(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # Typer's main would exit with 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(BROKEN_PIPE_EXIT_CODE) from None
        except KeyboardInterrupt:  # Typer would print no message
            from ..render.output import FINAL_WRITE_SECONDS, set_write_deadline

            set_write_deadline(FINAL_WRITE_SECONDS)
            raise Interrupted("interrupted") from None


def rewrite_args(args: list[str]) -> list[str]:
    """Rewrite `-x` as `--code=first` and `-x=all` as `--code=all`, up to `--`."""
    rewritten: list[str] = []
    for index, arg in enumerate(args):
        if arg == "--":
            return rewritten + args[index:]
        rewritten.append(
            BARE_OPTION_REWRITES.get(arg, "--code=" + arg[3:] if arg.startswith("-x=") else arg)
        )
    return rewritten


class LazyGroup(TyperGroup):
    """A command group that imports a command's file only when the command runs.

    `default_command`: runs if no command is named. `default_takes_words`: whether a first word that
    is no command is an argument of it; else it is a mistyped command.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        add_help_options(self)
        self.default_command = ""
        self.default_takes_words = False
        self.set_commands(COMMAND_HELP, load_command)

    def set_commands(self, help_lines: dict[str, str], loader: Callable[[str], Any]) -> None:
        """Set the commands and their help lines; `loader` returns the real command of a name."""
        self.loader = loader
        self.commands = {
            name: TyperCommand(name, help=help_line) for name, help_line in help_lines.items()
        }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (not args[0].startswith("-") or args[0] in HELP_OPTIONS)
        if named and self.default_takes_words:
            named = args[0] in (*self.commands, *HELP_OPTIONS)
        # During completion the user may still type a command's name.
        use_default = self.default_command and not named and not ctx.resilient_parsing
        return super().parse_args(ctx, [self.default_command, *args] if use_default else args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, self.loader(name) if stub and name else None, rest


def load_command(name: str) -> Any:
    """Import the file of a command, or of a command group, and return it."""
    module = import_module(f".commands.{name}", __package__)
    if hasattr(module, "SUBCOMMANDS"):
        return group_from_module(name, module)
    return command_from_function(name, getattr(module, name))


def command_from_function(name: str, function: Callable[..., int]) -> Any:
    """A command that calls the function; the function's docstring is its help."""
    app = typer.Typer(add_completion=False)
    app.command(name, cls=EasyLLMCommand, help=function.__doc__)(function)
    return typer.main.get_command(app)


def group_from_module(name: str, module: Any) -> Any:
    """The command group of a module with SUBCOMMANDS, DEFAULT_COMMAND and EXAMPLES."""
    help_text = f"{COMMAND_HELP[name]}.\n\n{module.EXAMPLES}"
    group: Any = typer.main.get_group(
        typer.Typer(cls=LazyGroup, name=name, help=help_text, add_completion=False)
    )
    lines = {sub: line for sub, (_, line) in module.SUBCOMMANDS.items()}
    group.set_commands(lines, lambda sub: command_from_function(sub, module.SUBCOMMANDS[sub][0]))
    group.default_command = module.DEFAULT_COMMAND
    group.default_takes_words = getattr(module, "DEFAULT_TAKES_WORDS", False)
    return group
