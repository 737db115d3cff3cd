"""How the request is sent, and when an answer counts."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from .groups import RUN_PANEL, declare


@dataclass(eq=False, repr=False)
class RunOptions:
    """How the request is sent and when an answer counts."""

    stream: Annotated[
        bool | None,
        declare(RUN_PANEL, "--stream/--no-stream", help="As it comes; or one plain request."),
    ] = None
    strict: Annotated[
        bool, declare(RUN_PANEL, "--strict", help="An answer that is not complete is exit code 7.")
    ] = False
    no_retry: Annotated[bool, declare(RUN_PANEL, "--no-retry", help="Try once.")] = False
    dry_run: Annotated[
        bool, declare(RUN_PANEL, "--dry-run", help="Print the request and send nothing.")
    ] = False
    max_output_bytes: Annotated[
        int | None,
        declare(
            RUN_PANEL,
            "--max-output-bytes",
            help="Longest answer, in bytes (default: 8 MiB).",
            min=1,
            metavar="N",
        ),
    ] = None


@dataclass(eq=False, repr=False)
class ProfilesFileOption:
    """Which profiles file, and how a failure is told."""

    profiles: Annotated[
        str | None,
        typer.Option("--profiles", help="Profiles file.", metavar="FILE", show_default=False),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, without keys.")] = False


@dataclass(eq=False, repr=False)
class DebugOption:
    """How a failure is told, where no profiles file is looked at."""

    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, without keys.")] = False
