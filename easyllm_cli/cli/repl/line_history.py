"""The file of typed questions: one entry a line, the newest 1,000, readable by its owner alone."""

from __future__ import annotations

import os
from contextlib import suppress

from ...config.paths import state_folder
from ...private_file import make_private_folder, open_regular, write_private_file

FILE_NAME = "repl_history"
MAX_ENTRIES = 1000
MAX_ENTRY_CHARS = 64 * 1024  # a longer paste is not kept in the file
MAX_FILE_BYTES = 16 * 1024 * 1024  # read at start; beyond it a file is not ours
# No home folder, a full disk, no permission, or no regular file: then nothing is kept.
IGNORED_ERRORS = (OSError, RuntimeError)


def load_entries() -> list[str]:
    """The newest entries, oldest first; a file that has grown long is shortened."""
    try:
        path = state_folder() / FILE_NAME
        with open(open_regular(path, os.O_RDONLY), "rb") as file:
            data = file.read(MAX_FILE_BYTES)
    except IGNORED_ERRORS:
        return []
    # readline takes no null character; a crash of the machine leaves some in files.
    lines = data.replace(b"\0", b"").decode("utf-8", "replace").split("\n")[:-1]
    if len(lines) > 2 * MAX_ENTRIES:
        kept = "".join(f"{line}\n" for line in lines[-MAX_ENTRIES:])
        with suppress(*IGNORED_ERRORS):
            write_private_file(path, kept.encode())
    return [_unescape(line) for line in lines[-MAX_ENTRIES:]]


def append_entry(text: str) -> None:
    """Add an entry in one write, so that several repls share the file."""
    if len(text) > MAX_ENTRY_CHARS:
        return
    line = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n") + "\n"
    with suppress(*IGNORED_ERRORS):
        path = state_folder() / FILE_NAME
        make_private_folder(path.parent)
        descriptor = open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)


def _unescape(line: str) -> str:
    """The reverse of the escapes: `\\\\`, `\\n` and `\\r`."""
    characters = {"n": "\n", "r": "\r"}
    first, *rest = line.split("\\\\")
    parts = [first, *rest]
    for letter, character in characters.items():
        parts = [part.replace(f"\\{letter}", character) for part in parts]
    return "\\".join(parts)
