"""The Typer app: runs a command line, and reports its errors."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import typer

from ..errors import BROKEN_PIPE_EXIT_CODE, EasyLLMError, Interrupted, OutputError, UsageError
from .command_loader import ClickError, LazyGroup
from .command_resolution import name_command
from .front_page import COMMAND_HELP


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


def root_group() -> Any:
    """The group of all commands."""
    app = typer.Typer(
        cls=LazyGroup, name="easyllm", add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(root)
    return typer.main.get_command(app)


def apply_color(arguments: list[str]) -> None:
    """Apply --color to stderr, where an error may be printed before any option is parsed."""
    color = find_color(arguments)
    if color != "auto":
        from ..render.output import set_stderr_color  # --help needs none of it

        set_stderr_color(color)


def run_app(arguments: list[str]) -> int:
    """Run one command line, report any failure in one line on stderr, return the exit code.

    A command line that names no command is one of `chat`.
    """
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    apply_color(before)
    if before and (before[0] in COMMAND_HELP or before[0][:1] == "-") and "--version" in before:
        arguments = ["--version"]
    try:
        arguments = name_command(arguments)
        code = root_group().main(arguments, prog_name="easyllm", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except ClickError as error:
        from .usage_errors import usage_error

        failure: EasyLLMError = usage_error(error, arguments)
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
    # Imported on errors only, to keep --help fast.
    from .results import CommandResult, empty_result, print_result

    return print_result(
        CommandResult(error=failure, listing=empty_result(arguments)),
        json="--json" in before, jsonl="--jsonl" in before, debug="--debug" in before,
    )  # fmt: skip


def find_color(arguments: list[str]) -> str:
    """The value of --color, also on a command line that is wrong; "auto" without the option."""
    color = "auto"
    for word, following in pairwise([*arguments, ""]):
        if word == "--color":
            color = following
        elif word.startswith("--color="):
            color = word.removeprefix("--color=")
    return color


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
