"""The options of commands that look at the profiles file and the keys, and ask no model."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from .option_types import COLOR, own_profiles, worded


@dataclass(eq=False, repr=False)
class File:
    """Which profiles file, and how a failure is told."""

    profiles: Annotated[
        str | None,
        typer.Option("--profiles", help="Profiles file.", metavar="FILE", show_default=False),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, without keys.")] = False


@dataclass(eq=False, repr=False)
class Failure:
    """How a failure is told, where no profiles file is looked at."""

    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, without keys.")] = False


@dataclass(eq=False, repr=False)
class Form:
    """How a list is printed."""

    json: Annotated[bool, typer.Option("--json", help="One JSON object, errors too.")] = False
    color: Annotated[
        str | None,
        typer.Option("--color", help="ANSI colours.", show_default=False, **worded(COLOR)),
    ] = None


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A profile.", show_default=False, autocompletion=own_profiles
    ),
]
