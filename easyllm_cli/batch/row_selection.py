"""Which rows of the input a run asks: a shard, the first ones, those not done, or failed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..frozen_dataclass import FrozenDataclass
from .input_file import InputFile
from .output_file import OutputFile
from .rows import Row, RowReader
from .state import FAILED, NOT_DONE, RETRYABLE

RETRY_FAILED = (RETRYABLE, FAILED)


class RowSelection(FrozenDataclass):
    """The rows to ask.

    `statuses`: the rows whose status is one of these, as it is when the run begins. `shard`: every
    `shard[1]`-th row from row `shard[0]` on. `limit`: only the first rows of the input; None = all.
    """

    statuses: tuple[int, ...] = (NOT_DONE,)
    shard: tuple[int, int] = (0, 1)
    limit: int | None = None

    @property
    def is_retry(self) -> bool:
        """Whether these are rows that were asked before."""
        return NOT_DONE not in self.statuses

    def has(self, index: int) -> bool:
        """Whether a row is one of the shard, and of the first ones."""
        number, count = self.shard
        is_first = self.limit is None or index < self.limit
        return is_first and index % count == number

    def count(self, total: int) -> int:
        """How many rows of an input with `total` rows there are in the shard and the limit."""
        number, count = self.shard
        first = total if self.limit is None else min(total, self.limit)
        return len(range(number, first, count))


def pending_rows(
    source: InputFile,
    reader: RowReader,
    output: OutputFile,
    selection: RowSelection,
    is_left_out: Callable[[int], bool] = lambda _: False,
) -> Iterator[Row]:
    """The rows to ask, in the order of the input; at its end the output notes how many there are.

    `is_left_out`: whether a row is not asked now.
    Raises:
        UsageError: the input cannot be read. OutputError: the state cannot be written.
    """
    index = -1
    for index, line in enumerate(source.lines()):
        if selection.limit is not None and index >= selection.limit:
            return
        is_pending = output.statuses.get(index) in selection.statuses
        if selection.has(index) and is_pending and not is_left_out(index):
            yield reader.read(index, line)
    output.mark_all_read(index + 1)


def rows_at(
    source: InputFile, reader: RowReader, is_wanted: Callable[[int], bool]
) -> Iterator[Row]:
    """The rows at these places of the input. Raises UsageError if it cannot be read."""
    for index, line in enumerate(source.lines()):
        if is_wanted(index):
            yield reader.read(index, line)
