"""How the request is sent, and when an answer counts."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from .groups import SAFE, declare


@dataclass(eq=False, repr=False)
class Run:
    """How the request is sent and when an answer counts."""

    stream: Annotated[
        bool | None,
        declare(SAFE, "--stream/--no-stream", says="As it comes; or one plain request."),
    ] = None
    strict: Annotated[
        bool, declare(SAFE, "--strict", says="An answer that is not complete is exit code 7.")
    ] = False
    no_retry: Annotated[bool, declare(SAFE, "--no-retry", says="Try once.")] = False
    dry_run: Annotated[
        bool, declare(SAFE, "--dry-run", says="Print the request and send nothing.")
    ] = False
    max_output_bytes: Annotated[
        int | None,
        declare(
            SAFE,
            "--max-output-bytes",
            says="Longest answer, in bytes (default: 8 MiB).",
            min=1,
            metavar="N",
        ),
    ] = None


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
