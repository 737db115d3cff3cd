"""Checks a model file before the engine loads it: GGUF header, and the demo model's SHA-256.

The demo model is hashed once, and again after it has changed: a stamp file beside it stores the
hash, size and modification time of the checked file.
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
GGUF_HINT = "give the path of a GGUF file, or leave the model out to use the small demo model"


def require_model_file(path: Path, label: str, hint: str = GGUF_HINT) -> Path:
    """Return the path if it is a readable GGUF file.

    Checked here because the engine does not tell why it cannot load a file. `label` names the file
    in error lines, `hint` says what to do if it is missing or cannot be read.

    Raises:
        ConfigError: the file is missing, unreadable, not GGUF, or a damaged demo model.
    """
    is_demo = path == model_path(DEMO_MODEL)
    try:
        with path.open("rb") as file:
            has_magic = file.read(len(GGUF_MAGIC)) == GGUF_MAGIC
    except FileNotFoundError:
        if is_demo:
            raise ConfigError(
                "the small demo model is not installed", hint="easyllm pull"
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
        raise ConfigError(f"the {label} is not a GGUF file", where=str(path), hint=hint)
    return path


def is_intact_demo(path: Path, force_read: bool = False) -> bool:
    """Whether the file's SHA-256 is the demo model's.

    `force_read`: hash the file even if its stamp is valid.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        status = path.stat()  # before hashing, so that a change meanwhile is noticed the next time
        stamp = f"{DEMO_SHA256} {status.st_size} {status.st_mtime_ns}"
        if not force_read and _read_stamp(path) == stamp:
            return True
        with path.open("rb") as file:
            is_intact = hashlib.file_digest(file, "sha256").hexdigest() == DEMO_SHA256
    except FileNotFoundError:
        return False
    if is_intact:
        with suppress(OSError):  # then the file is hashed again the next time
            _write_stamp(path, stamp)
    return is_intact


def _stamp_path(path: Path) -> Path:
    """Return the path of the stamp file; its suffix keeps it out of model lists."""
    return path.with_name(f"{path.stem}.checked")


def _read_stamp(path: Path) -> str:
    """Return the stamp of a model file; "" = there is none."""
    try:
        with _stamp_path(path).open("rb") as file:
            return file.read(1000).decode("ascii", "replace")
    except OSError:
        return ""


def _write_stamp(path: Path, stamp: str) -> None:
    """Replace the stamp file atomically."""
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.checked")
    try:
        with open(temporary, "x", encoding="ascii", opener=open_private) as file:
            file.write(stamp)
        os.replace(temporary, _stamp_path(path))
    finally:
        temporary.unlink(missing_ok=True)
