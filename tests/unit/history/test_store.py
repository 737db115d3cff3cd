"""The history's file: modes, migration, damage, locks, and writers that are killed."""

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from easyllm_cli import history
from easyllm_cli.errors import ConfigError, OutputError
from easyllm_cli.history import schema
from easyllm_cli.history import store as history_store
from easyllm_cli.history.calls import CallFilter, newest_calls
from easyllm_cli.history.conversation import read_conversation
from easyllm_cli.history.search import search_calls
from easyllm_cli.history.store import DAMAGED, open_store
from tests.support import ROOT
from tests.support.history import record, save

WRITER = """
import sys
from tests.support.history import save
for number in range(int(sys.argv[2])):
    save(id=f"{sys.argv[1]}{number:012}")
    print(number, flush=True)
"""


def count() -> int:
    with open_store(history.history_path(), create=False) as store:
        return int(store.value("SELECT count(*) FROM call"))


def start_writer(name: str, calls: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, name, str(calls)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_call_comes_back_as_it_was_saved() -> None:
    rows = save("What?", "This.", reasoning="Hm.", cost_usd=0.5, cost_source="provider")
    with open_store(history.history_path(), create=False) as store:
        (row,) = store.select("SELECT * FROM call")
    assert {key: row[key] for key in rows.call} == rows.call
    assert (row["n"], row["calls"], row["prompt"], row["text"]) == (1, 1, "What?", "This.")


def test_only_the_first_call_of_all_is_announced() -> None:
    """A call whose notes nobody reads, of a script or of the library, is not that one."""
    assert history.save(record(id="0ccccccccccccccc"), shows_notes=False) == []
    assert history.save(record()) == [history.FIRST_NOTE]
    assert history.save(record(id="0bbbbbbbbbbbbbbb")) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_hist_4_every_file_is_private_under_any_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        save()
        with open_store(history.history_path(), create=False) as store, store.transaction():
            store.set_meta("x", 1)
            files = sorted(history.history_path().parent.iterdir())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("history.db", "history.db-shm", "history.db-wal"), 0o600)
    assert stat.S_IMODE(history.history_path().parent.stat().st_mode) == 0o700


def test_hist_4_a_file_that_others_can_read_is_closed() -> None:
    save()
    history.history_path().chmod(0o644)
    save(id="0bbbbbbbbbbbbbbb")
    assert stat.S_IMODE(history.history_path().stat().st_mode) == 0o600


@pytest.mark.usefixtures("repeated")
def test_hist_2_after_kill_9_every_acknowledged_row_is_there() -> None:
    writers = [start_writer(f"0{name}", 10_000) for name in ("aaa", "bbb", "ccc", "ddd")]
    acknowledged = 0
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(random.randint(1, 20)):
            acknowledged += bool(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged += len(writer.communicate()[0].splitlines())
    assert acknowledged >= len(writers)
    assert count() >= acknowledged
    with open_store(history.history_path(), create=False) as store:
        assert store.value("PRAGMA integrity_check") == "ok"


def test_hist_12_a_newer_schema_is_left_alone() -> None:
    save()
    path = history.history_path()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="a newer easyllm wrote the history"):
        save(id="0bbbbbbbbbbbbbbb")
    assert path.read_bytes() == before


def test_hist_12_a_file_of_every_schema_opens(tmp_path: Path) -> None:
    """Each file holds two turns of a conversation, a call without texts, and a full-text index."""
    fixtures = sorted((ROOT / "tests" / "support" / "history_files").glob("schema-*.db"))
    assert [file.name for file in fixtures] == [
        f"schema-{number}.db" for number in range(1, len(schema.MIGRATIONS) + 1)
    ]
    for file in fixtures:
        path = Path(shutil.copy(file, tmp_path))
        with open_store(path, create=False) as store:
            assert store.value("PRAGMA user_version") == schema.DATABASE_VERSION
            newest, *_ = newest_calls(store, CallFilter(), 3)
            (found,) = search_calls(store, ["Rust?"], CallFilter(), 3)
            (conversation,) = store.select("SELECT * FROM conversation")
            texts = [each.text for each in read_conversation(store, conversation).messages]
            with store.transaction():
                store.insert("call", record(id="0eeeeeeeeeeeeeee").call)
        assert (newest["prompt"], newest["total_tokens"]) == (None, 46)
        assert found["id"] == "0bbbbbbbbbbbbbbb"
        assert texts == ["What is Python?", "A language.", "And Rust?", "Another one."]


@pytest.mark.parametrize("content", [b"no database\n" * 100, b"SQLite format 3\0" + b"x" * 9000])
def test_a_damaged_file_is_moved_and_a_new_one_begins(content: bytes) -> None:
    path = history.history_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught, open_store(path, create=False):
        pass
    assert caught.value.code == DAMAGED
    notes = history.save(record())
    (moved,) = path.parent.glob("history.db.corrupt-*")
    assert moved.read_bytes() == content
    assert str(moved) in notes[0]
    assert count() == 1


def test_a_damaged_page_moves_the_file_too() -> None:
    for number in range(40):
        save("x" * 2000, id=f"0{number:015}")
    path = history.history_path()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    history.save(record(id="0bbbbbbbbbbbbbbb"))
    assert count() == 1
    assert len(list(path.parent.glob("history.db.corrupt-*"))) == 1


@pytest.mark.parametrize("create", [True, False])
def test_a_named_pipe_is_an_error(create: bool) -> None:
    path = history.history_path()
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(OutputError, match="the history is no file"):
        open_store(path, create=create)


def test_a_link_is_an_error_and_its_target_is_left_alone(tmp_path: Path) -> None:
    path, notes = history.history_path(), tmp_path / "notes.txt"
    path.parent.mkdir(parents=True)
    notes.write_text("no database\n" * 100)
    notes.chmod(0o644)
    path.symlink_to(notes)
    with pytest.raises(OutputError, match="the history is a symbolic link"):
        history.save(record())
    assert notes.read_text() == "no database\n" * 100
    assert stat.S_IMODE(notes.stat().st_mode) == 0o644


def test_a_database_of_another_program_is_left_alone_with_a_hint() -> None:
    path = history.history_path()
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE call (x)")
    connection.close()
    with pytest.raises(OutputError, match="already exists") as caught:
        save()
    assert "move it away" in str(caught.value)


def test_a_lock_is_waited_for_and_then_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_store, "BUSY_SECONDS", 0.2)
    save()
    with open_store(history.history_path(), create=False) as store, store.transaction():
        started = time.monotonic()
        with pytest.raises(OutputError, match="locked by another process"):
            save(id="0bbbbbbbbbbbbbbb")
    assert time.monotonic() - started >= 0.2


def test_without_a_file_nothing_is_created_for_a_reader() -> None:
    with pytest.raises(FileNotFoundError), open_store(history.history_path(), create=False):
        pass
    assert not history.history_path().parent.exists()


def test_where_wal_is_refused_the_rollback_journal_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on network file systems, which have no shared memory."""
    monkeypatch.setattr(history_store, "_use_write_ahead_log", lambda connection: False)
    save()
    assert count() == 1
    assert history.history_path().read_bytes()[18] == 1  # 2 = WAL; SQLite file format, section 1.3


def test_old_calls_are_deleted_once_a_day() -> None:
    asked: list[None] = []

    def keep() -> float:
        asked.append(None)
        return 3600.0

    save(id="0aaaaaaaaaaaaaaa", started_at=time.time() - 7200)
    with open_store(history.history_path(), create=False) as store, store.transaction():
        store.set_meta(history.PRUNED_ON, "2026-01-01")
    history.save(record(id="0bbbbbbbbbbbbbbb"), keep)
    history.save(record(id="0ccccccccccccccc"), keep)
    assert (count(), len(asked)) == (2, 1)


def test_a_lock_during_the_daily_deletion_loses_no_answer() -> None:
    """The answer is kept already, and the deletion is for the next one."""
    save(id="0aaaaaaaaaaaaaaa", started_at=1.0)
    other = sqlite3.connect(history.history_path(), isolation_level=None)

    def keep() -> float:
        other.execute("BEGIN IMMEDIATE")
        return 3600.0

    with open_store(history.history_path(), create=False) as store, store.transaction():
        store.set_meta(history.PRUNED_ON, "2026-01-01")
    started = time.monotonic()
    assert history.save(record(id="0bbbbbbbbbbbbbbb"), keep) == []
    assert time.monotonic() - started < 1
    other.close()
    assert count() == 2
    history.save(record(id="0ccccccccccccccc"), lambda: 3600.0)
    assert count() == 2
