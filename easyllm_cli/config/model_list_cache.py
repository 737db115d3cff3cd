"""Cache of each profile's model ids from the last `models` command, for shell completion."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ..private_file import write_private_file
from .paths import state_folder

MAX_MODELS = 2000  # per profile
MAX_CACHE_BYTES = 1024 * 1024
# A word that a shell takes literally: no expansion, command or escape sequence.
SHELL_SAFE_WORD = re.compile(r"[\w.:/@+=,-]{1,200}")
# A full disk, an unknown home folder, a name that cannot be a file name.
IGNORED_FILE_ERRORS = (OSError, RuntimeError, ValueError)


def is_shell_safe(text: str) -> bool:
    """Return whether a shell takes the text literally."""
    return SHELL_SAFE_WORD.fullmatch(text) is not None


def save_model_ids(profile_name: str, model_ids: Iterable[str]) -> None:
    """Save the ids in a file of mode 0600 in the state folder; write errors are ignored."""
    lines = [f"{model_id}\n" for model_id in model_ids if is_shell_safe(model_id)][:MAX_MODELS]
    with suppress(*IGNORED_FILE_ERRORS):
        write_private_file(cache_path(profile_name), "".join(lines).encode())


def load_model_ids(profile_name: str) -> list[str]:
    """The saved ids; an empty list when the file cannot be read."""
    try:
        with cache_path(profile_name).open("rb") as file:
            text = file.read(MAX_CACHE_BYTES).decode("utf-8", "replace")
    except IGNORED_FILE_ERRORS:
        return []
    return [line for line in text.splitlines() if is_shell_safe(line)][:MAX_MODELS]


def cache_path(profile_name: str) -> Path:
    """Path of a profile's model list; the profile's name is percent-encoded.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return state_folder() / "models" / f"{quote(profile_name, safe='')}.txt"
