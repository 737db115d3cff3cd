"""The answer cache: a folder with a file for each answer, named by the key of its request."""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from ..config.paths import cache_folder
from ..errors import OutputError
from ..private_file import NotRegularFileError, open_regular, write_private_file
from .attempt import RecordedAttempt
from .line_format import HEADER, attempt_from_object, line_from_attempt, read_lines

MAX_CACHE_BYTES = 500 * 1024 * 1024
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # a larger file is not read: no answer is as long
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# With the process and the thread of a writer behind it, as `write_private_file` names its file.
ANSWER_NAME = re.compile(r"[0-9a-f]{64}\.jsonl(\.\d+\.\d+)?")
WRITES_PER_PRUNE = 50  # the size of the folder is looked at about every 50th write


def answers_folder() -> Path:
    """The folder of the answers, existing or not.

    Raises:
        OutputError: the home folder is unknown.
    """
    try:
        return cache_folder() / "answers"
    except RuntimeError as error:
        raise OutputError(f"there is no folder for the cache: {error}") from None


def read_cached(key: str, max_age: float) -> RecordedAttempt | None:
    """The answer with this key; None = there is none of at most `max_age` seconds.

    A file that cannot be read as an answer is deleted.
    """
    path = _answer_path(key)
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY | NO_LINK), "rb") as file:
            data = file.read(MAX_ANSWER_BYTES)
    except NotRegularFileError:
        data = b""
    except OSError:
        return None
    try:
        ((_, content),) = read_lines(data)
        attempt = attempt_from_object(content)
        if content["key"] != key or attempt.done is None:
            raise ValueError("another answer")
    except (ValueError, KeyError):
        with suppress(OSError):
            path.unlink()
        return None
    return attempt if 0 <= time.time() - attempt.made_at <= max_age else None


def write_cached(key: str, attempt: RecordedAttempt) -> None:
    """Keep an answer; of several writers the last one wins.

    Raises:
        OSError: it cannot be written, or is longer than what is read.
    """
    data = HEADER + line_from_attempt(attempt, {"key": key})
    if len(data) > MAX_ANSWER_BYTES:
        raise OSError(errno.EFBIG, f"it is longer than {MAX_ANSWER_BYTES // 1024**2} MB")
    write_private_file(_answer_path(key), data)
    if os.urandom(1)[0] * WRITES_PER_PRUNE < 256:
        with suppress(OSError):  # a folder that cannot be read stays as it is
            prune(MAX_CACHE_BYTES)


def prune(max_bytes: int) -> None:
    """Delete the oldest answers until the folder is not larger than this. Raises OSError."""
    files = sorted(_answer_files(), key=lambda each: each[1].st_mtime, reverse=True)
    total = 0
    for path, status in files:
        total += status.st_size
        if total > max_bytes:
            with suppress(OSError):
                path.unlink()


def clear_cache(min_age: float = 0.0) -> tuple[int, int]:
    """Delete the answers of at least this age in seconds; returns their number and bytes.

    Raises:
        OutputError: one cannot be deleted, or a folder cannot be read.
    """
    count = size = 0
    limit = time.time() - min_age
    try:
        files = _answer_files()
    except OSError as error:
        raise OutputError.from_os_error("cannot be read", error, str(error.filename)) from None
    for path, status in files:
        if min_age and status.st_mtime > limit:
            continue
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError.from_os_error("cannot be deleted", error, str(path)) from None
        count, size = count + 1, size + status.st_size
    return count, size


def _answer_path(key: str) -> Path:
    return answers_folder() / key[:2] / f"{key}.jsonl"


def _answer_files() -> list[tuple[Path, os.stat_result]]:
    """The files of all answers, those of writers that were killed included.

    Only files that have an answer's name, and no links: nothing else is ever deleted.
    Raises:
        OSError: a folder cannot be read.
    """
    files = []
    for folder in _list_folder(answers_folder()):
        if len(folder.name) != 2 or not folder.is_dir(follow_symlinks=False):
            continue
        for entry in _list_folder(folder.path):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if ANSWER_NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    files.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    return files


def _list_folder(path: str | Path) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing if it is missing or no folder. Raises OSError."""
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
