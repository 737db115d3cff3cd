"""Makes the engine of `batch --via api`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..batch.asking import RowAsker
from ..batch.batch_collection import BatchCollector, RowWriter
from ..batch.input_file import InputFile
from ..batch.output_file import OutputFile
from ..batch.progress import Progress
from ..batch.provider_batches import ProviderBatches
from ..batch.row_selection import pending_rows
from ..batch.rows import Row, RowReader
from ..batch.run_budget import RunBudget
from ..batch.submissions import SubmissionFile
from ..providers import provider_for
from ..providers.batch_apis import batch_api_for, known_price_factor
from .batch_request import BatchRequest, ResolvedBatch


def make_api_engine(
    request: BatchRequest,
    resolved: ResolvedBatch,
    source: InputFile,
    reader: RowReader,
    output: OutputFile,
    asker: RowAsker,
    progress: Progress,
    *,
    make_budget: Callable[[float], RunBudget | None],
    say: Callable[[str], object],
) -> ProviderBatches:
    """The engine of a run. `make_budget`: gets the price of a row, as a part of the usual one.

    Raises:
        EasyLLMError: the list of batches cannot be used, or no price is known for --max-cost.
    """
    provider = provider_for(resolved.profile)
    api, factor = batch_api_for(provider), known_price_factor(provider) or 1.0
    budget = make_budget(factor)
    writer = RowWriter(output, progress, request.form, budget, request.batch.max_errors)
    submissions = SubmissionFile(output.path, output.header.created_at)

    def find_rows(is_left_out: Callable[[int], bool]) -> Iterator[Row]:
        return pending_rows(source, reader, output, resolved.selection, is_left_out)

    return ProviderBatches(
        find_rows, asker, api, submissions, writer,
        BatchCollector(source, reader, asker, api, submissions, writer, factor),
        budget=budget, say=say,
        is_retry=resolved.selection.is_retry,
    )  # fmt: skip
