"""Usage errors: one line that says what is wrong, where, and what to do."""

import os
from pathlib import Path

import pytest

from tests.support.binary import (
    BINARY,
    POWERLESS,
    Easyllm,
    RunResult,
    run_concurrently,
    single_profile_toml,
    split_error_line,
)
from tests.support.images import png

NOWHERE = single_profile_toml(
    "http://127.0.0.1:9/v1"
)  # nothing must be sent, so no server is needed


def error_parts(ran: RunResult, code: int = 2) -> tuple[str, str, str]:
    """Check the exit code and the empty stdout; return the error line's what, where and hint."""
    assert (ran.code, ran.stdout) == (code, b""), ran.stderr
    return split_error_line(ran.error_line)


@pytest.mark.parametrize(
    ("args", "what", "hint"),
    [
        (("chat", "--temprature", "1", "hi"), "--temprature", "--temperature"),
        (("chat", "--jso", "hi"), "--jso", "--json"),
        (("chta", "hi"), "chta", "chat"),
        (("visoin", "a.png", "hi"), "visoin", "vision"),
        (("models", "--strict"), "--strict", "models -h"),
        (("profiles", "shwo"), "No such command 'shwo': did", "did you mean 'show'? see"),
        (("chat", "-t"), "-t needs a value", "easyllm chat -h"),
        (("--profile", "t", "chat", "hi"), "stands behind", "easyllm chat --profile t hi"),
        (("--temprature", "1", "hi"), "--temprature", "--temperature? see easyllm chat -h"),
        (("chat", "--cid", "x", "hi"), "--cid", ": --conversation ID"),
        (("chat", "--no-log", "hi"), "--no-log", ": --history off"),
        (("models", "--api-key", "x"), "--api-key", ": keys are never options"),
        (("chat", "--api-key=x", "hi"), "--api-key", "easyllm keys set NAME"),
        (("run", "llama3", "hi"), 'no command "run"', 'easyllm chat "PROMPT"'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_unknown_names(easyllm: Easyllm, args: tuple[str, ...], what: str, hint: str) -> None:
    ran = easyllm.run(*args, profiles=NOWHERE)
    error_parts(ran)
    assert what in ran.error_line
    assert hint in ran.error_line


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("-t", "3"), ": 3 is not between 0 and 2:"),
        (("-t", "warm"), "'warm' is not a number:"),
        (("-t", "nan"), "nan"),
        (("--top-p", "1.5"), "1.5"),
        (("--max-tokens", "0"), ": 0 is less than 1:"),
        (("--max-tokens", "many"), "'many' is not a whole number:"),
        (("--top-k", "-1"), "-1"),
        (("--timeout", "5s"), "'5s' is not a number of seconds:"),
        (("--timeout", "0"), ": 0 is less than 0.001 seconds:"),
        (("--timeout", "-5"), "-5"),
        (("--max-output-bytes", "0"), "0"),
        (("--seed", "1.5"), "1.5"),
        (("--effort", "huge"), "medium"),
        (("--reasoning", "maybe"), "tags"),
        (("--color", "pink"), "always"),
        (("--code=second",), "all"),
        (("-o", "novalue"), "KEY=VALUE"),
        (("-o", "=5"), "KEY=VALUE"),
        (("-R", "--reasoning", "show"), "--reasoning"),
        (("-x", "--reasoning", "only"), "--reasoning only"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_values_out_of_range(easyllm: Easyllm, args: tuple[str, ...], says: str) -> None:
    ran = easyllm.run("chat", *args, "hi", profiles=NOWHERE)
    error_parts(ran)
    assert says in ran.error_line


def test_json_and_jsonl_together(easyllm: Easyllm) -> None:
    """The error is still exactly one JSON object on stdout, as --json promises."""
    ran = easyllm.run("chat", "--json", "--jsonl", "hi", profiles=NOWHERE)
    assert ran.code == 2
    assert "--json and --jsonl" in ran.error_line
    assert ran.json["error"]["kind"] == "usage"


@pytest.mark.parametrize("prompt", ["-5 + 3 = ?", "-hello", "--what is this", "-n5"])
def test_prompt_that_begins_with_a_dash(easyllm: Easyllm, prompt: str) -> None:
    ran = easyllm.run("chat", prompt, profiles=NOWHERE)
    assert "--" in error_parts(ran)[2]
    assert "before a prompt" in ran.error_line


@pytest.mark.parametrize("words", [(), ("",), ("  \n",), ("", "")], ids=repr)
def test_empty_prompt(easyllm: Easyllm, words: tuple[str, ...]) -> None:
    for ran in run_concurrently(*[
        lambda command=command: easyllm.with_new_home().run(command, *words, profiles=NOWHERE)
        for command in ("chat", "stream", "cot")
    ]):  # fmt: skip
        what, _, hint = error_parts(ran)
        assert "prompt" in what
        assert hint


def test_stdin_that_is_not_text(easyllm: Easyllm) -> None:
    what, _, hint = error_parts(easyllm.run("chat", "hi", stdin=b"abc\xffdef", profiles=NOWHERE))
    assert what == "stdin is not UTF-8 at byte 3"
    assert "iconv -f WINDOWS-1252 -t UTF-8" in hint


def test_prompt_that_is_not_text(easyllm: Easyllm) -> None:
    ran = easyllm.shell('exec "$E" chat "$(printf \'a\\377\')"', profiles=NOWHERE)
    assert "not UTF-8" in error_parts(ran)[0]


def test_files_that_cannot_be_read(easyllm: Easyllm) -> None:
    Path(easyllm.home, "bad.txt").write_bytes(b"ab\xff")
    Path(easyllm.home, "bad.json").write_text("[oops")
    Path(easyllm.home, "object.json").write_text("{}")
    Path(easyllm.home, "role.json").write_text('[{"role": "robot", "content": "hi"}]')
    Path(easyllm.home, "part.json").write_text(
        '[{"role": "user", "content": [{"type": "input_audio"}]}]'
    )
    for args, what, where in [
        (("-f", "none.txt"), "cannot read the file: No such file", "none.txt"),
        (("-f", "bad.txt"), "not UTF-8 at byte 2", "bad.txt"),
        (("-f", "."), "Is a directory", "."),
        (("--messages", "none.json"), "No such file", "none.json"),
        (("--messages", "bad.json"), "not JSON", "bad.json"),
        (("--messages", "object.json"), "is not a list", "object.json"),
        (("--messages", "role.json"), "robot", ""),
        (("--messages", "part.json"), "input_audio", ""),
    ]:
        message, place, _ = error_parts(easyllm.run("chat", *args, "hi", profiles=NOWHERE))
        assert what in message
        assert where in (place or where)


def test_images_that_cannot_be_read(easyllm: Easyllm) -> None:
    picture = Path(easyllm.home, "real.png")
    picture.write_bytes(png(2, 2, (1, 2, 3)))
    Path(easyllm.home, "text.png").write_text("I am no picture")
    Path(easyllm.home, "empty.png").write_bytes(b"")
    os.mkfifo(easyllm.home / "pipe.png")
    with Path(easyllm.home, "huge.png").open("wb") as huge:
        huge.write(b"\x89PNG\r\n\x1a\n")
        huge.truncate(1 << 30)
    for args, what in [
        (("none.png", "hi"), "no such image file"),
        (("text.png", "hi"), "not an image"),
        (("empty.png", "hi"), "not an image"),
        ((".", "hi"), "not a regular file"),
        (("pipe.png", "hi"), "not a regular file"),
        (("/dev/zero", "hi"), "not a regular file"),
        (("huge.png", "hi"), "larger than"),
        (("file:///etc/passwd", "hi"), "file://"),
        (("http://127.0.0.1/a.png", "hi"), "http://"),
        (("real.png", "text.png"), "the last argument is a file"),
        (("real.png",), "no prompt"),
        (("real.png", ""), "no prompt"),
        ((), "no image"),
        (("-", "hi"), "stdin holds no image"),
    ]:
        message, where, _ = error_parts(easyllm.run("vision", *args, profiles=NOWHERE))
        assert what in message, (args, message)
        assert where in (*args, "")


def test_stdin_that_is_not_an_image(easyllm: Easyllm) -> None:
    what, where, _ = error_parts(easyllm.run("vision", "-", "hi", stdin="text", profiles=NOWHERE))
    assert (what, where) == ("not an image", "stdin")


@pytest.mark.skipif(os.name == "nt", reason="Windows runs without mode checks")
@pytest.mark.parametrize("args", [("vision", "a.png", "hi"), ("chat", "-f", "a.png", "hi")])
def test_file_without_permission(easyllm: Easyllm, args: tuple[str, ...]) -> None:
    picture = Path(easyllm.home, "a.png")
    picture.write_bytes(png(2, 2, (1, 2, 3)))
    picture.chmod(0)
    powerless = [*POWERLESS, BINARY] if os.getuid() == 0 else None
    what, where, _ = error_parts(easyllm.run(*args, profiles=NOWHERE, command=powerless))
    assert "Permission denied" in what
    assert where == "a.png"
