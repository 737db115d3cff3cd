"""What is shown, and in which form."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from ..option_types import CODE_CHOICES, COLOR_CHOICES, REASONING_CHOICES, choice, finite_seconds
from .groups import OUTPUT_PANEL, RUN_PANEL, declare


@dataclass(eq=False, repr=False)
class OutputOptions:
    """What of the answer is shown, and in which form."""

    reasoning: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL, "--reasoning", help="Where reasoning goes.", choices=REASONING_CHOICES
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
    usage: Annotated[bool, declare(OUTPUT_PANEL, "-u", "--usage", help="Tokens and times.")] = False
    raw: Annotated[bool, declare(OUTPUT_PANEL, "--raw", help="No Markdown on a terminal.")] = False
    partial: Annotated[
        bool, declare(OUTPUT_PANEL, "--partial", help="Print an answer that is not complete, too.")
    ] = False


@dataclass(eq=False, repr=False)
class CommonOptions:
    """What every command takes."""

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
    verbose: Annotated[bool, declare(OUTPUT_PANEL, "-v", "--verbose", help="Say what is done.")] = (
        False
    )
    debug: Annotated[bool, declare(RUN_PANEL, "--debug", help="Tracebacks, without keys.")] = False
    timeout: Annotated[
        float | None,
        declare(
            RUN_PANEL,
            "--timeout",
            help="The whole command, in seconds.",
            min=0.001,
            metavar="S",
            callback=finite_seconds,
        ),
    ] = None


@dataclass(eq=False, repr=False)
class ListFormat:
    """How a list is printed."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        typer.Option("--color", help="ANSI colours.", show_default=False, **choice(COLOR_CHOICES)),
    ] = None
