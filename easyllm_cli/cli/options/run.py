"""Options for sending: --stream, --no-retry, --dry-run, --explain, --strict and others."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from .groups import RUN_PANEL, OptionGroup, declare


class RunOptions(OptionGroup):
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
    explain: Annotated[
        bool,
        declare(RUN_PANEL, "--explain", help="Show how an auto profile chooses."),
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
