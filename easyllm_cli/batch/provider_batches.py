"""ProviderBatches: has all rows answered by a provider's batch API, each one once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator

from ..errors import (
    AuthError,
    BillingError,
    ConfigError,
    EasyLLMError,
    NotFoundError,
    OutputError,
)
from ..providers.batch_api import ENDED, FAILED, BatchAPI, BatchState
from .asking import RowAsker, meets_every_row
from .batch_collection import BatchCollector, RowWriter
from .batch_creation import BatchCreator, Delays, is_passing
from .batch_requests import BatchRequests, format_request
from .rows import Row
from .run_budget import RunBudget
from .submissions import Submission, SubmissionFile

YIELD_ROWS = 100  # after which signals are looked at
STOPPING_ERRORS = (AuthError, BillingError, ConfigError, OutputError)  # they meet every row


class ProviderBatches:
    """One run over the rows of an input, through the batch API of one provider.

    `find_rows`: the rows to ask, but for those that it is told to leave out. `asker`: its profile
    has no limits and no budget of its own. `writer`: writes the rows that have ended.
    `collector`: reads the results of batches. `say`: prints a note.
    """

    def __init__(
        self,
        find_rows: Callable[[Callable[[int], bool]], Iterator[Row]],
        asker: RowAsker,
        api: BatchAPI,
        submissions: SubmissionFile,
        writer: RowWriter,
        collector: BatchCollector,
        *,
        budget: RunBudget | None = None,
        delays: Delays | None = None,
        is_retry: bool = False,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._find_rows = find_rows
        self._asker = asker
        self._api = api
        self._submissions = submissions
        self._writer = writer
        self._collector = collector
        self._budget = budget
        self._delays = delays or Delays()
        self._is_retry = is_retry
        self._say = say
        self._creator = BatchCreator(api, submissions, self._delays)
        self._rows: deque[Iterator[Row]] = deque()  # rows to submit
        self._held: Row | None = None  # it does not fit the budget now
        self._wait_until = 0.0  # on the monotonic clock: nothing is created before
        self._max_rows: int | None = None  # of a batch, after the provider's queue was full
        self._failing_since: float | None = None  # on the monotonic clock
        self._stop_error: BaseException | None = None
        self._stopped = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Rows that the provider works on."""
        return sum(each.count for each in self._submissions.open())

    async def run(self) -> None:
        """Have every row answered, and close the connections and the list of submissions.

        Raises:
            EasyLLMError: the run was stopped; what the provider has is collected by the next run.
        """
        work = asyncio.create_task(self._work())
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stopping):
                task.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
            await self._api.provider.aclose()
            self._submissions.close()
            self._writer.sync()
        if self._stop_error is not None:
            raise self._stop_error
        work.result()

    def stop(self, error: BaseException) -> None:
        """End at once with this error; the provider goes on with what it has."""
        if self._stop_error is None:
            self._stop_error = error
            self._stopped.set()

    abort = stop

    async def _work(self) -> None:
        for submission in self._submissions.open():
            self._hold(submission)
            if submission.id is None:
                await self._find(submission)
        known = self._submissions.open()
        self._rows.append(self._find_rows(lambda row: any(each.has(row) for each in known)))
        delay = 0.0 if self._submissions.open() else self._delays.first
        while True:
            if await self._submit_rows():
                delay = min(delay, self._delays.first)
            if not self._submissions.open() and not self._has_rows():
                return
            await asyncio.sleep(delay)
            delay = min(max(self._delays.first, delay * self._delays.growth), self._delays.longest)
            for submission in self._submissions.open():
                await self._poll(submission)

    def _has_rows(self) -> bool:
        return bool(self._rows) or self._held is not None

    def _hold(self, submission: Submission) -> None:
        """Reserve what a batch of an earlier run may cost."""
        if self._budget is None:
            return
        if submission.usd is None:  # that run had no budget
            rows = self._collector.rows_of(submission)
            submission.usd = sum(
                self._budget.estimate(row.messages, self._asker.profile_of(row)) for row in rows
            )
        self._budget.hold(submission.usd)

    async def _find(self, submission: Submission) -> None:
        """Find out whether a batch whose id is not known was created."""
        if not await self._creator.find_patiently(submission):
            self._submissions.over(submission, "it was never created", processed=False)
            self._writer.release(submission.usd)

    async def _submit_rows(self) -> bool:
        """Submit the rows that may be submitted now; returns whether there were any."""
        if time.monotonic() < self._wait_until:
            return False
        was_submitted, count = False, 0
        requests, usd = self._new_requests(), 0.0
        while (row := self._next_row()) is not None:
            count += 1
            if count % YIELD_ROWS == 0:
                await asyncio.sleep(0)
            if row.error is not None:
                self._writer.write_error(row, row.error)
                continue
            reserved = self._reserve(row)
            if reserved is None:
                self._held = row
                break
            line = await self._format(row, reserved)
            if line is None:
                continue
            if not requests.add(row, line):
                was_submitted = await self._create(requests, usd)
                requests, usd = self._new_requests(), 0.0
                requests.add(row, line)
            usd += reserved
        was_submitted = await self._create(requests, usd) or was_submitted
        if self._held is not None and self._budget and not self._submissions.open():
            raise self._budget.used_up()
        return was_submitted

    def _new_requests(self) -> BatchRequests:
        return BatchRequests(self._api, self._max_rows)

    def _next_row(self) -> Row | None:
        """The next row to submit; None = there is none now. Raises UsageError."""
        if self._held is not None:
            row, self._held = self._held, None
            return row
        while self._rows:
            found = next(self._rows[0], None)
            if found is not None:
                return found
            self._rows.popleft()
        return None

    def _reserve(self, row: Row) -> float | None:
        """Reserve the row's cost; None = it does not fit the budget now."""
        if self._budget is None:
            return 0.0
        return self._budget.reserve(row.messages, self._asker.profile_of(row))

    async def _format(self, row: Row, reserved: float) -> bytes | None:
        """The row's request; None = it cannot be sent, and why is written.

        Raises:
            EasyLLMError: nothing can be sent.
        """
        try:
            return await format_request(
                self._api, self._asker.begin(row), row, self._submissions.run_id
            )
        except EasyLLMError as error:
            if meets_every_row(row, error):
                raise
            self._writer.release(reserved)
            self._writer.write_error(row, error)
            return None

    async def _create(self, requests: BatchRequests, usd: float) -> bool:
        """Create a batch, unless it is empty. Raises EasyLLMError."""
        if not requests.rows:
            return False
        submission = self._submissions.begin(
            requests.rows, requests.sha256(), usd if self._budget else None, self._is_retry
        )
        await self._creator.create(submission, requests.lines)
        self._say(f"{submission.count:,} rows were submitted to the provider as {submission.id}")
        return True

    async def _poll(self, submission: Submission) -> None:
        """Poll a batch, and collect its results if it has ended. Transient failures are waited out.

        Raises:
            EasyLLMError: the batch failed, or nothing could be learnt for a long time.
        """
        try:
            if submission.id is None:  # it was taken for another
                await self._find(submission)
                if submission.is_over:
                    self._rows.append(self._collector.rows_of(submission))
                return
            state = await self._api.poll(submission.id)
            if state.state == FAILED:
                self._handle_failure(submission, state)
            elif state.state == ENDED:
                await self._collect(submission, state)
            self._failing_since = None
        except EasyLLMError as error:
            now = time.monotonic()
            self._failing_since = self._failing_since or now
            is_known = submission.is_over or isinstance(error, STOPPING_ERRORS)
            if isinstance(error, NotFoundError) and not submission.is_over:
                error.hint = (
                    f"use the key that {submission.id} was created with; if it was deleted, remove "
                    f"{self._submissions.path}, and its rows are submitted again"
                )
            if is_known or not is_passing(error):
                raise
            if now - self._failing_since > self._delays.patience:
                raise

    async def _collect(self, submission: Submission, state: BatchState) -> None:
        again = await self._collector.collect(submission, state)
        if again:
            self._rows.append(self._collector.rows_at(again))

    def _handle_failure(self, submission: Submission, state: BatchState) -> None:
        """A batch failed as a whole: ask again later if the provider's queue was full.

        Raises:
            EasyLLMError: the reason is another one.
        """
        assert state.error is not None
        self._submissions.over(submission, state.error.kind, processed=False)
        self._writer.release(submission.usd)
        is_alone = not self._submissions.open()
        if not state.error.retryable or (is_alone and submission.count == 1):
            raise state.error
        if is_alone:  # it will never fit: smaller ones may
            self._max_rows = max(1, submission.count // 2)
        self._say(f"{state.error.message}: its rows are asked again later")
        self._wait_until = time.monotonic() + self._delays.longest
        self._rows.append(self._collector.rows_of(submission))
