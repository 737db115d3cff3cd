"""`easyllm batch --dry-run`: says what a batch would ask, cost and take; sends nothing."""

from __future__ import annotations

from ..batch.dry_run import BatchEstimate, estimate_batch
from ..batch.input_file import InputFile
from ..batch.rows import RowReader
from ..config.profile import Profile
from ..errors import SomeFailedError
from ..render.batch_progress import format_amount, format_clock
from ..render.output import OutputStream, print_notice
from .batch_request import BatchRequest, ResolvedBatch
from .cost import refresh_price_table
from .results import CommandResult, print_result


def print_batch_estimate(
    source: InputFile, reader: RowReader, resolved: ResolvedBatch, request: BatchRequest
) -> int:
    """Print the numbers, and return the exit code: 9 if a row is bad."""
    common = request.common
    refresh_price_table(common.quiet)
    profiles = [resolved.profile, *resolved.fallbacks]
    estimate = estimate_batch(source, reader, resolved.selection, profiles)
    for line in estimate.errors if not common.quiet else ():
        print_notice(f"easyllm: {line}")
    error = None
    if estimate.bad_rows:
        rows = f"{estimate.bad_rows:,} of {estimate.rows:,} rows"
        error = SomeFailedError(f"{rows} cannot be asked", where=str(request.input))
    batch_cost = _find_batch_cost(estimate, resolved.profile)
    if not common.json and not request.batch.jsonl:
        lines = _lines(estimate, batch_cost)
        OutputStream(1, terminal=False).write("".join(f"{line}\n" for line in lines))
    listing = {
        **vars(estimate), "errors": [*estimate.errors], "batch_cost_usd": batch_cost,
    }  # fmt: skip
    return print_result(
        CommandResult(error=error, listing=listing),
        json=common.json, jsonl=request.batch.jsonl, debug=common.debug,
    )  # fmt: skip


def _find_batch_cost(estimate: BatchEstimate, profile: Profile) -> float | None:
    """What the rows cost with --via api; None = unknown, or the provider has no batch API."""
    from ..providers import provider_for
    from ..providers.batch_apis import known_price_factor

    factor = known_price_factor(provider_for(profile))
    return None if factor is None or estimate.cost_usd is None else estimate.cost_usd * factor


def _lines(estimate: BatchEstimate, batch_cost: float | None) -> list[str]:
    cost, seconds = estimate.cost_usd, estimate.seconds
    return [
        f"rows           {estimate.rows:,}",
        f"bad rows       {estimate.bad_rows:,}",
        f"prompt tokens  about {estimate.prompt_tokens:,}",
        f"answer tokens  about {estimate.answer_tokens:,}",
        f"cost           {'unknown' if cost is None else f'about {format_amount(cost)}'}",
        *(
            [f"batch cost     about {format_amount(batch_cost)}, with --via api"]
            if batch_cost
            else []
        ),
        f"time           {_describe_time(seconds)}",
    ]


def _describe_time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown: the profile sets neither rpm nor tpm"
    return f"at least {format_clock(seconds)}, by the profile's rpm and tpm"
