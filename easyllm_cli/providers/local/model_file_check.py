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
from ...private_file import open_private
from .model_files import DEMO_MODEL, DEMO_SHA256, is_demo_installed, model_path

GGUF_MAGIC = b"GGUF"  # a GGUF file's first four bytes (ggml's docs/gguf.md)


def require_model_file(path: Path, label: str) -> Path:
    """The path of a GGUF file, since the engine says nothing of why it cannot load one.

    Raises:
        ConfigError: it is missing, unreadable, no GGUF, or a demo model that is not whole.
    """
    is_demo = path == model_path(DEMO_MODEL)
    hint = "name a GGUF file, or leave the model out for the small demo model"
    try:
        with path.open("rb") as file:
            has_magic = file.read(len(GGUF_MAGIC)) == GGUF_MAGIC
    except FileNotFoundError:
        if is_demo:
            raise ConfigError(
                "the small demo model has not been fetched yet", hint="easyllm pull"
            ) from None
        raise ConfigError(f"there is no {label}", where=str(path), hint=hint) from None
    except OSError as error:
        reason = error.strerror
        raise ConfigError(
            f"the {label} cannot be read: {reason}", where=str(path), hint=hint
        ) from None
    if is_demo and not (has_magic and is_demo_installed() and is_intact_demo(path)):
        raise ConfigError("the small demo model is damaged", where=str(path), hint="easyllm pull")
    if not has_magic:
        raise ConfigError(f"the {label} is no GGUF file", where=str(path), hint=hint)
    return path


def is_intact_demo(path: Path, force_read: bool = False) -> bool:
    """Whether the file has every byte of the demo model; `anew`: they are read in any case.

    Raises:
        OSError: it cannot be read.
    """
    try:
        status = path.stat()  # before the bytes: a change meanwhile is then seen the next time
        stamp = f"{DEMO_SHA256} {status.st_size} {status.st_mtime_ns}"
        if not force_read and _read_stamp(path) == stamp:
            return True
        with path.open("rb") as file:
            is_intact = hashlib.file_digest(file, "sha256").hexdigest() == DEMO_SHA256
    except FileNotFoundError:
        return False
    if is_intact:
        with suppress(OSError):  # then they are read again the next time
            _write_stamp(path, stamp)
    return is_intact


def _stamp_path(path: Path) -> Path:
    """The file with what was seen; it is no model, and so never listed as one."""
    return path.with_name(f"{path.stem}.checked")


def _read_stamp(path: Path) -> str:
    try:
        with _stamp_path(path).open("rb") as file:
            return file.read(1000).decode("ascii", "replace")
    except OSError:
        return ""


def _write_stamp(path: Path, stamp: str) -> None:
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.checked")
    try:
        with open(temporary, "x", encoding="ascii", opener=open_private) as file:
            file.write(stamp)
        os.replace(temporary, _stamp_path(path))
    finally:
        temporary.unlink(missing_ok=True)
