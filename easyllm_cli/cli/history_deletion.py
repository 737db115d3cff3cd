"""Deletes calls of the history for a command: finds them, asks, and deletes them for good."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import typer

from ..errors import ConfigError, UsageError
from ..history import history_path
from ..history.calls import (
    conversation_calls,
    find_call,
    find_conversation,
)
from ..history.deletion import damaged_files, delete_calls, finish_deletion, ids_before
from ..history.store import DAMAGED, HistoryStore, move_damaged, open_store
from ..render.output import print_notice


def delete_from_history(
    ids: list[str], conversation: str | None, before: float | None, everything: bool, yes: bool
) -> int:
    """Delete calls by id, by conversation, by age (seconds since 1970), or all; returns 0.

    Raises:
        ConfigError: there is no such call or conversation.
        UsageError: the user did not confirm, or cannot be asked.
        OutputError: the history cannot be written.
    """
    path = history_path()
    try:
        with open_store(path, create=False) as store:
            if finish_deletion(store):
                print_notice("easyllm: erased the texts that an earlier deletion had left")
            found = _find_ids(store, ids, conversation, before)
            _confirm(len(found), yes)
            print_notice(f"easyllm: deleted {_count(delete_calls(store, found))}")
    except FileNotFoundError:
        print_notice("easyllm: no answers are kept, so none was deleted")
    except ConfigError as error:
        if error.code != DAMAGED or not everything:
            raise
        _confirm(None, yes)
        move_damaged(path)
    if everything:
        _remove_damaged(path)
    return 0


def _find_ids(
    store: HistoryStore, ids: list[str], conversation: str | None, before: float | None
) -> list[str]:
    """The ids of the calls that are meant; without ids, conversation and time all.

    Not their `n`: while the user is asked, another process may delete a call, and SQLite gives its
    `n` to the next one.
    """
    if ids:
        return list({find_call(store, id)["id"] for id in ids})
    if conversation is not None:
        found = find_conversation(store, conversation)["id"]
        return [row["id"] for row in conversation_calls(store, found)]
    if before is not None:
        return ids_before(store, before)
    return [row["id"] for row in store.select("SELECT id FROM call")]


def _confirm(count: int | None, yes: bool) -> None:
    """Ask on a terminal. `count` None = a damaged file, whose calls cannot be counted."""
    if yes or count == 0:
        return
    what = "the damaged history" if count is None else _count(count)
    if not os.isatty(0):
        raise UsageError(f"{what} would be deleted for good", hint="confirm it with --yes")
    if not typer.confirm(f"Delete {what} for good?", default=False, err=True):
        raise UsageError("nothing was deleted", hint="answer y, or use --yes")


def _count(calls: int) -> str:
    return f"{calls} answer{'s' * (calls != 1)}"


def _remove_damaged(path: Path) -> None:
    """Remove damaged files that were moved away before; they may hold texts, too."""
    for file in damaged_files(path):
        with suppress(OSError):
            file.unlink()
            print_notice(f"easyllm: removed {file}")
