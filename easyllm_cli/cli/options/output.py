"""What is shown, and in which form."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from ..option_types import CODE, COLOR, REASONING, number, worded
from .groups import SAFE, SHOWN, declare


@dataclass(eq=False, repr=False)
class Show:
    """What of the answer is shown, and in which form."""

    reasoning: Annotated[
        str | None,
        declare(SHOWN, "--reasoning", says="Where reasoning goes.", words=REASONING),
    ] = None
    hide_reasoning: Annotated[
        bool, declare(SHOWN, "-R", "--hide-reasoning", says="The same as --reasoning hide.")
    ] = False
    jsonl: Annotated[bool, declare(SHOWN, "--jsonl", says="One JSON object a line.")] = False
    code: Annotated[
        str | None,
        declare(
            SHOWN, "-x", "--code", says="Only the first code block, or =all.", words=CODE,
            metavar="[=all]",
        ),
    ] = None  # fmt: skip
    usage: Annotated[bool, declare(SHOWN, "-u", "--usage", says="Tokens and times.")] = False
    raw: Annotated[bool, declare(SHOWN, "--raw", says="No Markdown on a terminal.")] = False
    partial: Annotated[
        bool, declare(SHOWN, "--partial", says="Print an answer that is not complete, too.")
    ] = False


@dataclass(eq=False, repr=False)
class Common:
    """What every command takes."""

    json: Annotated[bool, declare(SHOWN, "--json", says="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        declare(SHOWN, "--color", says="ANSI colours.", words=COLOR),
    ] = None
    quiet: Annotated[bool, declare(SHOWN, "-q", "--quiet", says="No notes on stderr.")] = False
    verbose: Annotated[bool, declare(SHOWN, "-v", "--verbose", says="Say what is done.")] = False
    debug: Annotated[bool, declare(SAFE, "--debug", says="Tracebacks, without keys.")] = False
    timeout: Annotated[
        float | None,
        declare(
            SAFE,
            "--timeout",
            says="The whole command, in seconds.",
            min=0.001,
            metavar="S",
            callback=number,
        ),
    ] = None


@dataclass(eq=False, repr=False)
class Form:
    """How a list is printed."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        typer.Option("--color", help="ANSI colours.", show_default=False, **worded(COLOR)),
    ] = None
