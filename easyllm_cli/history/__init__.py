"""History: keeps finished calls in a database of the state folder, for later reading.

`record` makes the rows of a finished Call and `store` is the database. `calls`, `conversation`,
`search` and `export` read it; `deletion` deletes for good. Nothing here imports sqlite3 at start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.paths import state_folder
from ..errors import ConfigError, EasyLLMError, OutputError

if TYPE_CHECKING:
    from .record import Record
    from .store import HistoryStore

FIRST_NOTE = "answers are kept on this machine; easyllm history off stops that"
FILE_NAME = "history.db"
TEXTS_ON = "texts_on"  # key of `meta`: the day since which texts are kept, which a note has said
PRUNED_ON = "pruned_on"  # key of `meta`: the last day on which history_keep was applied


def history_path() -> Path:
    """Path of the database, existing or not.

    Raises:
        OutputError: the home folder is unknown.
    """
    try:
        return state_folder() / FILE_NAME
    except RuntimeError as error:
        raise OutputError(f"there is no folder for the history: {error}") from None


def save(
    record: Record,
    retention_seconds: Callable[[], float | None] = lambda: None,
    *,
    shows_notes: bool = True,
) -> list[str]:
    """Write the rows of a call; returns notes for the user.

    A note says that texts are kept from now on, or that a damaged file was moved.

    `retention_seconds`: gives the setting `history_keep`, None = keep all; called once a day.
    `shows_notes`: whether somebody reads the notes; if not, that of texts is for a later call.
    Raises:
        OutputError: the database cannot be written, or is locked for 2 seconds.
        ConfigError: a newer easyllm wrote it.
    """
    from .store import DAMAGED, move_damaged

    path = history_path()
    try:
        return _write(path, record, retention_seconds, shows_notes)
    except ConfigError as error:
        if error.code != DAMAGED:
            raise
    moved = move_damaged(path)
    notes = [f"the history was damaged and is now {moved}; a new one begins"] if moved else []
    return [*notes, *_write(path, record, retention_seconds, shows_notes)]


def retention_seconds(profiles_file: str | None = None) -> float | None:
    """The setting `history_keep` in seconds; None = all answers are kept.

    `profiles_file`: None = the user's.
    """
    from ..config.profiles_file import read_profiles
    from ..durations import parse_duration

    try:
        text = read_profiles(profiles_file).settings.history_keep
    except ConfigError:
        return None
    return parse_duration(text) if text else None


def _write(
    path: Path, record: Record, retention_seconds: Callable[[], float | None], shows_notes: bool
) -> list[str]:
    from .store import open_store

    with open_store(path, create=True) as store:
        with store.transaction():
            number = store.insert("call", record.call)
            has_text = record.conversation is not None
            keeps_first_text = shows_notes and has_text and store.meta(TEXTS_ON) is None
            if keeps_first_text:
                store.set_meta(TEXTS_ON, time.strftime("%Y-%m-%d"))
            for image in record.images:
                store.insert("image", {"call": number, **image})
            if record.conversation is not None:
                store.insert("conversation", record.conversation, or_ignore=True)
            is_first_today = store.meta(PRUNED_ON) != time.strftime("%Y-%m-%d")
        if is_first_today:
            # The answer is kept already: what fails here is tried again with the next one.
            with suppress(EasyLLMError):
                _apply_retention(store, retention_seconds())
    return [FIRST_NOTE] if keeps_first_text else []


def _apply_retention(store: HistoryStore, retention_seconds: float | None) -> None:
    """Delete expired calls for at most 0.3 s; when none is left, it is done for today.

    It never waits for another process.
    """
    store.run("PRAGMA busy_timeout=0")
    if retention_seconds is not None:
        from .deletion import delete_expired

        if not delete_expired(store, time.time() - retention_seconds):
            return
    with store.transaction():
        store.set_meta(PRUNED_ON, time.strftime("%Y-%m-%d"))
