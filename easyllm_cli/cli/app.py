"""The Typer app: its commands, imported when they run, their help pages, and error reporting."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import BROKEN_PIPE_EXIT_CODE, EasyLLMError, Interrupted, OutputError, UsageError

# Typer contains its own click since 0.26; ClickException is only reachable as a base class.
ClickError: Any = typer.BadParameter.__mro__[2]

COMMAND_HELP = {
    "chat": "Ask a model; into a pipe the answer comes whole or not at all.",
    "stream": "Ask, and print every token the moment it comes.",
    "vision": "Ask about pictures.",
    "models": "List what the profile's server offers.",
    "cot": "Ask for the reasoning too, apart from the answer.",
    "doctor": "Find out why a profile does not answer, and what to do.",
    "init": "Find servers and keys, and write a first profiles file.",
    "profiles": "List, show and change the profiles.",
    "keys": "Store, list and remove keys.",
    "pull": "Fetch a small demo model that runs inside this program.",
    "help": "Explain exit codes, profiles, stdin or JSON.",
}
CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
# Options whose value may be omitted, and the value they then get. Any other value needs `=`.
BARE_OPTION_REWRITES = {"-x": "--code=first", "--code": "--code=first"}
NOT_A_NUMBER = re.compile(r"is not a valid (float|int|integer)(?: range)?$")  # Typer's words


class EasyLLMCommand(TyperCommand):
    """A command with plain grouped help, optional option values, and broken pipe handling."""

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

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the description, the options, the environment variables, and the example last."""
        from .help_topics import help_with_environment

        if not self.epilog:
            names = [parameter.name or "" for parameter in self.params]
            self.help, self.epilog = help_with_environment(self.help or "", names)
        super().format_help(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the option groups as plain sections; on a terminal rich draws them as panels."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                default_title = (
                    "Arguments" if parameter.param_type_name == "argument" else "Options"
                )
                title = getattr(parameter, "rich_help_panel", None) or default_title
                sections.setdefault(title, []).append(record)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


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

    `default_command`: runs if no command is named.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.default_command = ""
        self.set_commands(COMMAND_HELP, load_command)

    def set_commands(self, help_lines: dict[str, str], loader: Callable[[str], Any]) -> None:
        """Set the commands and their help lines; `loader` returns the real command of a name."""
        self.loader = loader
        self.commands = {
            name: TyperCommand(name, help=help_line, rich_markup_mode=self.rich_markup_mode)
            for name, help_line in help_lines.items()
        }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
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
    app = typer.Typer(add_completion=False, rich_markup_mode=markup_mode())
    app.command(name, cls=EasyLLMCommand, context_settings=CONTEXT_SETTINGS, help=function.__doc__)(
        function
    )
    return typer.main.get_command(app)


def group_from_module(name: str, module: Any) -> Any:
    """The command group of a module with SUBCOMMANDS, DEFAULT_COMMAND and EXAMPLE."""
    group: Any = typer.main.get_group(
        typer.Typer(
            cls=LazyGroup, name=name, help=COMMAND_HELP[name], epilog=f"Example: {module.EXAMPLE}",
            context_settings=CONTEXT_SETTINGS, add_completion=False, rich_markup_mode=markup_mode(),
        )
    )  # fmt: skip
    lines = {sub: line for sub, (_, line) in module.SUBCOMMANDS.items()}
    group.set_commands(lines, lambda sub: command_from_function(sub, module.SUBCOMMANDS[sub][0]))
    group.default_command = module.DEFAULT_COMMAND
    return group


def print_version(on: bool) -> None:
    if on:
        from .._version import __version__

        typer.echo(f"easyllm {__version__}")
        raise typer.Exit


def root(
    version: bool = typer.Option(
        False, "--version", callback=print_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def markup_mode() -> Literal["rich"] | None:
    """Rich help on a terminal; plain help elsewhere (None)."""
    return "rich" if sys.stdout.isatty() else None


def root_group() -> Any:
    """The group of all commands; its help is rich if stdout is a terminal."""
    app = typer.Typer(
        cls=LazyGroup,
        name="easyllm",
        context_settings=CONTEXT_SETTINGS,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=markup_mode(),
        help="Ask any language model from the shell, and trust the answer.",
        epilog="Completion for bash, in ~/.bashrc (zsh and fish: easyllm help):"
        '\n\neval "$(_EASYLLM_COMPLETE=source_bash easyllm)"'
        '\n\nExample: git diff | easyllm chat -p ollama "Write a commit message"',
    )
    app.callback()(root)
    return typer.main.get_command(app)


def run_app(arguments: list[str]) -> int:
    """Run one command line, report any failure in one line on stderr, return the exit code."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if before[:1] and before[0] in COMMAND_HELP and "--version" in before:
        arguments = ["--version"]
    try:
        code = root_group().main(arguments, prog_name="easyllm", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except ClickError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return UsageError.exit_code
        failure: EasyLLMError = usage_error(error)
    except EasyLLMError as error:
        failure = error
    except (KeyboardInterrupt, typer.Abort):
        failure = Interrupted("interrupted")
    except (BrokenPipeError, SystemExit):  # Typer: a broken pipe in --help
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE_EXIT_CODE
    except UnicodeEncodeError as error:
        shown = ascii(error.object[error.start : error.end])
        failure = UsageError(f"{shown} cannot be sent as UTF-8", hint="check what was typed")
    except OSError as error:
        failure = OutputError.from_os_error("cannot write", error)
    except Exception as error:
        failure = Interrupted("interrupted") if was_interrupted(error) else unexpected_error(error)
    from .results import (
        CommandResult,
        empty_result,  # imported on errors only, to keep --help fast
        print_result,
    )

    return print_result(
        CommandResult(error=failure, listing=empty_result(arguments)),
        json="--json" in before, jsonl="--jsonl" in before, debug="--debug" in before,
    )  # fmt: skip


def was_interrupted(error: BaseException | None) -> bool:
    """Whether a KeyboardInterrupt caused the error.

    Python 3.11 wraps one that arrives in `__set_name__` during an import in another error.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def unexpected_error(error: Exception) -> EasyLLMError:
    """An unexpected exception as an EasyLLMError (exit code 1)."""
    failure = EasyLLMError(
        f"a bug in easyllm: {type(error).__name__}: {error}",
        hint="run it again with --debug and report what it prints",
    )
    failure.__cause__ = error
    return failure


def usage_error(error: Any) -> UsageError:
    """Click's error as a UsageError that names the problem, the nearest name and the help."""
    text = error.format_message().replace("\n", " ").rstrip(".")
    message, _, suggestion = text.partition(". Did you mean ")
    if match := NOT_A_NUMBER.search(message):
        number = "a number" if match[1] == "float" else "a whole number"
        is_seconds = getattr(getattr(error, "param", None), "metavar", "") == "SECONDS"
        message = f"{message[: match.start()]}is not {number}{' of seconds' * is_seconds}"
    context = getattr(error, "ctx", None)
    hint = f"did you mean {suggestion} " if suggestion else ""
    hint += f"see {context.command_path if context else 'easyllm'} -h"
    if type(error).__name__ == "NoSuchOption":
        hint += "; put -- before a prompt that begins with -"
    return UsageError(message, hint=hint)
