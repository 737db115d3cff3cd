"""Merges the outputs of shards, or one output, into one file in the order of the input."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError, UsageError
from ..private_file import open_private
from .output_rows import parse_line
from .state import GOOD, NOT_DONE, RowStatuses, StateReader, state_path
from .submissions import submissions_path

MAX_SHOWN_RANGES = 10
NOT_DECIDING = {"shard", "--via"}  # settings of a batch that do not change an answer


class MergeResult:
    """What was written: rows that are good, that failed, and ranges of rows that are missing.

    `is_total_known`: whether an output says how many rows the input has; else rows may be missing
    behind the last one.
    """

    def __init__(self) -> None:
        self.good = self.failed = 0
        self.is_total_known = False
        self.missing: list[tuple[int, int]] = []  # first and last row

    @property
    def rows(self) -> int:
        return self.good + self.failed

    @property
    def missing_count(self) -> int:
        return sum(last - first + 1 for first, last in self.missing)

    def describe_missing(self) -> str:
        """`0-4, 7 and more`."""
        shown = [
            str(first) if first == last else f"{first}-{last}"
            for first, last in self.missing[:MAX_SHOWN_RANGES]
        ]
        return ", ".join(shown) + " and more" * (len(self.missing) > MAX_SHOWN_RANGES)


class _Part:
    """One output with the newest line of each of its rows."""

    def __init__(self, path: Path) -> None:
        self.reader = StateReader(path)
        self.statuses: RowStatuses
        self.starts: array[int]
        self.statuses, self.starts = self.reader.offsets()
        try:
            self.file: BinaryIO = path.open("rb")
        except OSError as error:
            raise UsageError(
                f"cannot read the output: {error.strerror}", where=str(path), hint="check the path"
            ) from None
        if os.fstat(self.file.fileno()).st_size < self.statuses.end:
            self.file.close()
            raise UsageError(
                "the output is shorter than its state says", where=str(path),
                hint="run its batch again, which repairs it",
            )  # fmt: skip

    def read_line(self, row: int) -> bytes:
        """The newest line of a row. Raises UsageError if another or a torn line is there."""
        self.file.seek(self.starts[row])
        line = self.file.readline()
        try:
            is_whole = line.endswith(b"\n")
            if is_whole and parse_line(line) == (row, self.statuses.get(row)):
                return line
        except ValueError:
            pass
        raise UsageError(
            f"the line of row {row} is not where it was written",
            where=self.file.name,
            hint="the output was changed by something else; begin anew",
        )


def merge_outputs(outputs: Sequence[Path], merged: Path) -> MergeResult:
    """Write each row once, in the order of the input; a good line comes before a failed one.

    Memory: 9 bytes a row for each output. A file that exists is replaced when all is written.
    Raises:
        UsageError: an output cannot be read, or they are not of one batch.
        OutputError: the merged file cannot be written.
    """
    with ExitStack() as stack:
        parts = []
        for path in outputs:
            parts.append(_Part(path))
            stack.callback(parts[-1].file.close)
        _require_one_batch(outputs, parts)
        _require_replaceable(merged, outputs, parts[0].reader.header.input_path)
        return _write_merged(parts, merged)


def _require_replaceable(merged: Path, outputs: Sequence[Path], input_path: str) -> None:
    """Raise UsageError if the merged file would replace the input, or files of a batch."""
    if not merged.exists():
        return
    states = [name(path) for path in outputs for name in (state_path, submissions_path)]
    kept = (*outputs, *states, Path(input_path))
    if any(path.exists() and path.samefile(merged) for path in kept):
        what = "belongs to the outputs, or is their input"
    elif state_path(merged).exists():
        what = "is the output of a batch"
    else:
        return
    raise UsageError(
        f"the file to write {what}", where=str(merged), hint="name a new file, after the outputs"
    )


def _write_merged(parts: Sequence[_Part], merged: Path) -> MergeResult:
    """Write the merged file. Raises OutputError; the file that was there before stays then."""
    new_path = merged.with_name(f".{merged.name}.new")
    try:
        new_path.unlink(missing_ok=True)
        descriptor = open_private(new_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with open(descriptor, "wb") as file:
            result = _write_rows(parts, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new_path, merged)
    except OSError as error:
        new_path.unlink(missing_ok=True)
        raise OutputError.from_os_error("cannot be written", error, str(merged)) from None
    except BaseException:
        new_path.unlink(missing_ok=True)
        raise
    return result


def _require_one_batch(outputs: Sequence[Path], parts: Sequence[_Part]) -> None:
    """Raise UsageError if the outputs are of different inputs, or of settings that decide."""
    first = parts[0].reader.header
    for path, part in zip(outputs[1:], parts[1:], strict=True):
        header = part.reader.header
        if header.input != first.input:
            raise UsageError(
                f"{path} is of another input than {outputs[0]}", hint="merge shards of one input"
            )
        names = ({**first.settings, **header.settings}).keys() - NOT_DECIDING
        changed = [
            name for name in sorted(names) if header.settings.get(name) != first.settings.get(name)
        ]
        if changed:
            raise UsageError(
                f"{path} was made with another {' and '.join(changed)} than {outputs[0]}",
                hint="merge shards of one batch",
            )


def _write_rows(parts: Sequence[_Part], file: BinaryIO) -> MergeResult:
    result = MergeResult()
    totals = [part.statuses.total for part in parts if part.statuses.total is not None]
    result.is_total_known = bool(totals)
    total = max([*totals, *(len(part.starts) for part in parts)])
    for row, part in _choose_parts(parts, total):
        if part is None:
            if result.missing and result.missing[-1][1] == row - 1:
                result.missing[-1] = (result.missing[-1][0], row)
            else:
                result.missing.append((row, row))
            continue
        file.write(part.read_line(row))
        is_good = part.statuses.get(row) == GOOD
        result.good += is_good
        result.failed += not is_good
    return result


def _choose_parts(parts: Sequence[_Part], total: int) -> Iterator[tuple[int, _Part | None]]:
    """For each row the output that its line is taken from; None = no output has it."""
    for row in range(total):
        chosen: _Part | None = None
        for part in parts:
            status = part.statuses.get(row)
            if status == GOOD or (status != NOT_DONE and chosen is None):
                chosen = part
                if status == GOOD:
                    break
        yield row, chosen
