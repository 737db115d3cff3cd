"""The models that each profile's server offered when `models` was last run, for completion."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ..private_file import make_folder, open_closed
from .paths import state_folder

MOST = 2000  # models of one profile
MAX_BYTES = 1024 * 1024
# What a shell takes for a word as it stands: nothing that it would expand, run or show as ANSI.
WORD = re.compile(r"[\w.:/@+=,-]{1,200}")
FAILS = (OSError, RuntimeError, ValueError)  # no home, a full disk, a name that is no file's


def is_word(text: str) -> bool:
    """Whether a shell can be given the text."""
    return WORD.fullmatch(text) is not None


def remember(profile: str, ids: Iterable[str]) -> None:
    """Keep the ids in a file of mode 0600 in the state folder; one that cannot be written is no
    matter."""
    lines = [f"{one}\n" for one in ids if is_word(one)][:MOST]
    with suppress(*FAILS):
        path = file_of(profile)
        make_folder(path.parent)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            descriptor = open_closed(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.writelines(lines)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def known_models(profile: str) -> list[str]:
    """The ids that were kept; none where nothing can be read."""
    try:
        with file_of(profile).open("rb") as file:
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
    except FAILS:
        return []
    return [line for line in text.splitlines() if is_word(line)][:MOST]


def file_of(profile: str) -> Path:
    """A profile may have any name. Raises RuntimeError where there is no home."""
    return state_folder() / "models" / f"{quote(profile, safe='')}.txt"
