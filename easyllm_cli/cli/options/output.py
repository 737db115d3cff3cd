"""Options for what is shown, and in which format."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from ..option_types import CODE_CHOICES, COLOR_CHOICES, REASONING_CHOICES, choice, finite_seconds
from .groups import OUTPUT_PANEL, RUN_PANEL, declare


@dataclass(eq=False, repr=False)
class OutputOptions:
    """Which parts of an answer are shown, and in which format."""

    reasoning: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL,
            "--reasoning",
            help="auto, show (stderr), hide, only (no answer), tags (<think>).",
            choices=REASONING_CHOICES,
        ),
    ] = None
    hide_reasoning: Annotated[
        bool, declare(OUTPUT_PANEL, "-R", "--hide-reasoning", help="The same as --reasoning hide.")
    ] = False
    jsonl: Annotated[bool, declare(OUTPUT_PANEL, "--jsonl", help="One JSON object a line.")] = False
    code: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL, "-x", "--code", help="Only the first code block, or =all.",
            choices=CODE_CHOICES, metavar="[=all]",
        ),
    ] = None  # fmt: skip
    usage: Annotated[
        bool, declare(OUTPUT_PANEL, "-u", "--usage", help="Show tokens and times.")
    ] = False
    raw: Annotated[bool, declare(OUTPUT_PANEL, "--raw", help="No Markdown on a terminal.")] = False
    partial: Annotated[
        bool, declare(OUTPUT_PANEL, "--partial", help="Print an incomplete answer (still exit 7).")
    ] = False


@dataclass(eq=False, repr=False)
class CommonOptions:
    """Options of every command that contacts a server."""

    json: Annotated[bool, declare(OUTPUT_PANEL, "--json", help="One JSON object, errors too.")] = (
        False
    )
    color: Annotated[
        str | None,
        declare(OUTPUT_PANEL, "--color", help="ANSI colours.", choices=COLOR_CHOICES),
    ] = None
    quiet: Annotated[bool, declare(OUTPUT_PANEL, "-q", "--quiet", help="No notes on stderr.")] = (
        False
    )
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


@dataclass(eq=False, repr=False)
class ListFormat:
    """The format of a printed list."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        typer.Option("--color", help="ANSI colours.", show_default=False, **choice(COLOR_CHOICES)),
    ] = None
