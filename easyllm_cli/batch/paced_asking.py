"""PacedAsker: asks the rows of any number of batches in memory, as fast as the server allows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..errors import ConfigError, EasyLLMError
from .asking import RowAsker, is_wrong_key
from .output_rows import RowResult
from .overload import adapt_pacing
from .pacing import Pacing, is_rate_limit
from .rows import Row


class PacedAsker:
    """Asks rows, many at once; all its batches share the pacing, and what it has learned.

    Everything runs in one event loop.
    """

    def __init__(self, asker: RowAsker, pacing: Pacing) -> None:
        self._asker = asker
        self._pacing = pacing
        self._batches = 0  # that are being asked now
        self._turn = asyncio.Lock()  # the row that is next waits for its time; the others for it
        self._changed = asyncio.Event()
        self._stop_error: EasyLLMError | None = None  # why the rows under way are given up

    async def ask_all(self, rows: Sequence[Row]) -> list[RowResult]:
        """Ask every row, and return how each one ended, in the same order.

        Raises:
            ConfigError, AuthError: every row would meet it; the other requests are cancelled.
        """
        if not self._batches:
            self._pacing.end_idleness()
            self._stop_error = None
        results = [RowResult()] * len(rows)
        places = iter(range(len(rows)))
        self._batches += 1
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._pacing.ceiling, len(rows))):
                    group.create_task(self._ask_next(rows, places, results))
        except BaseExceptionGroup as errors:  # the first one; the others were cancelled
            raise errors.exceptions[0] from None
        finally:
            self._batches -= 1
        return results

    async def _ask_next(
        self, rows: Sequence[Row], places: Iterator[int], results: list[RowResult]
    ) -> None:
        """Ask one row after the other until none is left."""
        for place in places:
            results[place] = await self._ask(rows[place])

    async def _ask(self, row: Row) -> RowResult:
        """Ask a row until it ends for another reason than a rate limit."""
        if row.error is not None:
            return RowResult(error=row.error)
        while True:
            began = await self._wait_for_turn()
            if began is None:
                return self._give_up(row)
            try:
                call = self._asker.begin(row)
                result = await self._asker.ask(row, call)
            finally:
                self._pacing.end()
                self._changed.set()
            error = result.error
            self._stop_error = adapt_pacing(self._pacing, call, began, error) or self._stop_error
            if error is not None and _meets_every_row(error):
                self._stop_error = error
                raise error
            if not is_rate_limit(error):
                return result
            row.attempts = result.attempts - 1  # the server looked at nothing

    def _give_up(self, row: Row) -> RowResult:
        """The end of a row that is not sent any more. Raises what every row would meet."""
        assert self._stop_error is not None
        if _meets_every_row(self._stop_error):
            raise self._stop_error
        return RowResult(error=self._stop_error, attempts=row.attempts)

    async def _wait_for_turn(self) -> float | None:
        """Wait until a request may begin; returns its time, or None if nothing is sent any more."""
        async with self._turn:
            while self._stop_error is None:
                seconds = self._pacing.seconds_to_start()
                if seconds == 0:
                    return self._pacing.begin()
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._changed.wait()
        return None


def _meets_every_row(error: EasyLLMError) -> bool:
    return isinstance(error, ConfigError) or is_wrong_key(error)
