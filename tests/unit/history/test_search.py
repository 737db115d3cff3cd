"""Full-text search, its index, and deletion that leaves no byte behind."""

import sqlite3

import pytest

from easyllm_cli import history
from easyllm_cli.errors import UsageError
from easyllm_cli.history.calls import CallFilter
from easyllm_cli.history.deletion import calls_before, delete_calls, delete_expired
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


@pytest.mark.parametrize("words", [[], [" "], ['"'], ["-"]])
def test_without_a_word_it_is_an_error(words: list[str]) -> None:
    save()
    with opened() as store, pytest.raises(UsageError, match="no word"):
        search_calls(store, words, CallFilter(), 20)


def test_hist_11_deleted_words_are_in_no_file() -> None:
    for number in range(30):
        save(f"Keep {number}", "Stay", id=f"0{number:015}")
    save("Tell me of the zyzzyva", "A weevil: quokkaful", id=A, reasoning="thinkative", name="qwm")
    assert found("zyzzyva") == [A]
    with opened() as store:
        delete_calls(store, [store.value("SELECT n FROM call WHERE id = ?", (A,))])
    for word in (b"zyzzyva", b"quokkaful", b"thinkative", b"qwm"):
        assert word not in file_bytes()
    assert found("zyzzyva") == []
    assert len(found("keep")) == 20


def test_a_call_after_a_deletion_is_found() -> None:
    """SQLite gives it the number of the deleted one."""
    save("one", id=A)
    assert found("one") == [A]
    with opened() as store:
        delete_calls(store, [1])
    save("two", id=B)
    assert found("two") == [B]
    with sqlite3.connect(history.history_path()) as connection:
        connection.execute("INSERT INTO call_text (call_text) VALUES ('integrity-check')")
    connection.close()


def test_a_conversation_goes_with_its_last_call() -> None:
    save(id=A)
    save(id=B, conversation=A)
    with opened() as store:
        delete_calls(store, [1])
        assert store.value("SELECT count(*) FROM conversation") == 1
        delete_calls(store, [2])
        assert store.value("SELECT count(*) FROM conversation") == 0


def test_many_calls_are_deleted_and_the_file_shrinks() -> None:
    for number in range(120):
        save("x" * 3000, id=f"0{number:015}", started_at=float(number))
    before = history.history_path().stat().st_size
    with opened() as store:
        delete_calls(store, calls_before(store, 100.0))
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
