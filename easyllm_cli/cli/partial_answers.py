"""Keeps what came of an answer that failed, so that no byte of it is lost."""

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
# What `keep` calls a file; no other is ever forgotten, whoever put it there.
FILE_NAME_PATTERN = re.compile(r"\d{8}T\d{6}Z-\d+(-\d+)?\.md", re.ASCII)


def save_partial_answer(text: str) -> Path:
    """Write the text to a new file of mode 0600 in the state folder; the newest 20 stay.

    Raises:
        OSError: it cannot be written.
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
    """A file of its own: process numbers come again, in containers above all."""
    for number in range(100):
        path = folder / (f"{name}-{number}.md" if number else f"{name}.md")
        with suppress(FileExistsError):
            write_new_file(path, data)
            return path
    raise FileExistsError(errno.EEXIST, "too many files of one name", str(path))


def _delete_old_answers(folder: Path) -> None:
    """Others may be doing the same: what is gone already, or is no file of ours, is left.

    Where the folder is a link or somebody else's, nothing is forgotten: it may hold anything.
    """
    with suppress(OSError):
        if folder.is_symlink() or (os.name != "nt" and folder.stat().st_uid != os.getuid()):
            return
    aged: list[tuple[float, Path]] = []
    for path in folder.glob("*.md"):
        with suppress(OSError):
            state = path.lstat()
            if FILE_NAME_PATTERN.fullmatch(path.name) and stat.S_ISREG(state.st_mode):
                aged.append((state.st_mtime, path))
    for _, path in sorted(aged)[:-MAX_PARTIAL_ANSWERS]:
        with suppress(OSError):
            path.unlink()
