"""Options for showing an answer: reasoning, --jsonl, -x, usage, --raw, --partial (not --json)."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from ..option_types import CODE_CHOICES, REASONING_CHOICES
from .groups import OUTPUT_PANEL, OptionGroup, declare

ChoicesOption = Annotated[
    str | None,
    declare(
        OUTPUT_PANEL, "--choices", help="Exactly one of these, or exit 7.", metavar="A,B,...",
    ),
]  # fmt: skip


class OutputOptions(OptionGroup):
    """Which parts of an answer are shown, and in which format."""

    reasoning: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL,
            "--reasoning",
            help="auto: shown on a terminal, dropped by chat into a pipe; show: always, on "
            "stderr; only: without the answer; tags: as <think>…</think> before it.",
            choices=REASONING_CHOICES,
        ),
    ] = None
    hide_reasoning: Annotated[
        bool, declare(OUTPUT_PANEL, "-R", "--hide-reasoning", help="The same as --reasoning hide.")
    ] = False
    code: Annotated[
        str | None,
        declare(
            OUTPUT_PANEL, "-x", "--code", help="Only the first code block, or =all.",
            choices=CODE_CHOICES, metavar="[=all]", short=True,
        ),
    ] = None  # fmt: skip
    usage: Annotated[
        bool,
        declare(OUTPUT_PANEL, "-u", "--usage", help="Show tokens, times and cost.", short=True),
    ] = False
    raw: Annotated[bool, declare(OUTPUT_PANEL, "--raw", help="No Markdown on a terminal.")] = False
    partial: Annotated[
        bool, declare(OUTPUT_PANEL, "--partial", help="Print an incomplete answer (still exit 7).")
    ] = False
    jsonl: Annotated[bool, declare(OUTPUT_PANEL, "--jsonl", help="One JSON object a line.")] = False
