"""Options of `easyllm batch`: which rows, how fast, what they may cost, and the output."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from ..option_types import BATCH_FORMATS, BATCH_WAYS, dollar_amount
from .groups import INPUT_PANEL, OUTPUT_PANEL, RUN_PANEL, OptionGroup, declare
from .output import ChoicesOption


class BatchOptions(OptionGroup):
    """Which rows are asked, and how."""

    system: Annotated[
        str | None,
        declare(
            INPUT_PANEL, "-s", "--system", help="System prompt of rows without one.",
            metavar="TEXT", short=True,
        ),
    ] = None  # fmt: skip
    template: Annotated[
        str | None,
        declare(
            INPUT_PANEL, "--template", help="Prompt with fields of the row: 'Translate: {text}'.",
            metavar="TEXT", short=True,
        ),
    ] = None  # fmt: skip
    limit: Annotated[
        int | None,
        declare(
            INPUT_PANEL, "--limit", help="Only the first N rows.", min=1, metavar="N", short=True
        ),
    ] = None
    shard: Annotated[
        str | None,
        declare(
            INPUT_PANEL, "--shard", help="Every n-th row, from row i on: 0/4 to 3/4.", metavar="I/N"
        ),
    ] = None
    choices: ChoicesOption = None
    format: Annotated[
        str | None,
        declare(OUTPUT_PANEL, "--format", help="Lines of the output.", choices=BATCH_FORMATS),
    ] = None
    jsonl: Annotated[
        bool, declare(OUTPUT_PANEL, "--jsonl", help="Events on stdout, one JSON object a line.")
    ] = False
    concurrency: Annotated[
        str | None,
        declare(
            RUN_PANEL, "--concurrency", help="Most requests at once (auto: 64; local models: 2).",
            metavar="auto|N", short=True,
        ),
    ] = None  # fmt: skip
    rpm: Annotated[
        int | None,
        declare(RUN_PANEL, "--rpm", help="Most requests a minute.", min=1, metavar="N"),
    ] = None
    via: Annotated[
        str | None,
        declare(
            RUN_PANEL, "--via", help="A request a row, or the provider's cheaper batch API.",
            choices=BATCH_WAYS,
        ),
    ] = None  # fmt: skip
    max_cost: Annotated[
        float | None,
        declare(
            RUN_PANEL, "--max-cost", help="Stop before all rows cost more.", metavar="USD",
            callback=dollar_amount, short=True,
        ),
    ] = None  # fmt: skip
    max_errors: Annotated[
        int | None,
        declare(RUN_PANEL, "--max-errors", help="Stop after more errors.", min=0, metavar="N"),
    ] = None
    cache: Annotated[
        str | None,
        declare(RUN_PANEL, "--cache", help="Use an answer kept before.", metavar="TIME|off"),
    ] = None
    strict: Annotated[
        bool, declare(RUN_PANEL, "--strict", help="A row that --max-tokens cut has failed.")
    ] = False
    dry_run: Annotated[
        bool,
        declare(
            RUN_PANEL, "--dry-run", help="Read all rows, say cost and time, send nothing.",
            short=True,
        ),
    ] = False  # fmt: skip
