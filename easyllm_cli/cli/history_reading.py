"""Opens the history for the commands that read it, and reads the times of their options."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..history.store import HistoryStore

MONTH = "month"  # since the first day of this month


@contextmanager
def open_history() -> Iterator[HistoryStore | None]:
    """Open the history for reading; None = there is none yet. Raises as `open_store`."""
    from ..history import history_path
    from ..history.store import open_store

    try:
        store = open_store(history_path(), create=False)
    except FileNotFoundError:
        yield None
        return
    with store:
        yield store


def parse_time_option(option: str, text: str) -> float:
    """The time that an option means, in seconds since 1970.

    Raises:
        UsageError: it is neither an age, nor a date, nor `month`.
    """
    from ..durations import parse_point_in_time

    now = time.time()
    date = time.strftime("%Y-%m-01", time.localtime(now)) if text == MONTH else text
    moment = parse_point_in_time(date, now)
    if moment is None:
        hint = "an age such as 7d or 12h, a date such as 2026-01-31, or month"
        raise UsageError(f'{option} "{text[:40]}" is no time', hint=hint)
    return moment
