"""Deletes calls for good: no byte of their texts stays in the database's files."""

from __future__ import annotations

from pathlib import Path

from .search import merge_index, remove_from_index
from .store import MAX_VALUES, HistoryStore, placeholders

MAX_FREE_SHARE = 0.25  # of the file's pages; beyond it the file is made smaller
PRUNE_CALLS = 500  # deleted at most after one answer, so that it never takes long


def delete_calls(store: HistoryStore, numbers: list[int]) -> None:
    """Delete calls by their `n`, and conversations that lose their last call.

    The texts are overwritten in the file (`secure_delete`), in the index and in the log.
    Raises:
        OutputError: another process uses the database all the time.
    """
    with store.transaction():
        remove_from_index(store, numbers)
        for start in range(0, len(numbers), MAX_VALUES):
            some = numbers[start : start + MAX_VALUES]
            marks = placeholders(some)
            store.run(f"DELETE FROM image WHERE call IN ({marks})", some)
            store.run(f"DELETE FROM call WHERE n IN ({marks})", some)
        store.run(
            "DELETE FROM conversation WHERE NOT EXISTS"
            " (SELECT 1 FROM call WHERE call.conversation = conversation.id)"
        )
        merge_index(store)
    free = store.value("PRAGMA freelist_count") / max(store.value("PRAGMA page_count"), 1)
    if free > MAX_FREE_SHARE:
        store.run("VACUUM")
    empty_log(store)


def empty_log(store: HistoryStore) -> None:
    """Write the log (the -wal file), which holds old pages, into the database and truncate it."""
    store.run("PRAGMA wal_checkpoint(TRUNCATE)")


def calls_before(store: HistoryStore, moment: float, limit: int = -1) -> list[int]:
    """The `n` of calls that started before a moment, the oldest first; limit -1 = all."""
    statement = "SELECT n FROM call WHERE started_at < ? ORDER BY started_at LIMIT ?"
    return [row["n"] for row in store.select(statement, (moment, limit))]


def delete_expired(store: HistoryStore, moment: float) -> bool:
    """Delete at most 500 calls from before a moment; returns whether none is left."""
    numbers = calls_before(store, moment, PRUNE_CALLS)
    if numbers:
        delete_calls(store, numbers)
    return len(numbers) < PRUNE_CALLS


def damaged_files(path: Path) -> list[Path]:
    """Damaged databases that were moved (`move_damaged`), with their logs."""
    return sorted(path.parent.glob(f"{path.name}.corrupt-*"))
