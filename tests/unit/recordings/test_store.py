"""The folder of the cache: what is read, what is a miss, and what is deleted."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from easyllm_cli.errors import OutputError
from easyllm_cli.events import Done, Start, Text
from easyllm_cli.recordings import store
from easyllm_cli.recordings.attempt import RecordedAttempt
from easyllm_cli.recordings.line_format import HEADER, line_from_attempt
from easyllm_cli.recordings.store import (
    answers_folder,
    clear_cache,
    prune,
    read_cached,
    write_cached,
)
from tests.support.another_user import as_another_user
from tests.support.replaying import kept_answers

KEY = "ab" + "0" * 62
HOUR = 3600.0


def attempt(text: str = "Hello", age: float = 0.0) -> RecordedAttempt:
    events = (Start("openai", "m"), Text(text), Done("stop", True))
    return RecordedAttempt(time.time() - age, [(0, event) for event in events])


def kept_text(key: str = KEY) -> str | None:
    found = read_cached(key, HOUR)
    if found is None:
        return None
    return "".join(event.text for _, event in found.events if isinstance(event, Text))


def test_what_is_written_is_read_until_it_is_too_old() -> None:
    write_cached(KEY, attempt("Grüße", age=100))
    assert kept_text() == "Grüße"
    assert read_cached(KEY, 101.5) is not None
    assert read_cached(KEY, 99) is None
    assert kept_text("cd" + KEY[2:]) is None
    write_cached(KEY, attempt("from the future", age=-1000))
    assert kept_text() is None


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\0" * 100,
        HEADER,
        HEADER + b'{"key": "',
        HEADER.replace(b"1", b"2"),
        HEADER + line_from_attempt(attempt(), {"key": "another"}),
        HEADER + line_from_attempt(RecordedAttempt(0, [(0, Text("no end"))]), {"key": KEY}),
        HEADER
        + line_from_attempt(attempt(), {"key": KEY}).replace(b'"text": "Hello"', b'"text": 5'),
        HEADER + line_from_attempt(attempt(), {"key": KEY}) * 2,
    ],
)
def test_cache_7_a_damaged_file_is_a_miss_and_is_deleted(damaged: bytes) -> None:
    write_cached(KEY, attempt())
    (path,) = kept_answers()
    path.write_bytes(damaged)
    assert kept_text() is None
    assert not path.exists()
    write_cached(KEY, attempt())
    assert kept_text() == "Hello"


@pytest.mark.parametrize("kind", ["FIFO", "folder", "link"])
def test_cache_7_an_entry_that_is_no_file_is_a_miss(kind: str, tmp_path: Path) -> None:
    write_cached(KEY, attempt())
    (path,) = kept_answers()
    if kind == "link":
        path.rename(tmp_path / "answer")
        path.symlink_to(tmp_path / "answer")
    else:
        path.unlink()
        os.mkfifo(path) if kind == "FIFO" else path.mkdir()
    assert kept_text() is None


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_cache_7_files_are_private_under_any_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        write_cached(KEY, attempt())
    finally:
        os.umask(before)
    (path,) = kept_answers()
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent, answers_folder().parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_cache_5_writers_and_readers_of_one_request_see_whole_answers() -> None:
    texts = [str(digit) * 20_000 for digit in range(10)]
    write_cached(KEY, attempt(texts[0]))

    def write_and_read(number: int) -> str | None:
        write_cached(KEY, attempt(texts[number % 10]))
        return kept_text()

    with ThreadPoolExecutor(50) as threads:
        assert {*threads.map(write_and_read, range(50))} <= {*texts}
    assert len(kept_answers()) == 1


def write_at(key: str, age: float) -> Path:
    write_cached(key, attempt())
    path = answers_folder() / key[:2] / f"{key}.jsonl"
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_the_oldest_answers_are_deleted_above_the_limit() -> None:
    paths = [write_at(f"{number:02}" + KEY[2:], age=number * 10) for number in range(5)]
    prune(sum(path.stat().st_size for path in paths[:2]) + 10)
    assert [path.exists() for path in paths] == [True, True, False, False, False]


def test_clearing_counts_what_it_deletes() -> None:
    paths = [write_at(f"{number:02}" + KEY[2:], age=number * 100) for number in range(4)]
    sizes = [path.stat().st_size for path in paths]
    assert clear_cache(min_age=150) == (2, sizes[2] + sizes[3])
    assert clear_cache() == (2, sizes[0] + sizes[1])
    assert clear_cache() == (0, 0)


def test_a_folder_that_cannot_be_read_is_not_cleared_silently() -> None:
    write_cached(KEY, attempt())
    (path,) = kept_answers()
    for folder in [*path.parents][:2]:
        mode = folder.stat().st_mode
        folder.chmod(0)
        for parent in [*folder.parents][:-1]:
            parent.chmod(parent.stat().st_mode | 0o011)
        told = as_another_user(lambda: str(clear_cache()))
        folder.chmod(mode)
        assert told.startswith("OutputError: cannot be read: Permission denied"), told
    assert path.exists()


def test_clearing_and_pruning_delete_nothing_but_answers(tmp_path: Path) -> None:
    answer = write_at(KEY, age=0)
    torn = answer.with_name(f"{answer.name}.12.345")
    torn.write_text("{")
    name = "cd" + KEY[2:] + ".jsonl"
    (tmp_path / "others").mkdir()
    folder = answers_folder() / "cd"
    folder.symlink_to(tmp_path / "others")
    link = answer.with_name("ab" + "1" * 62 + ".jsonl")
    link.symlink_to(tmp_path / "others" / name)
    directory = answer.with_name("ab" + "2" * 62 + ".jsonl")
    directory.mkdir()
    kept = [tmp_path / "others" / name, answer.with_name("notes.jsonl"), link, directory]
    for path in kept[:2]:
        path.write_text("mine")
    prune(10_000)
    assert torn.exists()
    prune(0)
    assert clear_cache() == (0, 0)
    assert [path.exists() for path in (answer, torn, *kept)] == [False] * 2 + [True] * 4


def test_an_answer_that_is_too_long_to_be_read_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = len(HEADER + line_from_attempt(attempt(), {"key": KEY}))
    monkeypatch.setattr(store, "MAX_ANSWER_BYTES", size)
    write_cached(KEY, attempt())
    assert kept_text() == "Hello"
    with pytest.raises(OSError, match="longer than"):
        write_cached("cd" + KEY[2:], attempt("Hello, hello"))
    assert len(kept_answers()) == 1


def test_without_a_home_the_cache_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(store, "cache_folder", no_home)
    with pytest.raises(OutputError, match="no folder for the cache"):
        answers_folder()
