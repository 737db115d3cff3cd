"""A file that is its owner's alone: refused when others may read or write it, written whole or not.

Two writers at once come one after the other, and a writer that is killed leaves the old file.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ConfigError, OutputError

MAX_PRIVATE_FILE_BYTES = 1024 * 1024  # DESIGN §6: larger files are refused unread
MAX_SYMLINKS = 40  # one leading to the next, as Linux follows them
LOCK_TIMEOUT_SECONDS = 30.0  # far longer than any edit takes
LOCK_POLL_SECONDS = 0.01  # seconds


def require_private(path: Path, what: str) -> None:
    """A file that holds keys is the user's own and closed to others, as with ssh.

    Raises:
        ConfigError: others may read it, or somebody else owns it.
        OSError: it cannot be looked at.
    """
    if os.name == "nt":
        return  # DESIGN §2: Windows runs without mode checks
    status = path.stat()
    if not _is_owned_by_user_or_root(status):
        raise ConfigError(f"{path} belongs to somebody else", hint=f"{what} needs your own file")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(
            f"{path} can be read by others, and {what} needs a closed file",
            hint=f"chmod 600 {shlex.quote(str(path))}",
        )
    _require_not_replaceable(path, what)


def require_not_writable_by_others(path: Path, what: str) -> None:
    """A file that is obeyed is the user's or root's, and nobody else can write or replace it.

    Where the path is a link, every link on the way and what it leads to count.

    Raises:
        ConfigError: somebody else owns it, its group or others can write it, or its folder is
            open to others.
        OSError: it cannot be looked at.
    """
    if os.name == "nt":
        return
    status, quoted_path = path.stat(), shlex.quote(str(path))
    if not _is_owned_by_user_or_root(status):
        sudo = "sudo " if os.getuid() else ""
        raise ConfigError(
            f"{what} belongs to somebody else (uid {status.st_uid})",
            where=str(path),
            hint="if you trust what it holds, make it yours: "
            f"{sudo}chown {os.getuid()} {quoted_path} && chmod 600 {quoted_path}",
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise ConfigError(
            f"{what} can be written by others", where=str(path), hint=f"chmod 600 {quoted_path}"
        )
    _require_not_replaceable(path, what)


def _is_owned_by_user_or_root(status: os.stat_result) -> bool:
    """Whether it belongs to the user or to root."""
    return status.st_uid in {os.getuid(), 0}


def _require_not_replaceable(path: Path, what: str) -> None:
    """Raise ConfigError where somebody else can put another file, or another link, in its place."""
    for _ in range(MAX_SYMLINKS):
        require_folder_not_writable_by_others(path.parent, what)
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode):
            return
        if not _is_owned_by_user_or_root(status):
            raise ConfigError(
                f"the link to {what} belongs to somebody else", where=str(path),
                hint="name the file that it leads to",
            )  # fmt: skip
        path = path.parent / path.readlink()


def require_folder_not_writable_by_others(folder: Path, what: str) -> None:
    """Raise ConfigError where others can write the folder, and so replace the file in it.

    A sticky folder such as /tmp is none: there only the owner can replace a file.
    """
    if os.name == "nt":
        return
    status = folder.stat()
    if status.st_mode & stat.S_ISVTX:
        return
    if not _is_owned_by_user_or_root(status):
        raise ConfigError(
            f"the folder of {what} belongs to somebody else (uid {status.st_uid})",
            where=str(folder), hint="keep the file in a folder of your own",
        )  # fmt: skip
    if status.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"the folder of {what} can be written by others", where=str(folder),
            hint=f"chmod o-w {shlex.quote(str(folder))}",
        )  # fmt: skip


@contextmanager
def lock_file(path: Path) -> Iterator[Path]:
    """Nobody else writes the file while the block runs; its folder is made (0700) if need be.

    Gives the file's real path: where it is a link, what it leads to is written.
    Raises:
        ConfigError: others can write the folder, so what is written would not be believed.
        OutputError: the folder cannot be written, or another writer holds it for 30 seconds.
    """
    try:
        real_path = path.resolve()
        make_private_folder(real_path.parent)
        require_folder_not_writable_by_others(real_path.parent, "this file")
        lock_path = real_path.with_name(f".{real_path.name}.lock")
        descriptor = open_private(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None
    except RuntimeError as error:  # links in a circle
        raise OutputError(f"cannot be written: {error}", where=str(path)) from None
    try:
        _wait_for_lock(descriptor, path)
        yield real_path
    finally:
        os.close(descriptor)  # the lock ends with it, as it does with the process


def _wait_for_lock(descriptor: int, path: Path) -> None:
    """Until the lock is ours."""
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    try:
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                message = f"another easyllm has been writing for {LOCK_TIMEOUT_SECONDS:g} s"
                raise OutputError(message, where=str(path), hint="is one of them stopped?")
            time.sleep(LOCK_POLL_SECONDS)
    except OSError as error:  # a file system without locks
        raise OutputError.from_os_error("cannot be locked", error, str(path)) from None


def _try_lock(descriptor: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def replace_file(path: Path, data: bytes) -> None:
    """Put these bytes in the file's place, mode 0600; only while it is `locked`.

    Raises:
        OutputError: they cannot be written; the file is as it was.
    """
    new_path = path.with_name(f".{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            new_path.unlink()  # of a writer that was killed
        try:
            write_new_file(new_path, data)
            os.replace(new_path, path)
        except OSError:
            new_path.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None


def write_new_file(path: Path, data: bytes) -> None:
    """A file that was not there, mode 0600 under any umask, on the disk when this returns.

    Whole or not at all: on a full disk, or at a second Ctrl-C, nothing is left of it.

    Raises:
        OSError: it is there, or cannot be written.
    """
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_private(path: Path | str, flags: int) -> int:
    """A file's descriptor, as `os.open` gives it; a file that is made is 0600 under any umask.

    From its first instant nobody else may read it; a umask that takes the owner's own rights is
    undone.
    """
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    if sys.platform != "win32" and os.fstat(descriptor).st_mode & 0o600 != 0o600:
        os.fchmod(descriptor, 0o600)
    return descriptor


def make_private_folder(path: Path) -> None:
    """The folder and those above it that are missing, each 0700 under any umask.

    Raises:
        OSError: one cannot be made.
    """
    if path.is_dir():
        return
    make_private_folder(path.parent)
    with suppress(FileExistsError):  # another one was faster
        path.mkdir(mode=0o700)
        path.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    """The new name, too, is on the disk; where folders cannot be synced, it is left."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
