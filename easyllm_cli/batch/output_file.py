"""The output of a batch with its state: rows are appended, each with its record, never twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import OutputError, UsageError
from ..private_file import open_private
from .state import (
    ALL_READ,
    GOOD,
    PROCESS_LINE,
    RECORD,
    STATE_START,
    Header,
    RowStatuses,
    StateReader,
    lock_state,
    pack_record,
    state_path,
)

MAX_TAIL_LINE_BYTES = 256 * 1024 * 1024
# The row and the status of a line of the output. Raises ValueError for a line that is none of ours.
ParseLine = Callable[[bytes], tuple[int, int]]


class OutputFile:
    """Appends rows to the output of a batch, and continues one after a crash.

    `parse_line`: tells the row and status of a line that has no record yet.
    """

    def __init__(self, path: Path, header: Header, parse_line: ParseLine) -> None:
        """Open, lock and recover both files.

        Raises:
            UsageError: the output is of another input or other settings, or no output of a batch.
            OutputError: a file cannot be written, or another process works on it.
        """
        self.path = path
        self._state_path = state_path(path)
        self.statuses = RowStatuses()
        self._is_dirty = False
        self._state = lock_state(self._state_path)
        try:
            self._output = self._open_output()
            if self._has_begun():
                self.header = StateReader(path).header
                _require_same(self.header, header)
                self._write_process_id()
                self._recover(parse_line)
            else:
                self._begin(header)
        except BaseException:
            os.close(self._state)
            raise

    def _open_output(self) -> int:
        try:
            return open_private(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._cannot_write(error) from None

    def _has_begun(self) -> bool:
        """Whether the state's header was written whole; if not, nothing was asked yet."""
        if not os.fstat(self._state).st_size:
            return False
        if os.fstat(self._output).st_size:
            return True
        try:
            StateReader(self.path)
        except UsageError:
            start = os.pread(self._state, len(STATE_START), 0)
            if start != STATE_START[: len(start)]:
                raise  # it is a file of the user's
            os.ftruncate(self._state, 0)
            return False
        return True

    def _begin(self, header: Header) -> None:
        """Write the state of a new batch."""
        if os.fstat(self._output).st_size:
            self._state_path.unlink()  # it was made just now
            raise UsageError(
                "the output exists, and there is no state of a batch beside it",
                where=str(self.path),
                hint="choose another name for the output, or move the file away",
            )
        self.header = header
        data = PROCESS_LINE.format(os.getpid()).encode() + header.to_line()
        self._append(self._state, data)
        self._records_end = len(data)
        self.sync()

    def _write_process_id(self) -> None:
        try:
            os.pwrite(self._state, PROCESS_LINE.format(os.getpid()).encode(), 0)
        except OSError as error:
            raise self._cannot_write(error) from None

    def _recover(self, parse_line: ParseLine) -> None:
        """Cut both files back to what agrees, and add the records of lines that have none."""
        size = os.fstat(self._output).st_size
        reader = StateReader(self.path)
        self._records_end = reader.records_at
        last: tuple[int, int] | None = None  # row and status of the last line
        for row, status, end in reader.records():
            if end > size:
                break  # the output was cut
            self.statuses.add(row, status, end)
            self._records_end += RECORD.size
            if status != ALL_READ:
                last = row, self.statuses.end
        if last is not None and not self._ends_with_line(last[0], last[1], parse_line):
            raise UsageError(
                "the output was changed by something else", where=str(self.path),
                hint="move it and its state away, and begin anew",
            )  # fmt: skip
        try:
            os.ftruncate(self._state, self._records_end)
            self._adopt_lines(parse_line)
            os.ftruncate(self._output, self.statuses.end)
        except OSError as error:
            raise self._cannot_write(error) from None

    def _ends_with_line(self, row: int, end: int, parse_line: ParseLine) -> bool:
        """Whether the line of this row ends at this offset."""
        start = end
        data = b""
        while start and data[:-1].rfind(b"\n") < 0 and len(data) < MAX_TAIL_LINE_BYTES:
            length = min(start, max(4096, len(data)))
            start -= length
            data = os.pread(self._output, length, start) + data
        line = data[data[:-1].rfind(b"\n") + 1 :]
        try:
            return line.endswith(b"\n") and parse_line(line)[0] == row
        except ValueError:
            return False

    def _adopt_lines(self, parse_line: ParseLine) -> None:
        """Add a record for each whole line behind the last record."""
        with open(os.dup(self._output), "rb") as file:
            file.seek(self.statuses.end)
            for line in file:
                try:
                    row, status = parse_line(line)
                except ValueError:
                    return
                if not line.endswith(b"\n") or self.statuses.get(row) == GOOD:
                    return
                self._add_record(row, status, self.statuses.end + len(line))

    def append(self, line: bytes, row: int, status: int) -> None:
        """Append the line of a row, which ends in a newline, and then its record.

        Raises:
            OutputError: the disk is full, or another write error. The files stay usable.
        """
        start = self.statuses.end
        try:
            self._append(self._output, line, start)
        except OutputError:
            os.ftruncate(self._output, start)
            raise
        self._add_record(row, status, start + len(line))

    def mark_all_read(self, total: int) -> None:
        """Note that the input has `total` rows."""
        if self.statuses.total != total:
            self._add_record(total, ALL_READ, self.statuses.end)

    def sync(self) -> None:
        """Wait until everything is on the disk. It can run in a thread."""
        self._is_dirty = False  # first: more may be written meanwhile
        for descriptor in (self._output, self._state):
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise self._cannot_write(error) from None

    @property
    def is_dirty(self) -> bool:
        """Whether anything was written since the last `sync`."""
        return self._is_dirty

    def close(self) -> None:
        """Close both files, which releases the lock."""
        os.close(self._output)
        os.close(self._state)

    def _add_record(self, row: int, status: int, end: int) -> None:
        self._append(self._state, pack_record(row, status, end), self._records_end)
        self._records_end += RECORD.size
        self.statuses.add(row, status, end)

    def _append(self, descriptor: int, data: bytes, at: int = 0) -> None:
        """Write all of the data at an offset."""
        self._is_dirty = True
        try:
            written = os.pwrite(descriptor, data, at)
            while written < len(data):  # the disk is nearly full
                written += os.pwrite(descriptor, data[written:], at + written)
        except OSError as error:
            raise self._cannot_write(error) from None

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError.from_os_error(
            "the output of the batch cannot be written", error, str(self.path),
            disk_full_hint="make room, and run the same command again",
        )  # fmt: skip


def _require_same(before: Header, now: Header) -> None:
    """Raise UsageError if the output belongs to another input or other settings."""
    if before.input != now.input:
        raise UsageError(
            "the input has changed since the batch began", where=now.input_path,
            hint="choose another output for the new input",
        )  # fmt: skip
    names = {**before.settings, **now.settings}
    changed = [name for name in names if before.settings.get(name) != now.settings.get(name)]
    if changed:
        raise UsageError(
            f"the batch was begun with another {' and '.join(changed)}", where=now.input_path,
            hint="use the same options, or choose another output",
        )  # fmt: skip
