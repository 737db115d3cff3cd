"""Reads the input of a batch line by line, with flat memory: JSON lines, text, CSV; gzip or not."""

from __future__ import annotations

import csv
import gzip
import os
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import UsageError
from ..frozen_dataclass import FrozenDataclass
from ..text_encoding import UTF8_BOM

MAX_LINE_BYTES = 16 * 1024 * 1024  # a longer line is a bad row
COUNTED_BYTES = 1024 * 1024
IDENTITY_BYTES = 1024 * 1024  # the beginning of the input, which tells one file from another
DELIMITERS = {".csv": ",", ".tsv": "\t"}
TEXT_SUFFIX = ".txt"
UNREADABLE = (OSError, EOFError, zlib.error)  # the last two: a gzip file that is cut or damaged


class InputLine:
    """One line of the input, or one record of a CSV file.

    `number`: of the line, from 1; of a record, its last line. `content`: its text, or a record's
    fields by their columns. `problem`: why it cannot be read; "" = it can.
    """

    __slots__ = ("content", "number", "problem")

    def __init__(
        self, number: int, content: str | Mapping[str, str] = "", problem: str = ""
    ) -> None:
        self.number = number
        self.content = content
        self.problem = problem


class InputIdentity(FrozenDataclass):
    """What tells whether the input is still the same: its size, and a hash of its first MiB."""

    size: int
    sha256: str


class InputFile:
    """A file with one row a line.

    The name says what it holds, without `.gz`: `.csv` and `.tsv` a table with a header, `.txt` one
    prompt a line. Any other holds JSON lines if its first line begins like one, else prompts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_gzip = path.suffix == ".gz"
        suffix = path.with_suffix("").suffix if self.is_gzip else path.suffix
        self.delimiter = DELIMITERS.get(suffix.lower(), "")
        self._is_text_by_name = suffix.lower() == TEXT_SUFFIX

    def identity(self) -> InputIdentity:
        """Raises UsageError if the file cannot be read."""
        try:
            self._require_file()
            with self.path.open("rb") as file:
                start = file.read(IDENTITY_BYTES)
                return InputIdentity(os.fstat(file.fileno()).st_size, sha256(start).hexdigest())
        except OSError as error:
            raise self._unreadable(error) from None

    def holds_json(self) -> bool:
        """Whether the lines are JSON, by the file's name and its first line with text."""
        if self._is_text_by_name or self.delimiter:
            return False
        for line in self.lines():
            if line.problem or not isinstance(line.content, str):
                return True
            return line.content.lstrip()[:1] in ("{", '"', "[")
        return True

    def lines(self) -> Iterator[InputLine]:
        """Every line but empty ones at the end.

        Raises:
            UsageError: the file cannot be read, or a table has no header.
        """
        try:
            with self._open() as file:
                yield from self._records(file) if self.delimiter else split_lines(file)
        except UNREADABLE as error:
            raise self._unreadable(error) from None

    def count_lines(self, is_wanted: Callable[[], bool] = lambda: True) -> int | None:
        """How many rows there are; None = that is only known when all are read (a table).

        It decodes nothing, and can run in a thread: it ends, with None, when it is not wanted any
        more. Raises as `lines`.
        """
        if self.delimiter:
            return None
        count = newlines_behind_text = 0
        has_text = False
        try:
            with self._open() as file:
                while chunk := file.read(COUNTED_BYTES):
                    if not is_wanted():
                        return None
                    text = chunk.rstrip()
                    if text:
                        count += newlines_behind_text + text.count(b"\n")
                        newlines_behind_text, has_text = 0, True
                    newlines_behind_text += chunk.count(b"\n", len(text))
        except UNREADABLE as error:
            raise self._unreadable(error) from None
        return count + has_text

    def _open(self) -> BinaryIO:
        """The file, unpacked. Raises as `_require_file`, or OSError."""
        self._require_file()
        if self.is_gzip:
            return cast(BinaryIO, gzip.open(self.path, "rb"))
        return self.path.open("rb")

    def _require_file(self) -> None:
        """Raise UsageError for a pipe: the file is read several times. Raises OSError."""
        mode = self.path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UsageError(
                "the input must be a file, which a later run can read again",
                where=str(self.path), hint="pipe the rows in: … | easyllm batch - out.jsonl",
            )  # fmt: skip

    def _records(self, file: BinaryIO) -> Iterator[InputLine]:
        """The records of a table with a header."""
        reader = csv.reader(_decode_lines(file), delimiter=self.delimiter, strict=True)
        csv.field_size_limit(MAX_LINE_BYTES)
        header = self._read_header(reader)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield InputLine(reader.line_num, problem=f"it cannot be read: {error}")
                continue
            if fields:
                yield _check_record(reader.line_num, header, fields)

    def _read_header(self, reader: Iterator[list[str]]) -> list[str]:
        """The names of the columns. Raises UsageError."""
        try:
            header = next(reader, None)
        except csv.Error as error:
            raise self._wrong_header(f"the header of the table cannot be read: {error}") from None
        if not header or not any(header):
            raise self._wrong_header("the table has no header")
        name, count = Counter(header).most_common(1)[0]
        if count > 1:
            raise self._wrong_header(f'{count} columns of the table have the name "{name[:80]}"')
        return header

    def _wrong_header(self, message: str) -> UsageError:
        return UsageError(message, where=str(self.path), hint="its first line names the columns")

    def _unreadable(self, error: Exception) -> UsageError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return UsageError(
            f"cannot read the input: {reason}", where=str(self.path), hint="check the path"
        )


def split_lines(file: BinaryIO) -> Iterator[InputLine]:
    """The lines of a binary file without their ends; a byte order mark at the start is dropped.

    An empty line is one with a problem, but empty lines at the end of the file are none.
    """
    empty: list[int] = []  # numbers of the empty lines since the last one with text
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            data = data.removeprefix(UTF8_BOM)
        is_too_long = len(data) > MAX_LINE_BYTES
        while is_too_long and data and not data.endswith(b"\n"):
            data = file.readline(MAX_LINE_BYTES)  # read to its end, and forget it
        if not is_too_long and not data.strip():
            empty.append(number)
            continue
        yield from (InputLine(each, problem="the line is empty") for each in empty)
        empty.clear()
        if is_too_long:
            limit = MAX_LINE_BYTES >> 20
            yield InputLine(number, problem=f"the line is longer than {limit} MiB")
        else:
            yield _decode(number, data)


def _decode(number: int, data: bytes) -> InputLine:
    """A line as text, or with the reason why it is none."""
    if b"\0" in data:
        return InputLine(number, problem="the line holds a NUL byte")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return InputLine(number, problem=f"the line is not UTF-8 at byte {error.start}")
    return InputLine(number, text.removesuffix("\n").removesuffix("\r"))


def _decode_lines(file: BinaryIO) -> Iterator[str]:
    """The lines as the csv module reads them; bytes that are not UTF-8 become lone surrogates."""
    is_first = True
    for data in file:
        yield (data.removeprefix(UTF8_BOM) if is_first else data).decode("utf-8", "surrogateescape")
        is_first = False


def _check_record(number: int, header: list[str], fields: list[str]) -> InputLine:
    """A record as a mapping, or with the reason why it is none."""
    if len(fields) != len(header):
        return InputLine(number, problem=f"{len(fields)} columns, and the header has {len(header)}")
    text = "".join(fields)
    if "\0" in text:
        return InputLine(number, problem="the record holds a NUL byte")
    if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
        return InputLine(number, problem="the record is not UTF-8")
    return InputLine(number, dict(zip(header, fields, strict=True)))
