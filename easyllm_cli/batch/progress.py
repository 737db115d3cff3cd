"""Progress: what a run has done so far, and what the end of it says."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from ..events import TOKEN_COUNTS, Usage
from .output_rows import RowResult
from .rows import Row
from .state import RowStatuses

OnRow = Callable[[Row, RowResult], object]


class OnPacing(Protocol):
    """Called when the pacing changes: `pause` with `seconds`, or `limit` with `in_flight`."""

    def __call__(self, kind: str, **fields: float) -> None: ...


class Progress:
    """Counts the rows of one run.

    `statuses`: the rows of all runs. `total`: rows that this run is about, None = not known yet.
    `on_row`: called when a row has ended; `on_pacing`: see OnPacing.
    """

    def __init__(self, statuses: RowStatuses) -> None:
        self.statuses = statuses
        self.on_row: OnRow | None = None
        self.on_pacing: OnPacing | None = None
        self.total: int | None = None
        self.skipped = statuses.done  # rows that earlier runs have done
        self.asked = 0
        self.attempts = 0  # requests of the rows that have ended
        self.good = 0
        self.failed = 0
        self.errors: Counter[str] = Counter()  # by kind
        self.first_errors: dict[str, str] = {}  # by kind, the message of the first one
        self.paused_until = float("-inf")  # on the monotonic clock
        self.unpriced = 0  # answers whose cost is not known
        self._tokens = dict.fromkeys(TOKEN_COUNTS, 0)
        self._reported: set[str] = set()
        self._is_estimated = False
        self._cost = 0.0
        self._priced = 0
        self._started = time.monotonic()

    def add(self, row: Row, result: RowResult) -> None:
        """Count a row that has ended."""
        self.attempts += result.attempts
        if result.error is None:
            self.good += 1
        else:
            self.failed += 1
            self.errors[result.error.kind] += 1
            self.first_errors.setdefault(result.error.kind, str(result.error.message))
        for name in TOKEN_COUNTS:
            count = getattr(result.usage, name)
            if count is not None:
                self._tokens[name] += count
                self._reported.add(name)
        self._is_estimated = self._is_estimated or result.usage.estimated
        if result.cost_usd is not None:
            self._cost += result.cost_usd
            self._priced += 1
        elif result.error is None:
            self.unpriced += 1
        if self.on_row is not None:
            self.on_row(row, result)

    def paused(self, seconds: float) -> None:
        """Take in a pause (pacing.PacingListener)."""
        self.paused_until = time.monotonic() + seconds
        if self.on_pacing is not None:
            self.on_pacing("pause", seconds=round(seconds, 3))

    def limit_changed(self, limit: int) -> None:
        """Take in how many requests may be in flight (pacing.PacingListener)."""
        if self.on_pacing is not None:
            self.on_pacing("limit", in_flight=limit)

    @property
    def done(self) -> int:
        """Rows of this run that have ended."""
        return self.good + self.failed

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def usage(self) -> Usage:
        """The tokens of all rows of this run; None = no answer reported them."""
        counts: dict[str, Any] = {name: self._tokens[name] for name in self._reported}
        return Usage(**counts, estimated=self._is_estimated)

    @property
    def cost_usd(self) -> float | None:
        """What this run cost; None = unknown, also if that of one answer is unknown."""
        return self._cost if self._priced and not self.unpriced else None

    def seconds_left(self) -> float | None:
        """The expected time to the end; None = nobody can say."""
        if self.total is None or not self.done:
            return None
        left = max(0, self.total - self.skipped - self.done)
        return left * self.seconds / self.done
