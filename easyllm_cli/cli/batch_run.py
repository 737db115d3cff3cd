"""Runs a batch: opens its files, asks, obeys Ctrl-C, and reports how it ended."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from ..batch.asking import RowAsker
from ..batch.engine import BatchRun
from ..batch.input_file import InputFile
from ..batch.output_file import OutputFile
from ..batch.output_rows import parse_line
from ..batch.pacing import Pacing
from ..batch.progress import Progress
from ..batch.row_selection import pending_rows
from ..batch.rows import RowReader
from ..batch.run_budget import RunBudget
from ..errors import EasyLLMError, FirstTokenTimeout, Interrupted, SomeFailedError, UsageError
from ..pipeline.acceptance import check_acceptable
from ..secret import redact
from . import collect_garbage_again
from .batch_display import BatchDisplay
from .batch_history import keep_batch
from .batch_request import BatchRequest, ResolvedBatch, resolve_batch
from .cost import refresh_price_table
from .results import CommandResult, print_result, usage_object
from .termination import termination_signals

if TYPE_CHECKING:
    from ..choices import Choices
    from ..completion import Completion
    from ..json_schema import Schema
    from ..recordings import Recordings

REPEATED_SIGNAL_SECONDS = 0.2  # timeout(1) sends a signal twice; nobody presses Ctrl-C so fast


def run_batch(request: BatchRequest) -> int:
    """Ask the rows, and return the exit code.

    Raises:
        EasyLLMError: an error found before anything is sent.
    """
    resolved = resolve_batch(request)
    source = InputFile(request.input)
    reader = RowReader(resolved.profile.model, request.batch.template, source.holds_json())
    if request.batch.dry_run:
        from .batch_dry_run import print_batch_estimate

        return print_batch_estimate(source, reader, resolved, request)
    refresh_price_table(request.common.quiet)
    header = request.header(source, resolved.profile, resolved.selection.shard)
    output = OutputFile(request.output, header, parse_line)
    try:
        return CommandRun(request, resolved, source, reader, output).run()
    finally:
        output.close()


class Engine(Protocol):
    """What has the rows answered: one request a row (BatchRun), or a provider's batch API."""

    @property
    def in_flight(self) -> int: ...
    async def run(self) -> None: ...
    def stop(self, error: BaseException) -> None: ...
    def abort(self, error: BaseException) -> None: ...


class CommandRun:
    """One run of the command over an open output."""

    def __init__(
        self,
        request: BatchRequest,
        resolved: ResolvedBatch,
        source: InputFile,
        reader: RowReader,
        output: OutputFile,
    ) -> None:
        self.request = request
        self.resolved = resolved
        self.source = source
        self.reader = reader
        self.output = output
        self.profiles = [resolved.profile, *resolved.fallbacks]
        options = request.batch
        self.progress = Progress(output.statuses)
        self.display = BatchDisplay(
            self.progress, jsonl=options.jsonl, quiet=request.common.quiet,
            max_cost=options.max_cost,
        )  # fmt: skip
        self.asker = RowAsker(
            resolved.profile, resolved.fallbacks, accept_answer, resolved.answer_format,
            None if request.is_via_api else _recordings(options.cache),
        )  # fmt: skip
        if request.is_via_api:
            from .batch_api_engine import make_api_engine

            self.engine: Engine = make_api_engine(
                request, resolved, source, reader, output, self.asker, self.progress,
                make_budget=self.make_budget, say=self.display.note,
            )  # fmt: skip
        else:
            self.engine = self._make_live_engine()
        self.display.in_flight = lambda: self.engine.in_flight

    def _make_live_engine(self) -> BatchRun:
        options, profile = self.request.batch, self.resolved.profile
        backoff = profile.initial_retry_delay, profile.max_retry_delay
        return BatchRun(
            pending_rows(self.source, self.reader, self.output, self.resolved.selection),
            self.asker, self.output, Pacing(self.resolved.concurrency, backoff, self.progress),
            self.progress, form=self.request.form, budget=self.make_budget(1.0),
            max_errors=options.max_errors,
        )  # fmt: skip

    def make_budget(self, price_factor: float) -> RunBudget | None:
        """What the rows may cost; None = anything. Raises ConfigError if no price is known."""
        limit = self.request.batch.max_cost
        if limit is None:
            return None
        return RunBudget(limit, sum_costs(self.request.output), self.profiles, price_factor)

    def run(self) -> int:
        """Ask the rows, report the end, and return the exit code."""
        self.display.write_event(
            "start", input=str(self.request.input), output=str(self.request.output),
            skipped=self.progress.skipped, profile=self.resolved.profile.name,
            model=self.resolved.profile.model,
        )  # fmt: skip
        collect_garbage_again()
        error: EasyLLMError | None = None
        try:
            asyncio.Runner().run(self._ask())
            error = self._error_of_rows()
        except EasyLLMError as failure:
            error = failure
        except KeyboardInterrupt:  # before the engine listens, or while it ends
            error = Interrupted("interrupted")
        self.display.end()
        if error is not None:
            self._add_resume_hint(error)
        keep_batch(self.progress, self.profiles, error, self.request.common.quiet)
        return print_result(
            CommandResult(error=error, listing=self._listing(error)),
            json=self.request.common.json, jsonl=self.request.batch.jsonl,
            debug=self.request.common.debug,
        )  # fmt: skip

    async def _ask(self) -> None:
        tasks = [asyncio.create_task(self.display.run())]
        tasks.append(asyncio.create_task(self._count_rows()))
        try:
            with self._stopped_by_signals():
                await self.engine.run()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(EasyLLMError):
                await self.asker.aclose()

    async def _count_rows(self) -> None:
        """Count the rows of the input meanwhile, for the percentage and the time left."""
        selection = self.resolved.selection
        if selection.is_retry:
            return
        total = self.output.statuses.total
        if total is None:
            has_ended = Event()  # the end of the command waits for the thread
            try:
                with suppress(EasyLLMError):  # whoever reads the rows reports it
                    total = await asyncio.to_thread(
                        self.source.count_lines, lambda: not has_ended.is_set()
                    )
            finally:
                has_ended.set()
        if total is not None:
            self.progress.total = selection.count(total)

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Ctrl-C, SIGTERM and --timeout stop the run; a second signal ends it at once."""
        loop, first_at = asyncio.get_running_loop(), 0.0

        def stop(number: signal.Signals) -> None:
            nonlocal first_at
            error = Interrupted("interrupted")
            if number != signal.SIGINT:
                error = Interrupted("terminated")
                error.exit_code = 143
            if not first_at:
                first_at = time.monotonic()
                self.engine.stop(error)
                count = self.engine.in_flight
                if count and isinstance(self.engine, BatchRun):
                    sent = (
                        f"{count} {'request that was' if count == 1 else 'requests that were'} sent"
                    )
                    self.display.note(f"waiting for {sent}; press Ctrl-C to stop at once")
            elif time.monotonic() - first_at > REPEATED_SIGNAL_SECONDS:
                self.engine.abort(error)

        numbers = [signal.SIGINT, *termination_signals()]
        numbers = [each for each in numbers if signal.getsignal(each) != signal.SIG_IGN]
        for number in numbers:
            loop.add_signal_handler(number, stop, number)
        timeout = self.request.common.timeout
        if timeout is not None:
            message = f"the batch took longer than --timeout {timeout:g} s"
            loop.call_later(timeout, self.engine.abort, FirstTokenTimeout(message, hint=""))
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _error_of_rows(self) -> EasyLLMError | None:
        """The error of a run that asked all its rows; None = all of them are good."""
        statuses = self.output.statuses
        if statuses.failed:
            rows = f"{statuses.failed:,} of {statuses.done:,} rows"
            return SomeFailedError(f"{rows} failed", where=str(self.request.output))
        total = statuses.total
        is_retry = self.resolved.selection.is_retry
        if is_retry and (total is None or statuses.done < self._count_selected(total)):
            return SomeFailedError(
                "some rows were never asked", where=str(self.request.input),
                hint="batch retry asks only rows that failed; use the options of the first run",
            )  # fmt: skip
        return None

    def _count_selected(self, total: int) -> int:
        """How many rows the batch is about; in a retry those of --limit, unless more were asked."""
        selection = self.resolved.selection
        if selection.is_retry:
            count = selection.__replace__(limit=self.request.batch.limit).count(total)
            return count if self.output.statuses.done <= count else selection.count(total)
        return selection.count(total)

    def _add_resume_hint(self, error: EasyLLMError) -> None:
        resume = self._resume_command(error)
        if resume is not None and resume not in error.hint:
            then = f"go on with: {resume}"
            if isinstance(error, SomeFailedError) and not error.hint:
                then = f"ask them again with: {resume}"
            error.hint = f"{error.hint}; {then}" if error.hint else then

    def _resume_command(self, error: EasyLLMError | None) -> str | None:
        """The command that goes on; None = everything is done."""
        if error is None:
            return None
        from shlex import join

        if isinstance(error, SomeFailedError) and error.where == str(self.request.input):
            return join(["easyllm", "batch", error.where, str(self.request.output)])
        if isinstance(error, SomeFailedError) and error.where == str(self.request.output):
            everything = [] if self.output.statuses.retryable else ["--all"]
            return join(["easyllm", "batch", "retry", error.where, *everything])
        return redact(self.request.command)

    def _listing(self, error: EasyLLMError | None) -> dict[str, Any]:
        """The own keys of the --json object."""
        progress, statuses = self.progress, self.output.statuses
        total = statuses.total
        return {
            "rows": progress.total if total is None else self._count_selected(total),
            "done": statuses.good,
            "failed": statuses.failed,
            "skipped": progress.skipped,
            "usage": usage_object(progress.usage),
            "cost_usd": progress.cost_usd,
            "seconds": round(progress.seconds, 3),
            "errors": dict(progress.errors),
            "resume": self._resume_command(error),
        }


def accept_answer(answer: Completion, limited: bool, answer_format: Schema | Choices | None) -> str:
    """Accept or reject the answer of a row, as `chat` does."""
    return check_acceptable(answer, limited, "auto", answer_format)


def sum_costs(output: Path) -> float:
    """The US dollars that the rows of an output cost so far; unknown ones count as 0."""
    total = 0.0
    try:
        with output.open("rb") as file:
            for line in file:
                cost = json.loads(line).get("cost_usd")
                total += cost if isinstance(cost, int | float) else 0.0
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError):
        raise UsageError("the output cannot be read for --max-cost", where=str(output)) from None
    return total


def _recordings(cache: str | None) -> Recordings | None:
    """The answer cache, and what EASYLLM_RECORD and EASYLLM_REPLAY name; None = nothing is kept."""
    from .answer_recordings import resolve_cache_options
    from .options.cache import CacheOptions

    kept = resolve_cache_options(CacheOptions(cache=cache, record=None, replay=None))
    if (kept.cache, kept.record, kept.replay) == (None, None, None):
        return None
    from ..recordings import Recordings

    return Recordings(kept.cache, kept.record, kept.replay)
