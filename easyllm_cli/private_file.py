"""Checks owner and mode of private files, and writes them atomically under a lock.

Two concurrent writers wait for each other. A writer that is killed leaves the old file.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from .errors import ConfigError, OutputError

MAX_PRIVATE_FILE_BYTES = 1024 * 1024  # larger files are refused, not read
MAX_SYMLINKS = 40  # in a chain; the limit of Linux, path_resolution(7)


class NotRegularFileError(OSError):
    """A folder, a named pipe or a device is in the place of a file."""


def require_private(path: Path, what: str) -> None:
    """Require that only the user can read a file with keys, as ssh does for private keys.

    `what`: the setting or file that needs this, for the error line.
    Raises:
        ConfigError: others can read, write or replace it, or another user owns it.
        OSError: its status cannot be read.
    """
    if os.name == "nt":
        return  # file modes are not checked on Windows
    status = path.stat()
    if not _is_owned_by_user_or_root(status):
        raise ConfigError(
            f"{path} belongs to somebody else", hint=f"{what} needs a file that you own"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(
            f"{path} can be read by others, and {what} needs a private file",
            hint=f"chmod 600 {shlex.quote(str(path))}",
        )
    _require_not_replaceable(path, what)


def require_not_writable_by_others(path: Path, what: str) -> None:
    """Require that only the user or root can write or replace a file that easyllm obeys.

    If the path is a symbolic link, every link of the chain and its target are checked.

    Raises:
        ConfigError: another user owns it, its group or others can write it, or others can write
            its folder.
        OSError: its status cannot be read.
    """
    if os.name == "nt":
        return
    status, quoted_path = path.stat(), shlex.quote(str(path))
    if not _is_owned_by_user_or_root(status):
        sudo = "sudo " if os.getuid() else ""
        raise ConfigError(
            f"{what} belongs to somebody else (uid {status.st_uid})",
            where=str(path),
            hint="if you trust its content, make it yours: "
            f"{sudo}chown {os.getuid()} {quoted_path} && chmod 600 {quoted_path}",
        )
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise ConfigError(
            f"{what} can be written by others", where=str(path), hint=f"chmod 600 {quoted_path}"
        )
    _require_not_replaceable(path, what)


def _is_owned_by_user_or_root(status: os.stat_result) -> bool:
    """Whether the user or root owns the file."""
    return status.st_uid in {os.getuid(), 0}


def _require_not_replaceable(path: Path, what: str) -> None:
    """Raise ConfigError if another user can replace the file, or a link that leads to it."""
    for _ in range(MAX_SYMLINKS):
        require_folder_not_writable_by_others(path.parent, what)
        try:
            status = path.lstat()
        except FileNotFoundError:  # /dev/fd/63 of <(command): a pipe without a name
            return
        if not stat.S_ISLNK(status.st_mode):
            return
        if not _is_owned_by_user_or_root(status):
            raise ConfigError(
                f"the link to {what} belongs to somebody else", where=str(path),
                hint="use the path of the file that the link points to",
            )  # fmt: skip
        path = path.parent / path.readlink()


def require_folder_not_writable_by_others(folder: Path, what: str) -> None:
    """Raise ConfigError if others can write the folder, and so can replace the file in it.

    A sticky folder such as /tmp is allowed: only the owner of a file can replace it there.
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
    """Lock the file while the block runs; a missing folder is created with mode 0700.

    Yields the real path: of a symbolic link the target is written.
    Raises:
        ConfigError: others can write the folder, so a later run would refuse the file.
        OutputError: the folder cannot be written, or another writer holds the lock for 30 seconds.
    """
    from .file_lock import close_locked, wait_for_lock  # only who writes needs it

    try:
        real_path = path.resolve()
        make_private_folder(real_path.parent)
        require_folder_not_writable_by_others(real_path.parent, "this file")
        lock_path = real_path.with_name(f".{real_path.name}.lock")
        descriptor = open_private(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None
    except RuntimeError as error:  # symbolic links that form a loop
        raise OutputError(f"cannot be written: {error}", where=str(path)) from None
    try:
        wait_for_lock(descriptor, path)
        yield real_path
    finally:
        close_locked(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the file's content atomically, mode 0600; call it inside `lock_file`.

    Raises:
        OutputError: it cannot be written; the old file is unchanged.
    """
    new_path = path.with_name(f".{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            new_path.unlink()  # left over from a writer that was killed
        try:
            write_new_file(new_path, data)
            os.replace(new_path, path)
        except OSError:
            new_path.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, str(path)) from None


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 atomically; for caches: no lock, no sync, the last writer wins.

    A missing folder is created with mode 0700.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    make_private_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}")
    try:
        descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_new_file(path: Path, data: bytes) -> None:
    """Create a file with mode 0600 under any umask, and sync it to disk.

    On an error, such as a full disk or a second Ctrl-C, the file is removed.

    Raises:
        OSError: it exists already, or cannot be written.
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
    """Open a file with `os.open`; a file that it creates has mode 0600 under any umask.

    The mode is set at creation, so others can never read the file. A umask that removes the
    owner's own permissions is corrected afterwards. A file with content keeps its mode.
    """
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    if sys.platform != "win32" and flags & os.O_CREAT:
        status = os.fstat(descriptor)
        if status.st_mode & 0o600 != 0o600 and not status.st_size:
            os.fchmod(descriptor, 0o600)
    return descriptor


def open_regular(path: Path | str, flags: int) -> int:
    """Open a regular file as `open_private`; a named pipe or a device is refused without waiting.

    Raises:
        NotRegularFileError: it is no regular file. OSError: it cannot be opened.
    """
    no_wait = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = open_private(path, flags | no_wait)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotRegularFileError(errno.EINVAL, "it is not a regular file", str(path))


def make_private_folder(path: Path) -> None:
    """Create a folder and its missing parents, each with mode 0700 under any umask.

    Raises:
        OSError: a folder cannot be created.
    """
    if path.is_dir():
        return
    make_private_folder(path.parent)
    with suppress(FileExistsError):  # another process created it meanwhile
        path.mkdir(mode=0o700)
        path.chmod(0o700)


def _sync_folder(folder: Path) -> None:
    """Sync the folder, so that the new file name is on disk; ignored if the system cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
