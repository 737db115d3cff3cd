"""Options for answers that are kept and used again: --cache, --record and --replay."""

# No `from __future__ import annotations`: Typer needs the real types.

from typing import Annotated

from .groups import RUN_PANEL, OptionGroup, declare


class CacheOptions(OptionGroup):
    """Where the answer may come from without a request, and where it is kept."""

    cache: Annotated[
        str | None,
        declare(
            RUN_PANEL,
            "--cache",
            help="Reuse a kept answer up to this age, e.g. 24h.",
            metavar="TIME|off",
        ),
    ] = None
    record: Annotated[
        str | None,
        declare(
            RUN_PANEL,
            "--record",
            help="Record every attempt; FILE may be a folder.",
            metavar="FILE",
        ),
    ] = None
    replay: Annotated[
        str | None,
        declare(
            RUN_PANEL, "--replay", help="Answer from a recording, without network.", metavar="FILE"
        ),
    ] = None
