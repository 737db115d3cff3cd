"""Saves the partial text of a failed answer to a file in the state folder."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from ..config.paths import state_folder
from ..private_file import make_private_folder, write_new_file

MAX_PARTIAL_ANSWERS = 20
# Names of saved answers; files with other names are never deleted.
FILE_NAME_PATTERN = re.compile(r"\d{8}T\d{6}Z-\d+(-\d+)?\.md", re.ASCII)


def save_partial_answer(text: str) -> Path:
    """Write the text to a new file of mode 0600 in the state folder; keep the newest 20.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        folder = state_folder() / "partial"
    except RuntimeError:
        raise OSError(errno.ENOENT, "there is no home folder") from None
    make_private_folder(folder)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = _write_new_file(folder, f"{stamp}-{os.getpid()}", text.encode("utf-8", "replace"))
    _delete_old_answers(folder)
    return path


def _write_new_file(folder: Path, name: str, data: bytes) -> Path:
    """Write to a new name: process ids repeat, in containers above all."""
    for number in range(100):
        path = folder / (f"{name}-{number}.md" if number else f"{name}.md")
        with suppress(FileExistsError):
            write_new_file(path, data)
            return path
    raise FileExistsError(errno.EEXIST, "too many files of one name", str(path))


def _delete_old_answers(folder: Path) -> None:
    """Delete all but the newest saved answers.

    Another process may do the same, so errors are ignored. If the folder is a link or belongs to
    another user, nothing is deleted: it may contain anything.
    """
    with suppress(OSError):
        if folder.is_symlink() or (os.name != "nt" and folder.stat().st_uid != os.getuid()):
            return
    aged: list[tuple[float, Path]] = []
    for path in folder.glob("*.md"):
        with suppress(OSError):
            status = path.lstat()
            if FILE_NAME_PATTERN.fullmatch(path.name) and stat.S_ISREG(status.st_mode):
                aged.append((status.st_mtime, path))
    for _, path in sorted(aged)[:-MAX_PARTIAL_ANSWERS]:
        with suppress(OSError):
            path.unlink()
