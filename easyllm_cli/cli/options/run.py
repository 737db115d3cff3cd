"""Options for how a request is sent, and shared options of commands without a request."""

# No `from __future__ import annotations`: Typer needs the real types.
from dataclasses import dataclass
from typing import Annotated

import typer

from .groups import RUN_PANEL, declare


@dataclass(eq=False, repr=False)
class RunOptions:
    """How the request is sent, and which answers are accepted."""

    stream: Annotated[
        bool | None,
        declare(
            RUN_PANEL,
            "--stream/--no-stream",
            help="Print while it arrives / ask without streaming.",
        ),
    ] = None
    strict: Annotated[
        bool, declare(RUN_PANEL, "--strict", help="Exit 7 also when --max-tokens cut the answer.")
    ] = False
    no_retry: Annotated[bool, declare(RUN_PANEL, "--no-retry", help="Do not retry.")] = False
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
    """The profiles file, and --debug."""

    profiles: Annotated[
        str | None,
        typer.Option("--profiles", help="Profiles file.", metavar="FILE", show_default=False),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (keys redacted).")] = False


@dataclass(eq=False, repr=False)
class DebugOption:
    """--debug alone, for commands that read no profiles file."""

    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (keys redacted).")] = False
