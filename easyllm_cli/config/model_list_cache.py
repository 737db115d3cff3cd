"""The models that each profile's server offered when `models` was last run, for completion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ..private_file import make_private_folder, open_private
from .paths import state_folder

MAX_MODELS = 2000  # models of one profile
MAX_CACHE_BYTES = 1024 * 1024
# What a shell takes for a word as it stands: nothing that it would expand, run or show as ANSI.
SHELL_SAFE_WORD = re.compile(r"[\w.:/@+=,-]{1,200}")
IGNORED_FILE_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
)  # no home, a full disk, a name that is no file's


def is_shell_safe(text: str) -> bool:
    """Whether a shell can be given the text."""
    return SHELL_SAFE_WORD.fullmatch(text) is not None


def save_model_ids(profile_name: str, model_ids: Iterable[str]) -> None:
    """Keep the ids in a file of mode 0600 in the state folder; one that cannot be written is no
    matter."""
    lines = [f"{one}\n" for one in model_ids if is_shell_safe(one)][:MAX_MODELS]
    with suppress(*IGNORED_FILE_ERRORS):
        path = cache_path(profile_name)
        make_private_folder(path.parent)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            descriptor = open_private(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(lines)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def load_model_ids(profile_name: str) -> list[str]:
    """The ids that were kept; none where nothing can be read."""
    try:
        with cache_path(profile_name).open("rb") as file:
            text = file.read(MAX_CACHE_BYTES).decode("utf-8", "replace")
    except IGNORED_FILE_ERRORS:
        return []
    return [line for line in text.splitlines() if is_shell_safe(line)][:MAX_MODELS]


def cache_path(profile_name: str) -> Path:
    """A profile may have any name. Raises RuntimeError where there is no home."""
    return state_folder() / "models" / f"{quote(profile_name, safe='')}.txt"
