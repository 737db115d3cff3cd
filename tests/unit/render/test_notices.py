"""Errors and notices in rows: wrapped at words, each part on its own row, nothing lost."""

import pytest

from easyllm_cli.errors import ConfigError, Interrupted
from easyllm_cli.render.notices import lay_out, text_width
from easyllm_cli.render.output import print_error, shorten_server_text

PARTS = [
    "easyllm: Incorrect API key. Find yours at https://platform.openai.com/account/api-keys. (HTTP "
    "401, profile openai):",
    "check the key from OPENAI_API_KEY",
]
LONG_PATH = "/home/me/" + "a folder/" * 50 + "1.md"


def test_every_part_begins_a_row() -> None:
    assert lay_out(PARTS, 60) == [
        "easyllm: Incorrect API key. Find yours at",
        "  https://platform.openai.com/account/api-keys. (HTTP 401,",
        "  profile openai):",
        "  check the key from OPENAI_API_KEY",
    ]
    assert lay_out(PARTS, 200) == [PARTS[0], f"  {PARTS[1]}"]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 47, 48, 80, 120])
def test_no_word_is_broken_or_lost(width: int) -> None:
    rows = lay_out(PARTS, width)
    assert " ".join(" ".join(rows).split()) == " ".join(PARTS)
    assert all(len(row) <= width or len(row.split()) == 1 for row in rows)


def test_ideographs_are_words_of_two_cells() -> None:
    rows = lay_out(["easyllm: " + "模型" * 10 + "。"], 20)
    assert rows == ["easyllm: 模型模型模", "  型模型模型模型模型", "  模型模型模型。"]
    assert max(map(text_width, rows)) <= 20
    assert text_width("e\u0301\u200b") == 1


def test_text_behind_a_colon_stays_together_where_it_fits() -> None:
    text = 'easyllm: ask it: easyllm chat -p local "What is Python?"'
    command = text.removeprefix("easyllm: ask it: ")
    assert lay_out([text], 50) == ["easyllm: ask it:", f"  {command}"]
    assert lay_out([text], 30) == [
        "easyllm: ask it: easyllm chat", '  -p local "What is Python?"'
    ]  # fmt: skip


def test_a_path_with_blanks_is_one_word() -> None:
    parts = ["easyllm: cut;", f"the partial answer is in {LONG_PATH}"]
    assert lay_out(parts, 40, whole=LONG_PATH) == [
        "easyllm: cut;", "  the partial answer is in", f"  {LONG_PATH}"
    ]  # fmt: skip


@pytest.mark.parametrize("hint", ["", "ask again", "odd " * 500])
def test_the_kept_file_is_named_whole(hint: str, capfd: pytest.CaptureFixture[str]) -> None:
    """However long it is, and however long the server's text before it."""
    error = Interrupted("interrupted", hint=hint)
    error.partial_path = LONG_PATH
    print_error(error)
    shown = f"{shorten_server_text(hint).strip()}; " if hint else ""
    assert capfd.readouterr().err == (
        f"easyllm: interrupted: {shown}the partial answer is in {LONG_PATH}\n"
    )


def test_the_parts_are_the_line() -> None:
    error = ConfigError("no profile", where="f.toml:1", hint="add one")
    assert (str(error), error.advice) == ("no profile (f.toml:1): add one", "add one")
    error.partial_path = "/p"
    assert error.parts() == ["no profile (f.toml:1):", "add one;", "the partial answer is in /p"]
    assert error.advice == "add one; the partial answer is in /p"
