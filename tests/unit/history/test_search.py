"""Full-text search, its index, and deletion that leaves no byte behind."""

import sqlite3
import time

import pytest

from easyllm_cli import history
from easyllm_cli.errors import OutputError, UsageError
from easyllm_cli.history import deletion, search
from easyllm_cli.history.calls import CallFilter
from easyllm_cli.history.deletion import delete_calls, delete_expired, finish_deletion, ids_before
from easyllm_cli.history.search import excerpt, search_calls
from easyllm_cli.history.store import HistoryStore, open_store
from tests.support.history import save

A, B, C = "0aaaaaaaaaaaaaaa", "0bbbbbbbbbbbbbbb", "0ccccccccccccccc"


def opened() -> HistoryStore:
    return open_store(history.history_path(), create=False)


def found(*words: str, **filters: object) -> list[str]:
    with opened() as store:
        rows = search_calls(store, list(words), CallFilter(**filters), 20)  # type: ignore[arg-type]
    return [row["id"] for row in rows]


def file_bytes() -> bytes:
    path = history.history_path()
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_every_word_must_be_in_the_prompt_or_the_answer() -> None:
    save("Write a haiku", "Snow falls", id=A, started_at=1.0)
    save("Write a poem", "Rain falls", id=B, started_at=2.0)
    save(id=C, conversation=None)
    assert found("FALLS") == [B, A]
    assert found("write", "snow") == [A]
    assert found("falls", since=1.5) == [B]
    assert found("falls", profile="other") == []
    assert found("hai") == []


@pytest.mark.parametrize("word", ['"haiku', "haiku-", "haiku OR", "NEAR(haiku", "haiku*", "^haiku"])
def test_no_character_of_a_word_is_syntax(word: str) -> None:
    save("Write near haiku or", id=A)
    assert found(word) == [A]


def test_a_script_without_blanks_is_found_inside_a_phrase() -> None:
    save("请写一首关于雪的俳句", "雪落无声", id=A)
    assert found("俳句") == [A]
    assert found("雪落", "俳句") == [A]
    assert found("雨") == []


@pytest.mark.parametrize("words", [[], [" "], ['"'], ["-"], ["%"], ["🙂"]])
def test_without_a_word_it_is_an_error(words: list[str]) -> None:
    save()
    with opened() as store, pytest.raises(UsageError, match="no letter or digit"):
        search_calls(store, words, CallFilter(), 20)


def test_hist_11_deleted_words_are_in_no_file() -> None:
    for number in range(30):
        save(f"Keep {number}", "Stay", id=f"0{number:015}")
    save("Tell me of the zyzzyva", "A weevil: quokkaful", id=A, reasoning="thinkative", name="qwm")
    assert found("zyzzyva") == [A]
    with opened() as store:
        assert delete_calls(store, [A]) == 1
    for word in (b"zyzzyva", b"quokkaful", b"thinkative", b"qwm"):
        assert word not in file_bytes()
    assert found("zyzzyva") == []
    assert len(found("keep")) == 20


def test_hist_11_the_title_of_a_conversation_is_of_a_call_that_is_left() -> None:
    save("Tell me of the zyzzyva", id=A)
    save("And\nnow?", id=B, conversation=A)
    with opened() as store:
        delete_calls(store, [A])
        assert store.value("SELECT title FROM conversation") == "And now?"
    assert b"zyzzyva" not in file_bytes()


def test_hist_11_texts_that_a_reader_holds_are_an_error_until_they_are_erased() -> None:
    save("Tell me of the zyzzyva", id=A)
    reader = sqlite3.connect(history.history_path(), isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM call").fetchone() == (1,)
    with opened() as store:
        store.run("PRAGMA busy_timeout=50")
        with pytest.raises(OutputError, match="another process reads it"):
            delete_calls(store, [A])
    assert b"zyzzyva" in file_bytes()
    reader.close()
    with opened() as store:
        assert finish_deletion(store)
        assert not finish_deletion(store)
    assert b"zyzzyva" not in file_bytes()


def test_a_call_that_took_the_number_of_a_deleted_one_stays() -> None:
    save(id=A)
    with opened() as asking:
        ids = ids_before(asking, time.time())
        with opened() as other:
            delete_calls(other, [A])
        save(id=B)
        assert delete_calls(asking, ids) == 0
        assert asking.value("SELECT id FROM call WHERE n = 1") == B


def fill(calls: int, chars: int) -> None:
    """Save calls with words that differ."""
    for number in range(calls):
        words = " ".join(f"w{number}x{word}" for word in range(chars // 8))
        save(words, "Stay", id=f"0{number:015}", started_at=float(number))


def test_others_can_write_during_a_long_search_and_a_long_deletion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pauses are between transactions, so one is a moment for other processes to write."""
    fill(50, 2000)
    pauses: list[float] = []
    monkeypatch.setattr(search, "SLICE_CHARS", 10_000)
    monkeypatch.setattr(search, "MERGE_PAGES", 2)
    with opened() as store:
        monkeypatch.setattr("easyllm_cli.history.store.time.sleep", pauses.append)
        search_calls(store, ["w7x7"], CallFilter(), 20)
        assert len(pauses) == 9
        pauses.clear()
        delete_calls(store, ids_before(store, 45.0))
        assert len(pauses) > 3
        assert store.value("SELECT count(*) FROM call") == 5
    assert b"w7x7" not in file_bytes()
    assert found("w7x7") == []
    assert found("w47x7")


def test_expired_calls_are_deleted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(50, 200)
    assert found("w7x7")
    monkeypatch.setattr(deletion, "PRUNE_SECONDS", 0.0)
    with opened() as store:
        rounds = 1
        while not delete_expired(store, 45.0):
            rounds += 1
    assert rounds >= 3
    assert b"w7x7" not in file_bytes()


def test_a_call_after_a_deletion_is_found() -> None:
    """SQLite gives it the number of the deleted one."""
    save("one", id=A)
    assert found("one") == [A]
    with opened() as store:
        delete_calls(store, [A])
    save("two", id=B)
    assert found("two") == [B]
    with sqlite3.connect(history.history_path()) as connection:
        connection.execute("INSERT INTO call_text (call_text) VALUES ('integrity-check')")
    connection.close()


def test_a_conversation_goes_with_its_last_call() -> None:
    save(id=A)
    save(id=B, conversation=A)
    with opened() as store:
        delete_calls(store, [A])
        assert store.value("SELECT count(*) FROM conversation") == 1
        delete_calls(store, [B])
        assert store.value("SELECT count(*) FROM conversation") == 0


def test_many_calls_are_deleted_and_the_file_shrinks() -> None:
    for number in range(120):
        save("x" * 3000, id=f"0{number:015}", started_at=float(number))
    before = history.history_path().stat().st_size
    with opened() as store:
        delete_calls(store, ids_before(store, 100.0))
        assert store.value("SELECT count(*) FROM call") == 20
        assert delete_expired(store, 110.0)
        assert store.value("SELECT min(started_at) FROM call") == 110.0
    assert history.history_path().stat().st_size < before / 3


def test_an_excerpt_shows_the_word() -> None:
    row = {"prompt": "a " * 100 + "needle " + "b " * 100, "text": None}
    shown = excerpt(row, ["NEEDLE"])
    assert "needle" in shown
    assert shown[0] == shown[-1] == "…"
    assert len(shown) == 80
    assert excerpt(row, [], 20) == "a a a a a a a a a a…"
    assert excerpt({"prompt": "short", "text": "a needle"}, ["needle"]) == "a needle"
