"""BatchRun: asks all rows, many at once, and writes each one when it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from ..errors import (
    EasyLLMError,
    OutputError,
    SomeFailedError,
)
from ..pipeline.call import Call
from .asking import RowAsker, meets_every_row
from .breaker import Breaker
from .output_file import OutputFile
from .output_rows import RowResult, format_row
from .overload import adapt_pacing
from .pacing import Pacing, is_rate_limit
from .progress import Progress
from .rows import Row
from .run_budget import RunBudget

DRAIN_SECONDS = 30.0  # how long requests that were sent are waited for when the run stops
SYNC_SECONDS = 1.0  # a crash of the machine loses the rows of this time


class RunningRow:
    """A row that is asked now. `reserved`: US dollars of the budget; `began`: for the pacing."""

    __slots__ = ("began", "call", "reserved", "row")

    def __init__(self, row: Row, call: Call, began: float, reserved: float) -> None:
        self.row = row
        self.call = call
        self.began = began
        self.reserved = reserved

    @property
    def is_sent(self) -> bool:
        """Whether its request may have reached the server; not while it waits for a limit."""
        return self.call.attempts[-1].provider != ""


class BatchRun:
    """One run over the rows of an input.

    `rows`: those still to be asked. `form`: of the output, one of output_rows.FORMATS.
    `max_errors`: the run stops when more rows have failed; None = never.
    """

    def __init__(
        self,
        rows: Iterator[Row],
        asker: RowAsker,
        output: OutputFile,
        pacing: Pacing,
        progress: Progress,
        *,
        form: str = "easyllm",
        budget: RunBudget | None = None,
        max_errors: int | None = None,
    ) -> None:
        self.form = form
        self._rows = rows
        self._asker = asker
        self._output = output
        self._pacing = pacing
        self._progress = progress
        self._budget = budget
        self._max_errors = max_errors
        self._breaker = Breaker()
        self._waiting: deque[Row] = deque()  # rows to ask before those of the input
        self._running: dict[asyncio.Task[None], RunningRow] = {}
        self._changed = asyncio.Event()
        self._stop_error: BaseException | None = None
        self._is_aborted = False

    @property
    def in_flight(self) -> int:
        """Rows that are asked now; not those that `stop` has just taken back."""
        return sum(not task.cancelling() for task in self._running)

    async def run(self) -> None:
        """Ask every row.

        Raises:
            EasyLLMError: the run was stopped before its end; what is written stays.
        """
        ended = asyncio.Event()
        syncing = asyncio.create_task(self._sync_regularly(ended))
        try:
            await self._ask_all()
            await self._drain()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            ended.set()
            await syncing
        if self._stop_error is not None:
            raise self._stop_error

    def stop(self, error: BaseException) -> None:
        """Send nothing more, wait for the requests that were sent, and end with this error."""
        if self._stop_error is not None:
            return
        self._stop_error = error
        self._asker.is_stopping = True
        for task, running in self._running.items():
            running.call.next_sources = []
            if not running.is_sent:
                task.cancel()
        self._changed.set()

    def abort(self, error: BaseException) -> None:
        """End at once; answers that are under way are lost."""
        self.stop(error)
        self._is_aborted = True
        for task in self._running:
            task.cancel()

    async def _ask_all(self) -> None:
        """Begin every row as soon as the pacing allows, until the last one has ended."""
        while self._stop_error is None:
            row = self._next_row()
            if row is None:
                if not self._running:
                    return
                await self._wait_for_change()
            elif row.error is not None:
                self._finish(row, RowResult(error=row.error))
                await asyncio.sleep(0)
            else:
                await self._begin(row)

    def _next_row(self) -> Row | None:
        """The next row to ask; None = there is none now. Stops the run if the input fails."""
        if self._waiting:
            return self._waiting.popleft()
        try:
            return next(self._rows, None)
        except EasyLLMError as error:
            self.stop(error)
            return None

    async def _begin(self, row: Row) -> None:
        """Wait until the row may be asked, and begin."""
        reserved = 0.0
        while self._stop_error is None:
            seconds = self._pacing.seconds_to_start()
            if seconds == 0:
                amount = self._reserve(row)
                if amount is not None:
                    reserved = amount
                    break
                if not self._running and self._budget is not None:
                    self.stop(self._budget.used_up())
                    return
                seconds = None
            await self._wait_for_change(seconds)
        else:
            return
        try:
            call = self._asker.begin(row)
        except EasyLLMError as error:
            self._settle(reserved, 0.0, RowResult())
            self._finish(row, RowResult(error=error))
            return
        running = RunningRow(row, call, self._pacing.begin(), reserved)
        task = asyncio.create_task(self._ask(running))
        self._running[task] = running
        task.add_done_callback(self._end)
        self._progress.asked += 1

    def _reserve(self, row: Row) -> float | None:
        """Reserve the row's cost; None = it does not fit the budget now."""
        if self._budget is None:
            return 0.0
        return self._budget.reserve(row.messages, self._asker.profile_of(row))

    def _settle(self, reserved: float, cost: float | None, result: RowResult) -> None:
        if self._budget is not None:
            self._budget.settle(reserved, cost, result.usage)

    async def _ask(self, running: RunningRow) -> None:
        result = await self._asker.ask(running.row, running.call)
        self._take(running, result)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Forget a task that has ended; a bug in it stops the run."""
        del self._running[task]
        self._pacing.end()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error)
        self._changed.set()

    def _take(self, running: RunningRow, result: RowResult) -> None:
        """Decide what the end of a row means for it and for the run."""
        row, error = running.row, result.error
        self._settle(running.reserved, self._cost_of(running.call, result), result)
        stop_error = adapt_pacing(self._pacing, running.call, running.began, error)
        if stop_error is not None:
            self.stop(stop_error)
        if is_rate_limit(error):
            row.attempts = result.attempts - 1  # the server looked at nothing
            self._waiting.append(row)
            return
        if error is not None and meets_every_row(row, error):
            self.stop(error)  # the row is asked again by the next run
            return
        if self._stop_error is not None and error is not None and error.retryable:
            return
        self._finish(row, result)

    def _cost_of(self, call: Call, result: RowResult) -> float | None:
        """The US dollars of a row; None = unknown. What the server refused costs nothing."""
        is_sent = any(attempt.has_output for attempt in call.attempts) or result.error is None
        return result.cost_usd if is_sent else result.cost_usd or 0.0

    def _finish(self, row: Row, result: RowResult) -> None:
        """Write a row, and stop the run if too many have failed."""
        try:
            line = format_row(row, result, self.form)
            self._output.append(line, row.index, result.status)
        except OutputError as error:
            self.abort(error)
            return
        self._progress.add(row, result)
        stop_error = self._breaker.add(result.error)
        if stop_error is not None:
            self.stop(stop_error)
        elif self._max_errors is not None and self._progress.failed > self._max_errors:
            self.stop(
                SomeFailedError(
                    f"{self._progress.failed} rows failed", where="--max-errors",
                    hint="look at the errors in the output",
                )
            )  # fmt: skip

    async def _wait_for_change(self, seconds: float | None = None) -> None:
        """Wait until a row has ended or the run is stopped, at most so many seconds."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _drain(self) -> None:
        """Wait for the rows that were sent, for DRAIN_SECONDS at most."""
        if self._running and not self._is_aborted:
            await asyncio.wait(self._running, timeout=DRAIN_SECONDS)

    async def _sync_regularly(self, ended: asyncio.Event) -> None:
        """Bring what was written to the disk every second, and at the end."""
        while not ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(SYNC_SECONDS):
                    await ended.wait()
            if self._output.is_dirty:
                try:
                    await asyncio.to_thread(self._output.sync)
                except OutputError as error:
                    self.abort(error)
