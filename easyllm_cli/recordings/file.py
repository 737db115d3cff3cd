"""Files of recorded attempts: --record appends to one, --replay reads it.

A folder works too: it has a file for each request, named by the request's key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ..config.paths import expand_home
from ..errors import ConfigError, NotFoundError, OutputError, UsageError
from ..file_lock import close_locked, wait_for_lock_in_loop
from ..private_file import NotRegularFileError, make_private_folder, open_regular
from ..secret import Secret, holds_known_key
from .attempt import RecordedAttempt
from .key import RequestIdentity
from .line_format import HEADER, attempt_from_object, line_from_attempt, read_lines

FILE_SUFFIX = ".jsonl"
MAX_NAMED_FIELDS = 5  # of the differences to the nearest recording


class Recorder:
    """Appends attempts to a file; in a folder, each request gets its own file.

    `known_keys`: Secrets that this process knows as long as they stand here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text = os.fspath(path)
        self.path = expand_home(text)
        self.known_keys: list[Secret] = []
        self.is_folder = text.endswith(("/", os.sep)) or os.path.isdir(self.path)

    async def require_writable(self, identity: RequestIdentity) -> None:
        """Make the request's file if it is missing, before it is paid for. Raises as `record`."""
        await _append(self._file_of(identity), b"")

    def refuse_known_key(self, identity: RequestIdentity) -> None:
        """Raise UsageError for a request with an API key that this process knows."""
        texts = json.dumps(identity.describe(), ensure_ascii=False), identity.prompt
        if any(map(holds_known_key, texts)):
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
        about = {"key": identity.replay_key, "asked": identity.describe()}
        await _append(self._file_of(identity), line_from_attempt(attempt, about))

    def _file_of(self, identity: RequestIdentity) -> Path:
        """The file that the attempts at this request are appended to."""
        is_folder, name = self.is_folder, f"{identity.replay_key}{FILE_SUFFIX}"
        return self.path / name if is_folder else self.path


class Recording:
    """The recorded attempts of a file or a folder, which is read when the first one is wanted.

    `notes`: what could not be read, for the user.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = expand_home(path)
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
            is_folder = os.path.isdir(self.path)
            for path in self._list_folder() if is_folder else [self.path]:
                for number, content in self._read_file(path):
                    place = f"{path.name}, line {number}" if is_folder else f"line {number}"
                    self._add(attempts, place, content)
            self._attempts = attempts
        return self._attempts

    def _list_folder(self) -> list[Path]:
        """The files of a folder, sorted. Raises UsageError: it cannot be read."""
        try:
            paths = [self.path / name for name in sorted(os.listdir(self.path))]
        except OSError as error:
            raise _read_error(error, self.path) from None
        return [path for path in paths if path.suffix == FILE_SUFFIX and not os.path.isdir(path)]

    def _read_file(self, path: Path) -> Iterator[tuple[int, Any]]:
        try:
            with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
                data = file.read()
            yield from read_lines(data)
        except NotRegularFileError:
            raise _not_regular_error(path) from None
        except OSError as error:
            raise _read_error(error, path) from None
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


def _read_error(error: OSError, path: Path) -> UsageError:
    return UsageError(f"cannot be read: {error.strerror}", where=str(path))


def _not_regular_error(path: Path) -> UsageError:
    return UsageError("it is not a regular file", where=str(path), hint="name another file")


async def _append(path: Path, line: bytes) -> None:
    """Append a line in one piece, whoever writes at the same time; makes the file if need be.

    Raises:
        OutputError: it cannot be written. ConfigError: it holds something else. UsageError: it is
            a FIFO or a device.
    """
    try:
        make_private_folder(path.parent)
        descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    except NotRegularFileError:
        raise _not_regular_error(path) from None
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None
    try:
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
