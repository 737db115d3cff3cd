"""Deletes calls for good: no byte of their texts stays in the database's files.

It works in short transactions, so that other processes can keep their answers meanwhile.
"""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import OutputError
from .record import make_title
from .search import MERGE_PAGES, purge_index, remove_from_index, rewind_index
from .store import HistoryStore, placeholders

MAX_FREE_SHARE = 0.25  # of the file's pages; beyond it the file is made smaller
SLICE_CALLS = 20  # in one transaction
PRUNE_SECONDS = 0.3  # spent at most after one answer
UNERASED = "unerased"  # key of `meta`: 1 = texts of deleted calls may still be in the files


def delete_calls(store: HistoryStore, ids: list[str]) -> int:
    """Delete calls, and conversations that lose their last call; returns how many calls it found.

    The texts are overwritten in the file (`secure_delete`), in the index and in the log.
    Raises:
        OutputError: another process writes or reads the database all the time.
    """
    slices = range(0, len(ids), SLICE_CALLS)
    deleted = sum(_delete_slice(store, ids[start : start + SLICE_CALLS]) for start in slices)
    finish_deletion(store)
    return deleted


def _delete_slice(store: HistoryStore, ids: list[str]) -> int:
    """Delete at most SLICE_CALLS calls in one transaction; returns how many it found."""
    with store.short_transaction():
        rows = store.select(
            f"SELECT n, conversation FROM call WHERE id IN ({placeholders(ids)})", ids
        )
        numbers = [row["n"] for row in rows]
        remove_from_index(store, numbers)
        marks = placeholders(numbers)
        store.run(f"DELETE FROM image WHERE call IN ({marks})", numbers)
        store.run(f"DELETE FROM call WHERE n IN ({marks})", numbers)
        for conversation in {row["conversation"] for row in rows} - {None}:
            _update_conversation(store, conversation)
        rewind_index(store)
        if numbers:
            store.set_meta(UNERASED, 1)
    return len(numbers)


def _update_conversation(store: HistoryStore, id: str) -> None:
    """Delete a conversation without calls; else its title is of the oldest call that is left."""
    rows = store.select("SELECT prompt FROM call WHERE conversation = ? ORDER BY n LIMIT 1", (id,))
    if not rows:
        store.run("DELETE FROM conversation WHERE id = ?", (id,))
        return
    title = make_title(rows[0]["prompt"] or "")
    store.run("UPDATE conversation SET title = ? WHERE id = ?", (title, id))


def finish_deletion(store: HistoryStore) -> bool:
    """Erase the texts of deleted calls that are left in the files; returns whether there were any.

    Raises:
        OutputError: another process writes or reads the database all the time.
    """
    if not store.meta(UNERASED):
        return False
    while purge_index(store, MERGE_PAGES):
        pass
    free = store.value("PRAGMA freelist_count") / max(store.value("PRAGMA page_count"), 1)
    if free > MAX_FREE_SHARE:
        store.run("VACUUM")
    checkpoint_wal(store)
    return True


def checkpoint_wal(store: HistoryStore) -> None:
    """Write the log (the -wal file), which holds old pages, into the database and truncate it.

    Raises:
        OutputError: another process reads an older state, which the log holds.
    """
    if store.value("PRAGMA wal_checkpoint(TRUNCATE)"):
        raise OutputError(
            "the answers are deleted, but their texts are still in the log of the history:"
            " another process reads it",
            where=str(store.path), hint="run it again when that process has ended",
        )  # fmt: skip
    with store.transaction():
        store.run("DELETE FROM meta WHERE key = ?", (UNERASED,))


def ids_before(store: HistoryStore, moment: float, limit: int = -1) -> list[str]:
    """The ids of calls that started before a moment, the oldest first; limit -1 = all."""
    statement = "SELECT id FROM call WHERE started_at < ? ORDER BY started_at LIMIT ?"
    return [row["id"] for row in store.select(statement, (moment, limit))]


def delete_expired(store: HistoryStore, moment: float) -> bool:
    """Delete calls from before a moment, for at most 0.3 s; returns whether all is done.

    The file is not made smaller: later answers use the free pages.
    """
    deadline = time.monotonic() + PRUNE_SECONDS
    while ids := ids_before(store, moment, SLICE_CALLS):
        _delete_slice(store, ids)
        if time.monotonic() > deadline:
            return False
    if store.meta(UNERASED):
        while purge_index(store, MERGE_PAGES):
            if time.monotonic() > deadline:
                return False
        checkpoint_wal(store)
    return True


def damaged_files(path: Path) -> list[Path]:
    """Damaged databases that were moved (`move_damaged`), with their logs."""
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))
