"""The file of typed lines: what is written comes back, and it stays small and private."""

import os
import stat
from pathlib import Path

import pytest

from easyllm_cli.cli.repl.line_history import MAX_ENTRIES, append_entry, load_entries

FILE = Path(".local/state/easyllm/repl_history")


@pytest.mark.parametrize(
    "text",
    ["plain", "two\nlines\n", "a \\n b", "\\", "\\\\n\n", "\r\n\t\\r", "ä … 猫", ""],
    ids=repr,
)
def test_an_entry_comes_back_unchanged(text: str) -> None:
    append_entry("first")
    append_entry(text)
    assert load_entries() == ["first", text]


def test_the_file_is_private_and_keeps_the_newest(home: Path) -> None:
    for number in range(2 * MAX_ENTRIES + 5):
        append_entry(str(number))
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    newest = [str(number) for number in range(MAX_ENTRIES + 5, 2 * MAX_ENTRIES + 5)]
    assert load_entries() == newest
    assert len((home / FILE).read_text().splitlines()) == MAX_ENTRIES
    assert load_entries() == newest


def test_without_a_file_or_a_folder_nothing_is_there(home: Path) -> None:
    (home / ".local").write_text("a file, no folder")
    append_entry("lost")
    assert load_entries() == []


def test_a_damaged_file_gives_what_readline_can_take(home: Path) -> None:
    """It refuses a null character, and then the repl would never start again."""
    append_entry("first")
    with (home / FILE).open("ab") as file:
        file.write(b"\0\0\n\xffb\0c\n")
    assert load_entries() == ["first", "", "\ufffdbc"]


def test_a_named_pipe_is_not_waited_for(home: Path) -> None:
    (home / FILE).parent.mkdir(parents=True)
    os.mkfifo(home / FILE)
    append_entry("lost")
    assert load_entries() == []


def test_a_huge_paste_is_not_written(home: Path) -> None:
    append_entry("x" * 1_000_000)
    assert not (home / FILE).exists()
