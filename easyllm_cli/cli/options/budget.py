"""Options for what an answer may cost: --max-cost."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

from ..option_types import dollar_amount
from .groups import RUN_PANEL, OptionGroup, declare


class BudgetOptions(OptionGroup):
    """What the answer may cost, with all its attempts."""

    max_cost: Annotated[
        float | None,
        declare(
            RUN_PANEL, "--max-cost", help="Send nothing that may cost more, in all.",
            metavar="USD", callback=dollar_amount,
        ),
    ] = None  # fmt: skip
