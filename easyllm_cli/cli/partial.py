"""Keeps what came of an answer that failed, so that no byte of it is lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..folders import state_folder

KEPT = 20


def keep(text: str) -> Path:
    """Write the text to a new file of mode 0600 in the state folder; the newest 20 stay.

    Raises:
        OSError: it cannot be written.
    """
    folder = state_folder() / "partial"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = folder / f"{stamp}-{os.getpid()}.md"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode("utf-8", "replace"))
    for old in sorted(folder.glob("*.md"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path
