"""Tests file names on the command line: expanded by the shell, and patterns it left as they are."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml, split_error_line
from tests.support.images import gif_1x1, png
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

NOWHERE = single_profile_toml("http://127.0.0.1:9/v1")


@pytest.fixture(autouse=True)
def files(easyllm: Easyllm) -> None:
    """Text files, two images and a folder in the current folder."""
    for number in (2, 1, 3):
        Path(easyllm.home, f"doc{number}.txt").write_text(f"text {number}")
    Path(easyllm.home, "doc.txt.d").mkdir()
    Path(easyllm.home, "a b.txt").write_text("spaced")
    Path(easyllm.home, "README").write_text("readme")
    Path(easyllm.home, "red.png").write_bytes(png(2, 2, (255, 0, 0)))
    Path(easyllm.home, "blue.png").write_bytes(gif_1x1())


def refused(easyllm: Easyllm, *args: str, **more: Any) -> tuple[str, str, str]:
    ran = easyllm.run(*args, profiles=NOWHERE, **more)
    assert (ran.code, ran.stdout) == (2, b""), ran.stderr
    return split_error_line(ran.error_line)


@pytest.mark.parametrize(
    ("args", "named", "command"),
    [
        (
            "chat Summarise -f doc1.txt doc2.txt doc3.txt", "doc2.txt",
            "-f before each: easyllm chat Summarise -f doc1.txt -f doc2.txt -f doc3.txt",
        ),
        (
            "stream -f doc1.txt 'a b.txt' 'sum up'", "a b.txt",
            "-f before each: easyllm stream 'sum up' -f doc1.txt -f 'a b.txt'",
        ),
        (
            "cot sum -f doc1.txt doc2.txt up", "doc2.txt",
            "-f before each: easyllm cot 'sum up' -f doc1.txt -f doc2.txt",
        ),
        (
            "chat -f doc1.txt README", "README",
            "-f before each: easyllm chat -f doc1.txt -f README",
        ),
        (
            "chat -a red.png blue.png compare", "blue.png",
            "-a before each: easyllm chat compare -a red.png -a blue.png",
        ),
        (
            "chat compare -f doc1.txt blue.png", "blue.png",
            "-a before each: easyllm chat compare -f doc1.txt -a blue.png",
        ),
        (
            "chat compare -a red.png doc1.txt", "doc1.txt",
            "-f before each: easyllm chat compare -a red.png -f doc1.txt",
        ),
        (
            "vision red.png describe -f doc1.txt doc2.txt", "doc2.txt",
            "-f before each: easyllm vision red.png describe -f doc1.txt -f doc2.txt",
        ),
        (
            "vision red.png 'What now?' -a red.png blue.png", "blue.png",
            "-a before each: easyllm vision red.png 'What now?' -a red.png -a blue.png",
        ),
        ("chat -f doc1.txt -- doc2.txt", "doc2.txt", "-f doc1.txt -f doc2.txt"),
        ("chat --json -f doc1.txt -p t hi ./doc2.txt", "./doc2.txt", "-f doc1.txt -f ./doc2.txt"),
    ],
)  # fmt: skip
def test_a_file_name_among_the_prompt_words_is_2(
    easyllm: Easyllm, args: str, named: str, command: str
) -> None:
    ran = easyllm.run(*shlex.split(args), profiles=NOWHERE)
    what, _, hint = split_error_line(ran.error_line)
    assert ran.code == 2
    assert what == f"{named} is a file, not a word of the prompt"
    assert command in hint


def test_the_hint_does_not_list_many_files(easyllm: Easyllm) -> None:
    names = [f"file{number}.md" for number in range(300)]
    for name in names:
        Path(easyllm.home, name).write_text("x")
    _, _, hint = refused(easyllm, "chat", "sum up", "-f", *names)
    assert "-f file4.md …" in hint
    assert len(hint) < 300


def content_sent(easyllm: Easyllm, *args: str, **more: Any) -> tuple[Any, str]:
    """The content of the user's message that is sent, and stderr."""
    with StandIn(script_handler(chat_answer_script("ok"))) as server:
        ran = easyllm.run(*args, profiles=single_profile_toml(server), **more)
        assert (ran.code, ran.stdout) == (0, b"ok\n"), ran.stderr
        return server.requests[0].json["messages"][-1]["content"], ran.stderr


def test_prompt_words_that_are_no_files_are_sent(easyllm: Easyllm) -> None:
    words = ("sum up doc2.txt", "doc.txt.d", "nothing.txt")
    content, err = content_sent(easyllm, "chat", *words, "-f", "doc1.txt")
    assert content == f"doc1.txt:\ntext 1\n\n{' '.join(words)}"
    assert err == ""


@pytest.mark.parametrize("command", ["chat", "stream", "cot"])
def test_a_pattern_that_the_shell_did_not_expand(easyllm: Easyllm, command: str) -> None:
    wanted = [f"doc{number}.txt:\ntext {number}" for number in (1, 2, 3)]
    content, _ = content_sent(easyllm, command, "-f", "doc*.txt", "hi")
    assert content.split("\n\n") == [*wanted, "hi"]
    content, _ = content_sent(easyllm, command, "-f", "doc[13].txt", "-f", "doc?.txt", "hi")
    assert content.split("\n\n") == [wanted[0], wanted[2], *wanted, "hi"]


def test_a_pattern_in_other_folders(easyllm: Easyllm) -> None:
    Path(easyllm.home, "doc.txt.d", "deep.md").write_text("deep")
    assert content_sent(easyllm, "chat", "-f", "**/*.md")[0] == "doc.txt.d/deep.md:\ndeep"
    content, _ = content_sent(easyllm, "chat", "-f", "~/doc.txt.d/*")
    assert content == f"{easyllm.home}/doc.txt.d/deep.md:\ndeep"


def test_a_file_name_with_pattern_characters(easyllm: Easyllm) -> None:
    Path(easyllm.home, "doc[1].txt").write_text("mine")
    assert content_sent(easyllm, "chat", "-f", "doc[1].txt")[0] == "doc[1].txt:\nmine"


@pytest.mark.parametrize(
    ("args", "places"),
    [
        (("chat", "-a", "*.png", "hi"), ["gif", "png"]),
        (("vision", "*.png", "hi"), ["gif", "png"]),
        (("vision", "red.png", "b*.png", "hi"), ["png", "gif"]),
        (("vision", "red.png", "-a", "b*.png", "What is this?"), ["png", "gif"]),
    ],
)
def test_a_pattern_of_images(easyllm: Easyllm, args: tuple[str, ...], places: list[str]) -> None:
    content, _ = content_sent(easyllm, *args)
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert [url.partition("/")[2].partition(";")[0] for url in urls] == places


@pytest.mark.parametrize(
    "args",
    [("chat", "-f", "many*.txt", "hi"), ("chat", "-a", "many*.png", "hi"),
     ("vision", "many*.png", "hi"), ("chat", "-f", "doc.txt.[d]", "hi")],
    ids=" ".join,
)  # fmt: skip
def test_a_pattern_without_a_match(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    """A folder does not count as a match."""
    what, where, _ = refused(easyllm, *args)
    assert what == "no file matches the pattern"
    assert where in args


def test_a_url_is_not_a_pattern(easyllm: Easyllm) -> None:
    content, _ = content_sent(easyllm, "vision", "https://example.com/a.png?size=[1]*", "hi")
    assert content[1]["image_url"]["url"] == "https://example.com/a.png?size=[1]*"


@pytest.mark.parametrize("command", ["chat", "stream", "cot"])
@pytest.mark.parametrize(
    ("words", "name", "option"),
    [(("doc1.txt",), "doc1.txt", "-f"), (("README",), "README", "-f"),
     (("red.png",), "red.png", "-a"), (("doc1.txt", "Summarise"), "doc1.txt", "-f"),
     (("sum", "up", "./README"), "./README", "-f")],
)  # fmt: skip
def test_a_prompt_that_names_a_file_gets_a_note(
    easyllm: Easyllm, command: str, words: tuple[str, ...], name: str, option: str
) -> None:
    content, err = content_sent(easyllm, command, *words)
    assert content == " ".join(words)
    note = f"{name} is a file, and only its name is sent: {option} sends what is in it"
    assert err == f"easyllm: {note}\n"
    assert content_sent(easyllm, command, "-q", *words)[1] == ""


@pytest.mark.parametrize(
    "words", [("doc9.txt",), ("doc.txt.d",), ("explain", "README", "to", "me")]
)
def test_other_words_get_no_note(easyllm: Easyllm, words: tuple[str, ...]) -> None:
    assert content_sent(easyllm, "chat", *words)[1] == ""
