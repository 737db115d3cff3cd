"""The batches that were submitted to a provider: a private file of JSON lines beside the output.

Each line is on the disk before what it announces is done: first that a batch is going to be
created, with a name of our own, then the id that the provider gave it. So after a crash at any
moment the provider can be asked whether it has the batch, and none is created twice.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..errors import OutputError, UsageError
from ..private_file import open_private

SUFFIX = ".batches"
NAME_PREFIX = "easyllm-"
FORM = 1


class Submission:
    """Rows that were submitted to a provider as one batch, or are going to be.

    `name`: our own; `at`: when it was written down, as `time.time()`. `ranges`: the first and the
    last row of each run of rows. `usd`: what they may cost; None = unknown. `is_retry`: the rows
    had failed before. `id`: the provider's; None = it is not known. `is_guess`: another process's
    batch may have this id. `foreign`: ids of batches that were taken for this one, and hold other
    rows. `is_over`: nothing more is expected of it; `was_processed`: it was, and rows of it may
    have no answer.
    """

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.name = name
        self.at = float(fields["at"])
        self.ranges = [(int(first), int(last)) for first, last in fields["rows"]]
        self.sha256 = str(fields["sha256"])
        self.usd: float | None = fields["usd"]
        self.is_retry = bool(fields["retry"])
        self.id: str | None = None
        self.foreign: set[str] = set()
        self.is_over = self.was_processed = self.is_guess = False
        self.count = sum(last - first + 1 for first, last in self.ranges)
        self._firsts = [first for first, _ in self.ranges]

    def has(self, row: int) -> bool:
        place = bisect_right(self._firsts, row) - 1
        return place >= 0 and row <= self.ranges[place][1]

    def rows(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)


class Submissions:
    """What the file says. `run_id`: a random word that is part of every `custom_id` sent."""

    def __init__(self, output: Path) -> None:
        """Read the file; none is an empty one.

        Raises:
            UsageError: it cannot be read, or is no such file.
        """
        self.path = submissions_path(output)
        self.run_id = ""
        self.created_at: float | None = None
        self.all: dict[str, Submission] = {}
        self.uploads: dict[str, str] = {}  # by the hash of the rows, the id of the uploaded file
        self.end = 0  # of the last whole line
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(
                f"the list of batches cannot be read: {error.strerror}", where=str(self.path)
            ) from None
        try:
            for line in data.splitlines(keepends=True):
                if not line.endswith(b"\n"):
                    break  # a crash cut it: what it announces was not done
                self._apply(json.loads(line))
                self.end += len(line)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UsageError(
                "the list of batches is damaged", where=str(self.path),
                hint="it names batches that a provider works on: repair it, or move it and the "
                "output away and begin anew",
            ) from None  # fmt: skip

    def open(self) -> list[Submission]:
        """The submissions whose results are not stored yet, the oldest first."""
        return [each for each in self.all.values() if not each.is_over]

    def is_open(self, row: int) -> bool:
        """Whether a row is in a batch whose results are not stored yet."""
        return any(each.has(row) for each in self.open())

    def times_sent(self, row: int) -> int:
        """In how many batches that were processed a row has been."""
        return sum(each.was_processed and each.has(row) for each in self.all.values())

    def ids(self) -> set[str]:
        return {each.id for each in self.all.values() if each.id is not None}

    def _apply(self, entry: dict[str, Any]) -> None:
        """Take a line of the file in."""
        if "form" in entry:
            if entry["form"] != FORM:
                raise ValueError("another form")
            self.run_id, self.created_at = str(entry["run_id"]), float(entry["created_at"])
            return
        name, step = str(entry["batch"]), entry["step"]
        if step == "intent":
            self.all[name] = Submission(name, entry)
            return
        submission = self.all[name]
        if step == "uploaded":
            self.uploads[submission.sha256] = str(entry["file"])
        elif step == "created":
            submission.id = str(entry["id"])
            submission.is_guess = bool(entry.get("guess"))
        elif step == "foreign":
            submission.foreign.add(str(entry["id"]))
            submission.id = None
        elif step == "over":
            submission.is_over = True
            submission.was_processed = bool(entry["processed"])
        else:
            raise ValueError("an unknown step")


class SubmissionFile(Submissions):
    """Appends to the file. The lock of the output's state keeps other processes away."""

    def __init__(self, output: Path, created_at: float) -> None:
        """`created_at`: of the batch whose output it is.

        Raises:
            UsageError: as Submissions, or the file belongs to another batch.
            OutputError: it cannot be written.
        """
        super().__init__(output)
        if self.created_at not in (None, created_at):
            raise UsageError(
                "the list of batches belongs to another batch", where=str(self.path),
                hint="move it away, or choose another name for the output",
            )  # fmt: skip
        try:
            self._file = open_private(self.path, os.O_RDWR | os.O_CREAT)
            os.ftruncate(self._file, self.end)
        except OSError as error:
            raise self._cannot_write(error) from None
        if self.created_at is None:
            self._append({"form": FORM, "run_id": uuid4().hex[:8], "created_at": created_at})

    def begin(
        self, rows: Iterable[int], sha256: str, usd: float | None, is_retry: bool
    ) -> Submission:
        """Write down that a batch of these rows, in ascending order, is going to be created."""
        name = NAME_PREFIX + uuid4().hex
        self._append({
            "batch": name, "step": "intent", "at": time.time(), "rows": to_ranges(rows),
            "sha256": sha256, "usd": usd, "retry": is_retry,
        })  # fmt: skip
        return self.all[name]

    def uploaded(self, submission: Submission, file_id: str) -> None:
        self._append({"batch": submission.name, "step": "uploaded", "file": file_id})

    def created(self, submission: Submission, batch_id: str, *, is_guess: bool = False) -> None:
        """Write down the provider's id. `is_guess`: another process's batch may have it."""
        guess = {"guess": True} if is_guess else {}
        self._append({"batch": submission.name, "step": "created", "id": batch_id, **guess})

    def foreign(self, submission: Submission, batch_id: str) -> None:
        """Write down that this batch of the provider holds other rows."""
        self._append({"batch": submission.name, "step": "foreign", "id": batch_id})

    def over(self, submission: Submission, why: str, *, processed: bool) -> None:
        """Write down that nothing more is expected of a submission. `why`: for people."""
        self._append({"batch": submission.name, "step": "over", "why": why, "processed": processed})

    def close(self) -> None:
        os.close(self._file)

    def _append(self, entry: dict[str, Any]) -> None:
        """Write a line, and wait until it is on the disk."""
        data = json.dumps(entry).encode() + b"\n"
        try:
            written = os.pwrite(self._file, data, self.end)
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self.end + written)
            os.fsync(self._file)
        except OSError as error:
            raise self._cannot_write(error) from None
        self.end += len(data)
        self._apply(entry)

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError.from_os_error(
            "the list of batches cannot be written", error, str(self.path),
            disk_full_hint="make room, and run the same command again",
        )  # fmt: skip


def submissions_path(output: Path) -> Path:
    return output.with_name(output.name + SUFFIX)


def to_ranges(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as runs, each with its first and last."""
    ranges: list[tuple[int, int]] = []
    for row in rows:
        if ranges and ranges[-1][1] == row - 1:
            ranges[-1] = (ranges[-1][0], row)
        else:
            ranges.append((row, row))
    return ranges
