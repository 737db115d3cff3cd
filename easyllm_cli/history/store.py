"""The history database: opens, creates and migrates it, and runs statements. Home of sqlite3.

Many processes write it at once: WAL mode, short transactions, and a wait of 2 seconds for a lock.
Import it only where a row is read or written: sqlite3 costs 2 ms.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigError, EasyLLMError, OutputError
from ..private_file import NotRegularFileError, lock_file, make_private_folder, open_regular
from .schema import DATABASE_VERSION, MIGRATIONS

BUSY_SECONDS = 2.0  # wait for another process's write
# Without WAL (network file systems) a writer also waits for readers, so the queue is longer.
BUSY_SECONDS_WITHOUT_WAL = 5.0
WAL_POLL_SECONDS = 0.005
PAUSE_SHARE = 1 / 3  # of the time of a short transaction: the pause after it
MAX_VALUES = 500  # of one statement; SQLite before 3.32 takes 999
DAMAGED = "damaged"  # ConfigError.code: the file is no database, or its pages are damaged
HINTS = {
    # The -shm and -wal files are made for a reader, too: https://sqlite.org/wal.html, section 5.
    sqlite3.SQLITE_CANTOPEN: "its folder must be writable, to read it as well",
    sqlite3.SQLITE_READONLY: "its folder must be writable, to read it as well",
    sqlite3.SQLITE_ERROR: "if another program wrote it, move it away; the next answer starts one",
}
Row = dict[str, Any]


class HistoryStore:
    """An open history database; use it in a `with` block, which closes it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT, as dicts. Raises as `open_store`."""
        with translate_errors(self.path):
            cursor = self._connection.execute(statement, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None without a row. Raises as `open_store`."""
        with translate_errors(self.path):
            row = self._connection.execute(statement, values).fetchone()
        return row[0] if row else None

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement; returns the number of rows it changed. Raises as `open_store`."""
        with translate_errors(self.path):
            return self._connection.execute(statement, values).rowcount

    def insert(self, table: str, row: Row, *, or_ignore: bool = False) -> int:
        """Insert a row; returns its number. `table` and the keys are never from outside.

        `or_ignore`: do nothing if a row with the same key exists.
        """
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with translate_errors(self.path):
            cursor = self._connection.execute(
                f"INSERT {'OR IGNORE ' * or_ignore}INTO {table} ({names}) VALUES ({marks})",
                tuple(row.values()),
            )
            return cursor.lastrowid or 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock; commit at the end of the block, or undo all after an exception."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(EasyLLMError):
                self.run("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state in all of the block, whatever other processes write meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        self.run("BEGIN")
        try:
            yield
        finally:
            with suppress(EasyLLMError):
                self.run("ROLLBACK")  # nothing was written

    @contextmanager
    def short_transaction(self) -> Iterator[None]:
        """One transaction of many: after it others get time to write.

        SQLite has no queue: a process that waits tries again every 1 to 100 ms.
        """
        with self.transaction():
            started = time.monotonic()
            yield
        time.sleep((time.monotonic() - started) * PAUSE_SHARE)

    def meta(self, key: str) -> Any:
        """A value of the table `meta`; None = not set."""
        return self.value("SELECT value FROM meta WHERE key = ?", (key,))

    def set_meta(self, key: str, value: Any) -> None:
        """Set a value of the table `meta`; inside a transaction."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def open_store(path: Path, *, create: bool) -> HistoryStore:
    """Open the database and bring it to this version's schema.

    `create`: make a missing file, and missing folders, with modes 0600 and 0700 under any umask.
    Raises:
        FileNotFoundError: there is no file, and `create` is false.
        ConfigError: it is damaged (code DAMAGED), or a newer easyllm wrote it.
        OutputError: it is a link or no file, or cannot be opened, written or locked.
    """
    try:
        if create:
            make_private_folder(path.parent)
        _require_no_link(path)
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        descriptor = open_regular(path, flags)
        _close_to_others(descriptor)  # SQLite gives its other files the same mode
    except FileNotFoundError:
        raise
    except NotRegularFileError:
        raise OutputError("the history is no file", where=str(path), hint="move it away") from None
    except OSError as error:
        raise _output_error(error, path) from None
    with translate_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True,
            timeout=BUSY_SECONDS, isolation_level=None,
        )  # fmt: skip
        try:
            store = HistoryStore(path, connection)
            _prepare(store, connection)
        except BaseException:
            connection.close()
            raise
    return store


def _require_no_link(path: Path) -> None:
    """Raise OutputError for a symbolic link: a damaged target would be renamed and replaced."""
    if path.is_symlink():
        raise OutputError(
            "the history is a symbolic link", where=str(path),
            hint="put the file itself there; XDG_STATE_HOME names another state folder",
        )  # fmt: skip


def _close_to_others(descriptor: int) -> None:
    """Set mode 0600 on a file that others can read; close the descriptor."""
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if sys.platform != "win32" and mode & 0o077:
            os.fchmod(descriptor, mode & 0o700)
    finally:
        os.close(descriptor)


def _prepare(store: HistoryStore, connection: sqlite3.Connection) -> None:
    """Set the connection's modes and create or migrate the tables."""
    connection.execute("PRAGMA synchronous=NORMAL")
    # Deleted texts, also those of the full-text index, are overwritten with zeros.
    connection.execute("PRAGMA secure_delete=ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > DATABASE_VERSION:
        raise ConfigError(
            "a newer easyllm wrote the history", where=str(store.path), hint="update easyllm"
        )
    if not _use_write_ahead_log(connection):
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS_WITHOUT_WAL * 1000)}")
    if version < DATABASE_VERSION:
        _migrate(store)


def _use_write_ahead_log(connection: sqlite3.Connection) -> bool:
    """Switch to WAL mode; returns whether the file system supports it.

    SQLite reports a lock on this switch at once, without waiting, so the wait is here.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(WAL_POLL_SECONDS)
        else:
            return bool(mode == "wal")


def _migrate(store: HistoryStore) -> None:
    """Run the scripts of the missing versions; another process may do the same meanwhile."""
    with store.transaction():
        for version in range(store.value("PRAGMA user_version"), DATABASE_VERSION):
            for statement in MIGRATIONS[version].split(";\n"):
                store.run(statement)
            store.run(f"PRAGMA user_version={version + 1}")


def move_damaged(path: Path) -> Path | None:
    """Rename a damaged database, so that the next write starts a new one.

    Returns the new path; None = the file is not damaged, e.g. replaced by another process.
    Raises:
        OutputError: it cannot be renamed.
    """
    with lock_file(path) as real_path:
        if not _is_damaged(real_path):
            return None
        moved = real_path.with_name(
            f"{path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        )
        try:
            os.replace(real_path, moved)
            for suffix in ("-wal", "-shm", "-journal"):
                with suppress(FileNotFoundError):
                    os.replace(f"{real_path}{suffix}", f"{moved}{suffix}")
        except OSError as error:
            raise _output_error(error, path) from None
        return moved


def _is_damaged(path: Path) -> bool:
    """Whether SQLite finds the file damaged; it reads all of it."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError as error:
        return _is_damage(error)


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as ConfigError (a damaged file) or OutputError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if _is_damage(error):
            raise ConfigError(
                "the history is damaged", where=str(path), code=DAMAGED,
                hint="move it away; the next answer starts a new one",
            ) from None  # fmt: skip
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise OutputError(
                "the history is locked by another process", where=str(path), hint="try again"
            ) from None
        if code == sqlite3.SQLITE_FULL:
            raise _output_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path) from None
        hint = HINTS.get(code, "")
        raise OutputError(
            f"the history cannot be used: {error}", where=str(path), hint=hint
        ) from error


def _output_error(error: OSError, path: Path) -> OutputError:
    return OutputError.from_os_error("the history cannot be used", error, str(path))


def placeholders(values: Iterable[Any]) -> str:
    """`?, ?, ?` for an IN list."""
    return ", ".join("?" for _ in values)
