"""Collects the results of a provider's batch, and writes the rows that have ended."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from ..errors import (
    EasyLLMError,
    IncompleteAnswer,
    MalformedAnswer,
    SomeFailedError,
)
from ..events import Usage
from ..providers.batch_api import ANSWERED, CANCELLED, EXPIRED, BatchAPI, BatchResult, BatchState
from .asking import RowAsker
from .batch_requests import parse_custom_id
from .batch_results import ResultStore, judge_result
from .input_file import InputFile
from .output_file import OutputFile
from .output_rows import RowResult, format_row
from .progress import Progress
from .row_selection import rows_at
from .rows import Row, RowReader
from .run_budget import RunBudget
from .state import GOOD, NOT_DONE
from .submissions import Submission, SubmissionFile

MAX_TIMES_SENT = 3  # a row that expires so often has failed
MAX_LOOKS = 3  # at results that lack rows: the download may have been cut


class RowWriter:
    """Writes rows that have ended, and counts them. `form`: of the output."""

    def __init__(
        self,
        output: OutputFile,
        progress: Progress,
        form: str,
        budget: RunBudget | None,
        max_errors: int | None,
    ) -> None:
        self._output = output
        self._progress = progress
        self._form = form
        self._budget = budget
        self._max_errors = max_errors

    def write(self, row: Row, result: RowResult) -> None:
        """Raises OutputError."""
        self._output.append(format_row(row, result, self._form), row.index, result.status)
        self._progress.add(row, result)

    def write_error(self, row: Row, error: EasyLLMError) -> None:
        """Write a row that was not sent. Raises OutputError."""
        self.write(row, RowResult(error=error))

    def is_stored(self, row: int, submission: Submission) -> bool:
        """Whether the result of a row was written by an earlier run."""
        status = self._output.statuses.get(row)
        return status == GOOD or (status != NOT_DONE and not submission.is_retry)

    def settle(self, reserved: float, result: RowResult) -> None:
        """Replace what was reserved for a row by what it did cost."""
        if self._budget is not None:
            cost = result.cost_usd
            if cost is None and result.error is not None and result.completion is None:
                cost = 0.0
            self._budget.settle(reserved, cost, result.usage)

    def release(self, reserved: float | None) -> None:
        """Give back what was reserved and not spent."""
        if self._budget is not None and reserved:
            self._budget.settle(reserved, 0.0, Usage())

    def require_few_errors(self) -> None:
        """Raise SomeFailedError if more rows have failed than --max-errors allows."""
        if self._max_errors is not None and self._progress.failed > self._max_errors:
            raise SomeFailedError(
                f"{self._progress.failed} rows failed", where="--max-errors",
                hint="look at the errors in the output",
            )  # fmt: skip

    def sync(self) -> None:
        """Wait until everything is on the disk. Raises OutputError."""
        self._output.sync()


class BatchCollector:
    """Takes the results of batches, judges them like answers, and has them written.

    `price_factor`: the price of a row, as a part of the usual one.
    """

    def __init__(
        self,
        source: InputFile,
        reader: RowReader,
        asker: RowAsker,
        api: BatchAPI,
        submissions: SubmissionFile,
        writer: RowWriter,
        price_factor: float,
    ) -> None:
        self._source = source
        self._reader = reader
        self._asker = asker
        self._api = api
        self._submissions = submissions
        self._writer = writer
        self._price_factor = price_factor
        self._looks: dict[str, int] = {}  # by name of a submission

    def rows_of(self, submission: Submission) -> Iterator[Row]:
        """The rows of a batch. Raises UsageError if the input cannot be read."""
        return rows_at(self._source, self._reader, submission.has)

    def rows_at(self, rows: Collection[int]) -> Iterator[Row]:
        """The rows at these places of the input. Raises as `rows_of`."""
        return rows_at(self._source, self._reader, rows.__contains__)

    async def collect(self, submission: Submission, state: BatchState) -> set[int]:
        """Write the results of a batch that has ended; returns the rows to submit again.

        Raises:
            EasyLLMError: the results could not be read, and none was written; or the batch was
                cancelled, or too many rows failed.
        """
        with ResultStore(self._submissions.path.parent) as results:
            if not await self._read(submission, state, results):
                self._submissions.foreign(submission, state.id)
                return set()
            has_all = _has_all(submission, state, results)
            looks = self._looks[submission.name] = self._looks.get(submission.name, 0) + 1
            if not has_all and looks < MAX_LOOKS:
                return set()  # look again: what is missing would be paid for twice
            unanswered = state.unanswered if has_all else ""
            again, cancelled = await self._write_rows(submission, unanswered, results)
        self._writer.sync()
        self._submissions.over(submission, state.word, processed=True)
        if cancelled:
            raise SomeFailedError(
                f"{cancelled:,} of the {submission.count:,} rows of {state.id} were cancelled",
                hint="they were not asked",
            )
        self._writer.require_few_errors()
        return again

    async def _read(self, submission: Submission, state: BatchState, results: ResultStore) -> bool:
        """Read all results; returns False if they are those of another process's batch.

        A single result that is nobody's proves nothing: to submit the rows again would
        pay for them twice. Its row has no result then.
        """
        has_ours = has_others = False
        async for received in self._api.results(state):
            row = parse_custom_id(received.custom_id, self._submissions.run_id)
            if row is None or not submission.has(row):
                has_others = True
                continue
            has_ours = True
            results.add(row, received)
        return has_ours or not has_others or not submission.is_guess

    async def _write_rows(
        self, submission: Submission, unanswered: str, results: ResultStore
    ) -> tuple[set[int], int]:
        """Write each row that has ended; returns those to submit again, and how many were
        cancelled.

        `unanswered`: why a row may have no result, as BatchState has it.
        """
        again: set[int] = set()
        cancelled = 0
        reserved = (submission.usd or 0.0) / submission.count
        for row in self.rows_of(submission):
            if self._writer.is_stored(row.index, submission):
                self._writer.release(reserved)
                continue
            row.attempts = self._submissions.times_sent(row.index)
            received = results.get(row.index)
            kind = received.kind if received else unanswered
            if kind == CANCELLED:
                cancelled += 1
                self._writer.release(reserved)
            elif kind == EXPIRED and row.attempts + 1 < MAX_TIMES_SENT:
                again.add(row.index)
                self._writer.release(reserved)
            else:
                result = await self._judge(row, received, kind, submission)
                self._writer.settle(reserved, result)
                self._writer.write(row, result)
        return again, cancelled

    async def _judge(
        self, row: Row, received: BatchResult | None, kind: str, submission: Submission
    ) -> RowResult:
        if received is not None and kind == ANSWERED:
            result = await judge_result(self._asker, row, received, self._price_factor)
        else:
            error = (
                IncompleteAnswer(f"the row has expired {MAX_TIMES_SENT} times", retryable=True)
                if kind == EXPIRED
                else MalformedAnswer("the provider's batch has no result for the row")
            )
            error.retryable = True
            result = RowResult(error=error, attempts=row.attempts + 1)
        return result.__replace__(ms=round((time.time() - submission.at) * 1000))


def _has_all(submission: Submission, state: BatchState, results: ResultStore) -> bool:
    """Whether the results are all that the batch has."""
    if state.unanswered:
        return results.answered >= (state.good or 0)
    return all(row in results for row in submission.rows())
