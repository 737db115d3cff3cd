"""Options for the history: -c, --conversation and --history."""

# No `from __future__ import annotations`: Typer needs the real types.

from typing import Annotated

from ..option_types import HISTORY_CHOICES
from .groups import INPUT_PANEL, RUN_PANEL, OptionGroup, declare

HistoryMode = Annotated[
    str | None,
    declare(
        RUN_PANEL,
        "--history",
        help="Keep texts, only numbers, or nothing.",
        choices=HISTORY_CHOICES,
    ),
]


class HistoryOptions(OptionGroup):
    """Which conversation the prompt continues, and what is kept of the answer."""

    continues: Annotated[
        bool,
        declare(
            INPUT_PANEL, "-c", "--continue", help="Continue this terminal's conversation.",
            short=True,
        ),
    ] = False  # fmt: skip
    conversation: Annotated[
        str | None,
        declare(
            INPUT_PANEL, "--conversation", help="Continue this one, or begin new:NAME.",
            metavar="ID|last|new:NAME",
        ),
    ] = None  # fmt: skip
    history: HistoryMode = None
