"""Files of recorded attempts: --record appends to one, --replay reads it.

A folder works too: it has a file for each request, named by the request's key.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ..errors import ConfigError, NotFoundError, OutputError, UsageError
from ..file_lock import close_locked, wait_for_lock_in_loop
from ..private_file import make_private_folder, open_private
from ..secret import Secret, mask_whole_keys
from .attempt import RecordedAttempt
from .key import RequestIdentity
from .line_format import HEADER, attempt_from_object, line_from_attempt, read_lines

FILE_SUFFIX = ".jsonl"
NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a FIFO does not wait for the other end
MAX_NAMED_FIELDS = 5  # of the differences to the nearest recording


class Recorder:
    """Appends attempts to a file; in a folder, each request gets its own file.

    `known_keys`: Secrets that this process knows as long as they stand here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text = os.fspath(path)
        self.path = Path(os.path.expanduser(text))
        self.known_keys: list[Secret] = []
        self.is_folder = text.endswith(("/", os.sep)) or self.path.is_dir()

    async def require_writable(self) -> None:
        """Make the file if it is missing, before a request is paid for. Raises as `record`."""
        if not self.is_folder:
            await _append(self.path, b"")
            return
        try:
            make_private_folder(self.path)
        except OSError as error:
            raise OutputError.from_os_error("cannot be written", error, str(self.path)) from None

    def refuse_known_key(self, identity: RequestIdentity) -> None:
        """Raise UsageError for a request with an API key that this process knows."""
        texts = f"{json.dumps(identity.describe(), ensure_ascii=False)}\n{identity.prompt}"
        if mask_whole_keys(texts) != texts:
            self._refuse_key()

    def _refuse_key(self) -> NoReturn:
        raise UsageError(
            "the prompt or the answer holds an API key, so it is not recorded",
            where=str(self.path),
            hint="take the key out of the prompt",
        )

    async def record(self, identity: RequestIdentity, attempt: RecordedAttempt) -> None:
        """Append an attempt as one line.

        Raises:
            UsageError: the prompt or the answer holds an API key that this process knows, or the
                path is that of a FIFO or a device.
            OutputError: the file cannot be written. ConfigError: it holds something else.
        """
        self.refuse_known_key(identity)
        if attempt.holds_known_key():
            self._refuse_key()
        key, asked = identity.replay_key, identity.describe()
        path = self.path / f"{key}{FILE_SUFFIX}" if self.is_folder else self.path
        await _append(path, line_from_attempt(attempt, {"key": key, "asked": asked}))


class Recording:
    """The recorded attempts of a file or a folder, which is read when the first one is wanted.

    `notes`: what could not be read, for the user.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.expanduser(path))
        self.notes: list[str] = []
        self._attempts: dict[str, list[RecordedAttempt]] | None = None
        self._asked: list[tuple[str, Mapping[str, Any]]] = []  # place and request of each
        self._taken: dict[str, int] = {}

    def has(self, key: str) -> bool:
        """Whether a request with this key is recorded. Raises as `take`."""
        return key in self._read()

    def take(self, identity: RequestIdentity) -> RecordedAttempt:
        """The next attempt of this request; after the last one, the last one again.

        Raises:
            NotFoundError: the request is not recorded; it names the nearest one.
            UsageError: the file cannot be read. ConfigError: it holds something else.
        """
        key = identity.replay_key
        attempts = self._read().get(key)
        if attempts is None:
            raise NotFoundError(
                f"no recording of this request{self._nearest(identity)}",
                where=str(self.path),
                hint="record it with --record",
            )
        number = self._taken.get(key, 0)
        self._taken[key] = number + 1
        return attempts[min(number, len(attempts) - 1)]

    def _nearest(self, identity: RequestIdentity) -> str:
        """`; the nearest is line 7, which differs in temperature`; "" = there is none."""
        wanted = identity.describe()
        ranked = sorted(
            (sorted(_differences(asked, wanted)), place) for place, asked in self._asked
        )
        if not ranked:
            return ""
        differences, place = min(ranked, key=lambda each: _distance(each[0]))
        names = differences[:MAX_NAMED_FIELDS] + ["…"] * (len(differences) > MAX_NAMED_FIELDS)
        return f"; the nearest is {place}, which differs in {', '.join(names) or 'details'}"

    def _read(self) -> dict[str, list[RecordedAttempt]]:
        """The attempts by key. Raises as `take`."""
        if self._attempts is None:
            attempts: dict[str, list[RecordedAttempt]] = {}
            is_folder = self.path.is_dir()
            paths = sorted(self.path.glob(f"*{FILE_SUFFIX}")) if is_folder else [self.path]
            for path in paths:
                for number, content in self._read_file(path):
                    place = f"{path.name}, line {number}" if is_folder else f"line {number}"
                    self._add(attempts, place, content)
            self._attempts = attempts
        return self._attempts

    def _read_file(self, path: Path) -> Iterator[tuple[int, Any]]:
        try:
            yield from read_lines(_read_regular(path))
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
        except ValueError as error:
            raise ConfigError(f"it cannot be replayed: {error}", where=str(path)) from None

    def _add(self, attempts: dict[str, list[RecordedAttempt]], place: str, content: Any) -> None:
        """Add the attempt of a line; a damaged line is left out with a note."""
        try:
            attempt, key = attempt_from_object(content), content.get("key")
            if not isinstance(key, str):
                raise ValueError("no key")
        except ValueError:
            self.notes.append(f"{place} of {self.path} is damaged and left out")
            return
        attempts.setdefault(key, []).append(attempt)
        if isinstance(asked := content.get("asked"), dict):
            self._asked.append((place, asked))


def _differences(asked: Mapping[str, Any], wanted: Mapping[str, Any]) -> set[str]:
    """The names of what two requests differ in."""
    pairs = [
        ({"provider": each.get("provider"), "model": each.get("model")}, each.get("fields"))
        for each in (asked, wanted)
    ]
    first, second = (
        {**names, **(fields if isinstance(fields, dict) else {})} for names, fields in pairs
    )
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}


def _distance(differences: list[str]) -> tuple[bool, bool, int]:
    """How far a recording is: another provider is the farthest, then another model."""
    return "provider" in differences, "model" in differences, len(differences)


def _read_regular(path: Path) -> bytes:
    """The content of a file. Raises OSError, and UsageError for a FIFO or a device."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | NO_WAIT)) as file:
        _require_regular(file.fileno(), path)
        return file.read()


def _require_regular(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UsageError("it is not a regular file", where=str(path), hint="name another file")


async def _append(path: Path, line: bytes) -> None:
    """Append a line in one piece, whoever writes at the same time; makes the file if need be.

    Raises:
        OutputError: it cannot be written. ConfigError: it holds something else. UsageError: it is
            a FIFO or a device.
    """
    try:
        make_private_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_WAIT | getattr(os, "O_BINARY", 0)
        descriptor = open_private(path, flags)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None
    try:
        _require_regular(descriptor, path)
        await wait_for_lock_in_loop(descriptor, path)
        _write_whole(descriptor, _missing_before_next_line(descriptor, path) + line)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None
    finally:
        close_locked(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all at the end of a file, or nothing. Raises OSError."""
    size = os.fstat(descriptor).st_size
    try:
        while data:  # on a disk that is almost full a write is short, and the next one fails
            data = data[os.write(descriptor, data) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _missing_before_next_line(descriptor: int, path: Path) -> bytes:
    """The header in a new file; the newline that a writer who was killed left out; else b"".

    Raises:
        ConfigError: the file holds something else, or a newer version wrote it.
    """
    if os.fstat(descriptor).st_size == 0:
        return HEADER
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        list(read_lines(os.read(descriptor, 1000).partition(b"\n")[0] + b"\n"))
    except ValueError as error:
        raise ConfigError(
            f"nothing can be recorded there: {error}", where=str(path), hint="name another file"
        ) from None
    os.lseek(descriptor, -1, os.SEEK_END)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"
