"""Options that several commands share: format, notes, time limit, debugging, profiles file."""

from typing import Annotated

import typer

from ..option_types import COLOR_CHOICES, choice, finite_seconds
from .groups import OUTPUT_PANEL, RUN_PANEL, OptionGroup, declare


class CommonOptions(OptionGroup):
    """Options of every command that contacts a server."""

    json: Annotated[
        bool, declare(OUTPUT_PANEL, "--json", help="One JSON object, errors too.", short=True)
    ] = False
    color: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL, "--color", help="Colours; always: in a pipe too.", choices=COLOR_CHOICES
        ),
    ] = None
    quiet: Annotated[
        bool, declare(OUTPUT_PANEL, "-q", "--quiet", help="No notes on stderr.", short=True)
    ] = False
    verbose: Annotated[
        bool, declare(OUTPUT_PANEL, "-v", "--verbose", help="Show profile, model, retries.")
    ] = False
    debug: Annotated[
        bool, declare(RUN_PANEL, "--debug", help="Show tracebacks (keys redacted).")
    ] = False
    timeout: Annotated[
        float | None,
        declare(
            RUN_PANEL,
            "--timeout",
            help="Time limit for the whole command.",
            min=0.001,
            metavar="SECONDS",
            callback=finite_seconds,
        ),
    ] = None


class ListFormat(OptionGroup):
    """The format of a printed list."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        typer.Option(
            "--color",
            help="Colours; always: in a pipe too.",
            show_default=False,
            **choice(COLOR_CHOICES),
        ),
    ] = None


class ProfilesFileOption(OptionGroup):
    """The profiles file, and --debug."""

    profiles: Annotated[
        str | None,
        typer.Option("--profiles", help="Profiles file.", metavar="FILE", show_default=False),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (keys redacted).")] = False


class DebugOption(OptionGroup):
    """--debug alone, for commands that read no profiles file."""

    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (keys redacted).")] = False
