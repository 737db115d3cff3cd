"""What can be done with the output of a batch: status, retry, merge and cancel."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ..batch.merge import MergeResult, merge_outputs
from ..batch.row_selection import RETRY_FAILED, RowSelection
from ..batch.state import RETRYABLE, StateReader, has_state_open, running_process
from ..errors import ConfigError, EasyLLMError, OutputError, SomeFailedError, UsageError
from ..render.output import OutputStream, print_notice
from .batch_request import find_output, is_via_api, request_from_arguments
from .options.common import CommonOptions
from .results import CommandResult, print_result


def print_batch_status(name: str, json: bool) -> int:
    """Print how far the batch is, and with --via api what the provider says.

    Raises:
        UsageError: there is no batch with this output.
        EasyLLMError: the profile of a batch with --via api cannot be read.
    """
    output = find_output(name)
    reader = StateReader(output)
    statuses, process = reader.statuses(), running_process(output)
    total = statuses.total
    batches: list[dict[str, Any]] = []
    error: EasyLLMError | None = None
    if is_via_api(reader.header):
        from .provider_batch_files import read_batches

        batches, error = read_batches(reader.header, output)
    if json:
        listing = {
            "rows": total, "done": statuses.good, "failed": statuses.failed,
            "retryable": statuses.retryable, "running": process,
            "input": reader.header.input_path, "batches": batches,
        }  # fmt: skip
        result = CommandResult(error=error, listing=listing)
        return print_result(result, json=True, jsonl=False, debug=False)
    lines = [
        f"input    {reader.header.input_path}",
        f"rows     {'not all read yet' if total is None else f'{total:,}'}",
        f"good     {statuses.good:,}",
        f"failed   {statuses.failed:,} (batch retry asks {statuses.retryable:,} of them again)",
        f"process  {'none' if process is None else process}",
        *(f"batch    {_describe_batch(batch)}" for batch in batches),
    ]
    OutputStream(1, terminal=False).write("".join(f"{line}\n" for line in lines))
    return print_result(CommandResult(error=error), json=False, jsonl=False, debug=False)


def _describe_batch(batch: dict[str, Any]) -> str:
    if batch["id"] is None:
        return f"{batch['rows']:,} rows: its id is not known yet; run the batch again"
    counts = f", {batch['good']:,} good" if batch["good"] is not None else ""
    counts += f", {batch['failed']:,} failed" if batch["failed"] else ""
    return f"{batch['id']}: {batch['status'] or 'unknown'}, {batch['rows']:,} rows{counts}"


def retry_batch(name: str, common: CommonOptions, *, everything: bool, jsonl: bool) -> int:
    """Ask again for rows that failed. Raises as `run_batch`."""
    from .batch_run import run_batch

    output = find_output(name)
    header = StateReader(output).header
    selection = RowSelection(statuses=RETRY_FAILED if everything else (RETRYABLE,))
    request = request_from_arguments(header, output, common, selection)
    request.batch.jsonl = jsonl
    return run_batch(request)


def merge_batch(names: list[str], json: bool) -> int:
    """Merge outputs into the file that is named last.

    Raises:
        UsageError: fewer than two names, or outputs that are not of one batch.
        OutputError: the file cannot be written.
    """
    *outputs, merged = [find_output(name) for name in names]
    if not outputs:
        raise UsageError("name the outputs, and then the file to write", hint="merge OUT MERGED")
    result = merge_outputs(outputs, merged)
    error = _error_of_merge(result, merged)
    print_notice(f"easyllm: {result.rows:,} rows are in {merged}")
    listing = {
        "rows": result.rows, "done": result.good, "failed": result.failed,
        "missing": [[*each] for each in result.missing],
    }  # fmt: skip
    return print_result(
        CommandResult(error=error, listing=listing), json=json, jsonl=False, debug=False
    )


def _error_of_merge(result: MergeResult, merged: Path) -> EasyLLMError | None:
    """The error if rows are missing or failed; None = each row is there and good."""
    if result.missing:
        return SomeFailedError(
            f"{result.missing_count:,} rows are missing: {result.describe_missing()}",
            where=str(merged), hint="run the batch of each shard to its end, and merge again",
        )  # fmt: skip
    if not result.is_total_known:
        return SomeFailedError(
            "no output was finished, so rows may be missing at the end", where=str(merged),
            hint="run the batch to its end, and merge again",
        )  # fmt: skip
    if result.failed:
        return SomeFailedError(
            f"{result.failed:,} of {result.rows:,} rows failed", where=str(merged),
            hint="ask them again with: easyllm batch retry OUT",
        )  # fmt: skip
    return None


def _note_cancelled(batch_id: str) -> None:
    print_notice(f"easyllm: {batch_id} is cancelled; run the batch again for what it has done")


def cancel_batch(name: str, json: bool) -> int:
    """Send SIGTERM to the process that works on the output, and cancel the provider's batches.

    Raises:
        ConfigError: there is neither. OutputError: the process cannot be stopped.
        EasyLLMError: the provider does not cancel its batches.
    """
    output = find_output(name)
    process, header = running_process(output), StateReader(output).header
    if process is not None:
        if not has_state_open(process, output):
            raise OutputError(
                f"process {process}, which works on this output, is not on this machine",
                where=str(output), hint="cancel it there",
            )  # fmt: skip
        try:
            os.kill(process, signal.SIGTERM)
        except OSError as error:
            raise OutputError.from_os_error(f"process {process} cannot be stopped", error) from None
        print_notice(f"easyllm: process {process} was told to stop; it waits for what was sent")
    batches: list[str] = []
    if is_via_api(header):
        from .provider_batch_files import cancel_batches

        batches = cancel_batches(header, output, _note_cancelled)
    if process is None and not batches:
        raise ConfigError("no process works on this output", where=str(output), hint="")
    return print_result(
        CommandResult(listing={"process": process, "batches": batches}),
        json=json, jsonl=False, debug=False,
    )  # fmt: skip
