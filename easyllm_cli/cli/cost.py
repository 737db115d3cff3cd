"""What an answer cost, and who says so; keeps the price table up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..render.options import is_terminal

if TYPE_CHECKING:
    from ..pipeline.call import Call

# US dollars, and the source as `cost_source` in docs/json.md; None = unknown.
AnswerCost = tuple[float | None, str | None]


def find_cost(call: Call, notify: Callable[[str], None]) -> AnswerCost:
    """The cost of all attempts at an answer that is over.

    Making the price table takes longer than many an answer, so it is made only where somebody reads
    the answer on a terminal, and once for each version of genai-prices.
    `notify`: prints a note if the table cannot be made.
    """
    from ..pricing import TABLE, total_cost

    dollars, source = total_cost(call.attempts, call.started_at)
    needs_table = source is None or source.startswith(TABLE)
    if needs_table and call.usage_all is not None and is_terminal(2):
        from ..pricing.update import try_update

        note = try_update()
        if note:
            notify(note)
        else:
            dollars, source = total_cost(call.attempts, call.started_at)
    return dollars, source


def refresh_price_table(quiet: bool = False) -> None:
    """Make the price table where the installed genai-prices is newer; print why it fails."""
    from ..pricing.update import try_update
    from ..render.output import print_notice

    note = try_update()
    if note and not quiet:
        print_notice(f"easyllm: {note}")
