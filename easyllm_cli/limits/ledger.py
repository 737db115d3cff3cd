"""The ledger of a budget: what was spent by day, and what running requests may still cost.

One file for all processes. An amount is reserved before a request is sent and replaced by the real
cost after it. A reservation that is never replaced, because its process died, stays: the request
may have been billed. Amounts are whole billionths of a US dollar.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ..errors import ConfigError, OutputError
from ..private_file import open_regular, write_private_file
from .lock import hold_lock

FORM = 1
DAY, MONTH = "day", "month"
DAY_SECONDS = 86_400
MAX_FILE_BYTES = 4 * 1024 * 1024
# Recorded days, not days of the calendar: a clock that is set forward by mistake forgets nothing.
KEPT_DAYS = 62
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Balance(NamedTuple):
    """What is spent in a day or month, and what is reserved for requests that have not ended."""

    spent: int
    reserved: int

    @property
    def used(self) -> int:
        return self.spent + self.reserved


class BudgetExceededError(Exception):
    """An amount does not fit the `limit` of a `period` ("day", "month"), with its `balance`."""

    def __init__(self, period: str, balance: Balance, limit: int) -> None:
        super().__init__(period)
        self.period, self.balance, self.limit = period, balance, limit


class LedgerState:
    """What the file holds: amounts by day (`2026-11-29`), and reservations by their identity."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}
        self.reserved: dict[str, tuple[str, int]] = {}

    @classmethod
    def from_json(cls, data: bytes) -> LedgerState:
        """Raises ValueError for anything but what `to_json` writes."""
        try:
            content = json.loads(data, parse_float=_refuse, parse_constant=_refuse)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        state = cls()
        try:
            if content["form"] != FORM:
                raise ValueError("another form")
            for day, amount in content["spent"].items():
                state.spent[_require_day(day)] = _require_amount(amount)
            for identity, (day, amount) in content["reserved"].items():
                state.reserved[identity] = _require_day(day), _require_amount(amount)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from None
        return state

    def to_json(self) -> bytes:
        content = {"form": FORM, "spent": self.spent, "reserved": self.reserved}
        return json.dumps(content).encode() + b"\n"

    def balance(self, today: str, period: str) -> Balance:
        """The sums of the day or month of `today`."""
        prefix = today if period == DAY else today[:7]
        spent = [amount for day, amount in self.spent.items() if day.startswith(prefix)]
        reserved = [amount for day, amount in self.reserved.values() if day.startswith(prefix)]
        return Balance(sum(spent), sum(reserved))

    def add_spent(self, day: str, amount: int) -> None:
        if amount:
            self.spent[day] = self.spent.get(day, 0) + amount

    def close_old_days(self, yesterday: str) -> None:
        """Count reservations from before yesterday as spent, and keep the newest KEPT_DAYS days.

        No request runs for a day: the process of such a reservation died.
        """
        for identity, (day, amount) in [*self.reserved.items()]:
            if day < yesterday:
                del self.reserved[identity]
                self.add_spent(day, amount)
        for day in sorted(self.spent)[:-KEPT_DAYS]:
            del self.spent[day]


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

    def balance(self, period: str) -> Balance:
        """What is spent and reserved in the current day or month; it waits for no lock."""
        return self._read().balance(self._day(), period)

    async def reserve(self, identity: str, least: int, most: int) -> int:
        """Reserve as much as fits, from `least` to `most`, under a name; return the amount.

        Raises:
            BudgetExceededError: `least` does not fit; nothing is reserved.
        """
        async with self._changed() as state:
            amount, today = most, self._day()
            for period, limit in self.limits.items():
                balance = state.balance(today, period)
                if balance.used + least > limit:
                    raise BudgetExceededError(period, balance, limit)
                amount = min(amount, limit - balance.used)
            state.reserved[identity] = today, amount
        return amount

    async def lower(self, identity: str, amount: int) -> None:
        """Replace a reservation by a lower one."""
        async with self._changed() as state:
            if identity in state.reserved:
                state.reserved[identity] = state.reserved[identity][0], amount

    async def settle(self, identity: str, cost: int) -> None:
        """Replace a reservation by the real cost, on the day of the reservation."""
        async with self._changed() as state:
            if identity in state.reserved:
                day, _ = state.reserved.pop(identity)
                state.add_spent(day, cost)

    def _day(self, seconds_ago: float = 0) -> str:
        return time.strftime("%Y-%m-%d", time.localtime(self.clock() - seconds_ago))

    @asynccontextmanager
    async def _changed(self) -> AsyncIterator[LedgerState]:
        """Lock the ledger and yield its state, which is written when the block has changed it."""
        try:
            async with hold_lock(self.path.with_name(f".{self.path.name}.lock")):
                state = self._read()
                yield state
                state.close_old_days(self._day(DAY_SECONDS))
                # A new file takes the place of the old one: a process that is killed, or a full
                # disk, leaves the old one whole. It is not synced: after a power failure an old
                # state is as good as a new one.
                write_private_file(self.path, state.to_json())
        except OSError as error:
            raise self._unusable(error) from None

    def _read(self) -> LedgerState:
        """The state in the file; no file is a new ledger."""
        try:
            with os.fdopen(open_regular(self.path, os.O_RDONLY), "rb") as file:
                data = file.read(MAX_FILE_BYTES)
        except FileNotFoundError:
            return LedgerState()
        except OSError as error:
            raise self._unusable(error) from None
        try:
            return LedgerState.from_json(data)
        except ValueError:
            raise ConfigError(
                "the file of the budget is damaged",
                where=str(self.path),
                hint="look at it, and remove it to begin the budget anew",
            ) from None

    def _unusable(self, error: OSError) -> OutputError:
        return OutputError.from_os_error("the budget cannot be kept", error, str(self.path))


def _require_day(value: Any) -> str:
    if not isinstance(value, str) or not DATE.fullmatch(value):
        raise ValueError("not a day")
    return value


def _require_amount(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not an amount")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"not a whole number: {text}")
