"""The ledger of a budget: what was spent by day, and what running requests may still cost.

One locked file for all processes. An amount is reserved before a request is sent and replaced by
the real cost after it. A reservation that is never replaced, because its process died, stays: the
request may have been billed. Amounts are whole billionths of a US dollar.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError
from .lock import open_locked, read_all, write_all

FORM = 1
DAY, MONTH = "day", "month"
MAX_FILE_BYTES = 4 * 1024 * 1024
KEPT_DAYS = 62  # this month and the one before


class BudgetExceededError(Exception):
    """An amount does not fit: `period` ("day", "month") has `used` of `limit`."""

    def __init__(self, period: str, used: int, limit: int) -> None:
        super().__init__(period)
        self.period, self.used, self.limit = period, used, limit


class Ledger:
    """A budget over all processes. `limits`: billionths of a US dollar by "day" and "month".

    A day begins at midnight, local time. `clock`: seconds since 1970.

    Every method raises OutputError if the file cannot be used, and ConfigError if it is damaged.
    """

    def __init__(
        self, path: Path, limits: Mapping[str, int], clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.limits = limits
        self.clock = clock

    def used(self) -> dict[str, int]:
        """What is spent and reserved in the current day and month."""
        with self._open() as state:
            return {period: self._sum(state, period) for period in (DAY, MONTH)}

    def left(self) -> int:
        """What the tightest limit leaves now; 0 or less = nothing."""
        used = self.used()
        return min(limit - used[period] for period, limit in self.limits.items())

    def reserve(self, identity: str, amount: int) -> None:
        """Reserve an amount under a name of its own.

        Raises:
            BudgetExceededError: it does not fit a limit; nothing is reserved.
        """
        with self._open() as state:
            for period, limit in self.limits.items():
                used = self._sum(state, period)
                if used + amount > limit:
                    raise BudgetExceededError(period, used, limit)
            state["reserved"][identity] = [self._today(), amount]

    def settle(self, identity: str, cost: int) -> None:
        """Replace a reservation by the real cost, on the day of the reservation."""
        with self._open() as state:
            day, _ = state["reserved"].pop(identity, (self._today(), 0))
            if cost:
                state["spent"][day] = state["spent"].get(day, 0) + cost

    def _today(self) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self.clock()))

    def _sum(self, state: dict[str, Any], period: str) -> int:
        """Spent and reserved amounts of the current day or month."""
        prefix = self._today() if period == DAY else self._today()[:7]
        amounts = [*state["spent"].items(), *state["reserved"].values()]
        return sum(amount for day, amount in amounts if day.startswith(prefix))

    @contextmanager
    def _open(self) -> Iterator[dict[str, Any]]:
        """Lock the file and yield its state, which is written if the block changes it."""
        try:
            with open_locked(self.path) as descriptor:
                # One line: what follows is the rest of an older, longer state.
                before = read_all(descriptor, MAX_FILE_BYTES).partition(b"\n")[0]
                state = self._parse(before)
                yield state
                self._forget_old_days(state)
                after = json.dumps(state).encode()
                if after != before:
                    write_all(descriptor, after + b"\n")
        except OSError as error:
            raise OutputError.from_os_error(
                "the budget cannot be kept", error, str(self.path)
            ) from None

    def _parse(self, line: bytes) -> dict[str, Any]:
        """The state in the file's first line; an empty file is a new ledger."""
        if not line.strip():
            return {"form": FORM, "spent": {}, "reserved": {}}
        try:
            state: dict[str, Any] = json.loads(line)
            if state["form"] != FORM:
                raise ValueError
            for day, amount in [*state["spent"].items(), *state["reserved"].values()]:
                day.startswith("2") and amount + 0
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                "the file of the budget is damaged",
                where=str(self.path),
                hint="look at it, and remove it to begin the budget anew",
            ) from None
        return state

    def _forget_old_days(self, state: dict[str, Any]) -> None:
        """Drop what no limit counts any more."""
        oldest = time.strftime("%Y-%m-%d", time.localtime(self.clock() - KEPT_DAYS * 86400))
        state["spent"] = {day: sum_ for day, sum_ in state["spent"].items() if day >= oldest}
        state["reserved"] = {
            identity: entry for identity, entry in state["reserved"].items() if entry[0] >= oldest
        }
