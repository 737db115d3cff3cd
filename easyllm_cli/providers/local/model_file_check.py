"""Whether a model's file is what it should be, before the engine is given it.

Of the demo model every byte is known. They are read once, and again when the file has changed: its
size and time of change then stand in a small file beside it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigError
from ...private_file import open_closed
from .model_files import DEMO, DEMO_SHA256, demo_is_there, path_of

MAGIC = b"GGUF"  # a GGUF file's first four bytes (ggml's docs/gguf.md)


def checked(path: Path, what: str) -> Path:
    """The path of a GGUF file, since the engine says nothing of why it cannot load one.

    Raises:
        ConfigError: it is missing, unreadable, no GGUF, or a demo model that is not whole.
    """
    is_demo = path == path_of(DEMO)
    another = "name a GGUF file, or leave the model out for the small demo model"
    try:
        with path.open("rb") as file:
            begins_well = file.read(len(MAGIC)) == MAGIC
    except FileNotFoundError:
        if is_demo:
            raise ConfigError(
                "the small demo model has not been fetched yet", hint="easyllm pull"
            ) from None
        raise ConfigError(f"there is no {what}", where=str(path), hint=another) from None
    except OSError as error:
        why = error.strerror
        raise ConfigError(
            f"the {what} cannot be read: {why}", where=str(path), hint=another
        ) from None
    if is_demo and not (begins_well and demo_is_there() and is_whole(path)):
        raise ConfigError("the small demo model is damaged", where=str(path), hint="easyllm pull")
    if not begins_well:
        raise ConfigError(f"the {what} is no GGUF file", where=str(path), hint=another)
    return path


def is_whole(path: Path, anew: bool = False) -> bool:
    """Whether the file has every byte of the demo model; `anew`: they are read in any case.

    Raises:
        OSError: it cannot be read.
    """
    try:
        state = path.stat()  # before the bytes: a change meanwhile is then seen the next time
        seen = f"{DEMO_SHA256} {state.st_size} {state.st_mtime_ns}"
        if not anew and _noted(path) == seen:
            return True
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == DEMO_SHA256
    except FileNotFoundError:
        return False
    if whole:
        with suppress(OSError):  # then they are read again the next time
            _note(path, seen)
    return whole


def _beside(path: Path) -> Path:
    """The file with what was seen; it is no model, and so never listed as one."""
    return path.with_name(f"{path.stem}.checked")


def _noted(path: Path) -> str:
    try:
        with _beside(path).open("rb") as file:
            return file.read(1000).decode("ascii", "replace")
    except OSError:
        return ""


def _note(path: Path, seen: str) -> None:
    new = path.with_name(f"{path.stem}.{os.getpid()}.checked")
    try:
        with open(new, "x", encoding="ascii", opener=open_closed) as file:
            file.write(seen)
        os.replace(new, _beside(path))
    finally:
        new.unlink(missing_ok=True)
