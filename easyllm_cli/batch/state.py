"""The state of a batch: a private file beside the output that says which rows are done.

A line with the id of the process that runs, a line of JSON (`Header`), and a record of 24 bytes for
each line of the output, in the order of the output. A line is written before its record. So after a
crash at any moment, what is in the output can be told from what is not, without reading more of it
than the lines behind the last record.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import OutputError, UsageError
from ..file_lock import polls_for_lock, try_lock
from ..frozen_dataclass import FrozenDataclass
from ..private_file import open_private
from .input_file import InputIdentity

# The row (or, of ALL_READ, the number of all rows), a status, a checksum of the other fields, and
# the offset behind the row's line in the output.
RECORD = struct.Struct("<QBxxxIQ")
CHECKED = struct.Struct("<QBQ")
NOT_DONE, GOOD, RETRYABLE, FAILED = 0, 1, 2, 3
ALL_READ = 255  # the whole input was read
FORM = 1
STATE_START = b"easyllm batch 1 pid "
PROCESS_LINE = STATE_START.decode() + "{:>10}\n"
PROCESS_LINE_BYTES = len(PROCESS_LINE.format(0))
MAX_HEADER_BYTES = 1024 * 1024
READ_RECORDS = 4096  # at once
SUFFIX = ".state"
PROBE_SECONDS = 0.2  # `batch status` has the lock for far less


class Header(FrozenDataclass):
    """What a batch was started with, without any key.

    `settings`: by name, a hash of what decides the answers; another one would mix two batches.
    `arguments`: the options of the command, for `batch retry`.
    """

    input_path: str
    input: InputIdentity
    settings: dict[str, str]
    arguments: dict[str, Any]
    created_at: float

    def to_line(self) -> bytes:
        values = {"form": FORM, **vars(self), "input": vars(self.input)}
        return json.dumps(values, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Header:
        """Raises ValueError, LookupError or TypeError if it is no header."""
        values = json.loads(line)
        if values.pop("form") != FORM:
            raise ValueError("another form")
        return cls(**{**values, "input": InputIdentity(**values["input"])})


def state_path(output: Path) -> Path:
    return output.with_name(output.name + SUFFIX)


def pack_record(row: int, status: int, end: int) -> bytes:
    return RECORD.pack(row, status, zlib.crc32(CHECKED.pack(row, status, end)), end)


class RowStatuses:
    """The newest status of each row, and how many rows have which.

    `total`: how many rows the input has; None = it was not read to its end.
    """

    def __init__(self) -> None:
        self.total: int | None = None
        self.end = 0  # of the output that the records describe
        self._statuses = bytearray()
        self._counts = [0, 0, 0, 0]

    def add(self, row: int, status: int, end: int) -> None:
        """Take a record in."""
        if status == ALL_READ:
            self.total = row
            return
        if row >= len(self._statuses):
            self._statuses.extend(bytes(row + 4096 - len(self._statuses)))
        self._counts[self._statuses[row]] -= 1
        self._counts[status] += 1
        self._statuses[row] = status
        self.end = end

    def get(self, row: int) -> int:
        return self._statuses[row] if row < len(self._statuses) else NOT_DONE

    @property
    def good(self) -> int:
        return self._counts[GOOD]

    @property
    def failed(self) -> int:
        """Rows whose newest answer failed."""
        return self._counts[RETRYABLE] + self._counts[FAILED]

    @property
    def retryable(self) -> int:
        return self._counts[RETRYABLE]

    @property
    def done(self) -> int:
        return self.good + self.failed


class StateReader:
    """Reads a state, also one of a batch that runs now.

    Raises:
        UsageError: there is none, or it is damaged.
    """

    def __init__(self, output: Path) -> None:
        self.path = state_path(output)
        try:
            with self.path.open("rb") as file:
                start = file.read(PROCESS_LINE_BYTES)
                line = file.readline(MAX_HEADER_BYTES)
        except OSError as error:
            raise UsageError(
                f"there is no state of a batch: {error.strerror}", where=str(self.path),
                hint="name the output of a batch",
            ) from None  # fmt: skip
        self.records_at = len(start) + len(line)
        try:
            if not start.startswith(STATE_START):
                raise ValueError("another file")
            self.process_id = int(start[len(STATE_START) :])
            if self.process_id < 1:
                raise ValueError("no process")
            if not line.endswith(b"\n"):
                raise ValueError("a torn header")
            self.header = Header.from_line(line)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UsageError(
                "the state of the batch is damaged", where=str(self.path),
                hint="move it and the output away, and begin anew",
            ) from None  # fmt: skip

    def records(self) -> Iterator[tuple[int, int, int]]:
        """(row, status, end) of each record, up to the first one that is torn."""
        with self.path.open("rb") as file:
            file.seek(self.records_at)
            while block := file.read(RECORD.size * READ_RECORDS):
                for at in range(0, len(block) - RECORD.size + 1, RECORD.size):
                    row, status, checksum, end = RECORD.unpack_from(block, at)
                    if zlib.crc32(CHECKED.pack(row, status, end)) != checksum:
                        return
                    yield row, status, end

    def statuses(self) -> RowStatuses:
        statuses = RowStatuses()
        for record in self.records():
            statuses.add(*record)
        return statuses

    def offsets(self) -> tuple[RowStatuses, array[int]]:
        """The statuses, and for each row where its newest line begins in the output."""
        statuses, starts, start = RowStatuses(), array("Q"), 0
        for row, status, end in self.records():
            if status != ALL_READ:
                starts.extend([0] * (row + 1 - len(starts)))
                # A good answer is never replaced by a failed one.
                if statuses.get(row) != GOOD or status == GOOD:
                    starts[row] = start
                    statuses.add(row, status, end)
                start = end
            else:
                statuses.add(row, status, end)
        return statuses, starts


def running_process(output: Path) -> int | None:
    """The id of the process that works on this output now; None = none does."""
    reader = StateReader(output)
    try:
        descriptor = os.open(reader.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if try_lock(descriptor, shared=True) else reader.process_id
    finally:
        os.close(descriptor)


def has_state_open(process: int, output: Path) -> bool:
    """Whether a process has the state of this output open; True where the system does not say.

    Else it may be another one: that of a batch on another machine has a number of that machine.
    """
    if not os.path.isdir("/proc/self/fd"):
        return True
    try:
        entries = [*os.scandir(f"/proc/{process}/fd")]
    except OSError:
        return False
    for entry in entries:
        with suppress(OSError):  # it was closed meanwhile
            if os.path.samefile(entry, state_path(output)):
                return True
    return False


def lock_state(path: Path) -> int:
    """Open and lock the state, a new one with mode 0600; returns its descriptor.

    Raises:
        OutputError: it cannot be opened, or another process works on the output.
    """
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OutputError.from_os_error("the state cannot be written", error, str(path)) from None
    try:
        is_locked = True
        for seconds in polls_for_lock(descriptor, PROBE_SECONDS):
            time.sleep(seconds)
    except TimeoutError:
        is_locked = False
    except OSError as error:  # the file system has no locks
        os.close(descriptor)
        raise OutputError.from_os_error("the state cannot be locked", error, str(path)) from None
    if not is_locked:
        process = os.pread(descriptor, PROCESS_LINE_BYTES, 0).split()[-1:]
        os.close(descriptor)
        name = b"".join(process).decode("ascii", "replace")
        raise OutputError(
            f"another easyllm works on this output (process {name})", where=str(path),
            hint="wait for it, or end it with: easyllm batch cancel OUT",
        )  # fmt: skip
    return descriptor
