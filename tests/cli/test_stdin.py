"""What is read from stdin, how it joins the prompt, and when stdin is left unread."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.cli import prompt_text
from easyllm_cli.cli.stdin import read
from easyllm_cli.errors import UsageError
from tests.support.binary import (
    Easyllm,
    RunResult,
    chat_answer_script,
    finish,
    read_until,
    single_profile_toml,
)
from tests.support.images import gif_1x1
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

OK = chat_answer_script("ok")


def sent_contents(server: StandIn) -> list[Any]:
    """Content of every user message that was sent, in order."""
    return [
        message["content"]
        for request in server.requests
        for message in request.json["messages"]
        if message["role"] == "user"
    ]


def sent_prompt(easyllm: Easyllm, *args: str, **more: Any) -> str:
    """Run without errors; return the only user message."""
    with StandIn(script_handler(OK)) as server:
        ran = easyllm.run(*args, profiles=single_profile_toml(server), **more)
        assert (ran.code, ran.stdout) == (0, b"ok\n"), ran.stderr
        (text,) = sent_contents(server)
        assert isinstance(text, str)
        return text


@pytest.mark.parametrize(
    ("words", "stdin", "wanted"),
    [
        (("sum", "up"), "a diff\n", "a diff\n\nsum up"),
        (("sum up",), "a diff", "a diff\n\nsum up"),
        (("sum up",), "", "sum up"),
        ((), "only stdin", "only stdin"),
        (("-",), "only stdin\n", "only stdin\n"),
        (("before", "-", "after"), "MID", "before\n\nMID\n\nafter"),
        (("A {stdin} B",), "mid", "A mid B"),
        (("{stdin}{stdin}",), "x", "xx"),
        ((" keep ",), "  \tspaces\n\n ", "  \tspaces\n\n \n\n keep "),
        (("hi",), "\u00fc\u2028\x00\U0001f600", "\u00fc\u2028\x00\U0001f600\n\nhi"),
        (("hi",), "line\r\nend\r\n", "line\r\nend\r\n\nhi"),
    ],
)
def test_join(easyllm: Easyllm, words: tuple[str, ...], stdin: str, wanted: str) -> None:
    assert sent_prompt(easyllm, "chat", *words, stdin=stdin) == wanted


def test_long_stdin_is_whole(easyllm: Easyllm) -> None:
    text = "0123456789\n" * 200_000
    assert sent_prompt(easyllm, "chat", "hi", stdin=text) == text + "\nhi"


def test_placeholder_inside_stdin_is_not_expanded(easyllm: Easyllm) -> None:
    assert sent_prompt(easyllm, "chat", "A {stdin}", stdin="x {stdin} y") == "A x {stdin} y"


def test_options_in_stdin_are_text(easyllm: Easyllm) -> None:
    assert (
        sent_prompt(easyllm, "chat", "hi", stdin="--json\n-p nobody") == "--json\n-p nobody\n\nhi"
    )


def test_stdin_is_not_read(easyllm: Easyllm) -> None:
    assert sent_prompt(easyllm, "chat", "-n", "hi", stdin="no") == "hi"
    never = {"EASYLLM_STDIN": "never"}
    assert sent_prompt(easyllm, "chat", "hi", stdin="no", env=never) == "hi"
    assert sent_prompt(easyllm, "chat", "hi", "-", stdin="yes", env=never) == "hi\n\nyes"


def test_size_limits_of_stdin_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more is an error: text is never cut silently."""
    cap = 1 << 20
    monkeypatch.setattr(prompt_text, "MAX_TEXT_FILE_BYTES", cap)
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" * cap)
    with path.open("rb") as file:
        assert len(read(lambda: None, descriptor=file.fileno(), cap=cap)) == cap
    assert len(prompt_text.read_text_file(str(path), "the file", "")) == cap
    path.write_bytes(b"x" * (cap + 1))
    with path.open("rb") as file, pytest.raises(UsageError, match="stdin is longer than 1 MiB"):
        read(lambda: None, descriptor=file.fileno(), cap=cap)
    with pytest.raises(UsageError, match="the file is larger than 1 MiB"):
        prompt_text.read_text_file(str(path), "the file", "")


def test_files_come_first(easyllm: Easyllm) -> None:
    Path(easyllm.home, "a.txt").write_text("AAA\n")
    Path(easyllm.home, "b.py").write_text("BBB")
    text = sent_prompt(easyllm, "chat", "-f", "a.txt", "-f", "b.py", "hi", stdin="from stdin")
    assert text == "a.txt:\nAAA\n\n\nb.py:\nBBB\n\nfrom stdin\n\nhi"


def test_only_a_file(easyllm: Easyllm) -> None:
    Path(easyllm.home, "a.txt").write_text("What is this?")
    assert sent_prompt(easyllm, "chat", "-f", "a.txt") == "a.txt:\nWhat is this?"


def test_regular_file(easyllm: Easyllm) -> None:
    """Read if its offset is 0; at a higher offset another program reads it, so `-` is needed."""
    path = Path(easyllm.home, "in.txt")
    path.write_text("one\ntwo\n")
    with path.open("rb", buffering=0) as file:
        assert sent_prompt(easyllm, "chat", "hi", file=file) == "one\ntwo\n\nhi"
    with path.open("rb", buffering=0) as file:
        file.read(4)
        assert sent_prompt(easyllm, "chat", "hi", file=file) == "hi"
        assert file.tell() == 4
        assert sent_prompt(easyllm, "chat", "hi", "-", file=file) == "hi\n\ntwo\n"
    with path.open("rb", buffering=0) as file:
        file.read(4)
        ran = easyllm.run("chat", file=file, profiles=single_profile_toml("http://127.0.0.1:9"))
    assert ran.code == 2
    assert "name it with -" in ran.error_line


LOOP = 'while read x; do "$E" chat {n} "word $x"; done'
WORDS = ["word one", "word two"]
LIST = "one\ntwo\n"


def run_loop(easyllm: Easyllm, script: str, code: int = 0, shell: str = "sh", **more: Any) -> Any:
    """Run a shell script beside the file `list`; return the prompts that it sent."""
    home = easyllm.with_new_home()
    Path(home.home, "list").write_text(LIST)
    with StandIn(script_handler(OK)) as server:
        ran = home.shell(script, shell=shell, profiles=single_profile_toml(server), **more)
        assert ran.code == code, ran.stderr
        assert code or ran.stderr == ""
        return sent_contents(server)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_loop_over_a_file(easyllm: Easyllm, shell: str) -> None:
    """The loop's input is left unread, however the shell reads it."""
    assert run_loop(easyllm, LOOP.format(n="") + " < list", shell=shell) == WORDS


def test_loop_over_a_pipe(easyllm: Easyllm) -> None:
    """It looks the same as `git diff | easyllm`, so -n or the variable is needed."""
    assert run_loop(easyllm, "cat list | " + LOOP.format(n="-n")) == WORDS
    never = {"EASYLLM_STDIN": "never"}
    assert run_loop(easyllm, "cat list | " + LOOP.format(n=""), env=never) == WORDS
    consumed = run_loop(easyllm, "cat list | " + LOOP.format(n=""))
    assert consumed == ["two\n\nword one"], "as the README warns"


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", "- <&-"]


@pytest.mark.parametrize("ends", CLOSED)
def test_fault_51_and_53_closed_descriptors(easyllm: Easyllm, ends: str) -> None:
    """A file opened later must not become stdin or stdout; an answer without a stdout is 8."""
    code = 8 if " >&-" in f" {ends}" else 0
    prompts = run_loop(easyllm, f'"$E" chat hi -f list {ends}', code)
    assert prompts == [f"list:\n{LIST}\n\nhi"]


def test_write_only_stdin(easyllm: Easyllm) -> None:
    """nohup leaves stdin like this."""
    with Path(easyllm.home, "out").open("wb") as file:
        assert sent_prompt(easyllm, "chat", "hi", file=file) == "hi"
    descriptor = os.open("/dev/null", os.O_WRONLY)
    assert sent_prompt(easyllm, "chat", "hi", file=descriptor) == "hi"
    os.close(descriptor)


@pytest.mark.parametrize("command", ["chat", "stream", "cot"])
def test_fault_52_no_prompt_and_no_input(easyllm: Easyllm, command: str) -> None:
    """A usage error, never a hang."""
    easyllm.write_profiles(single_profile_toml("http://127.0.0.1:9"))
    runs = [easyllm.run(command), easyllm.run(command, stdin="")]  # /dev/null and an empty pipe
    if command == "chat":
        runs += [easyllm.shell(f'"$E" chat {ends}') for ends in ("<&-", "<<END\nEND")]
    for ran in runs:
        assert (ran.code, ran.stdout) == (2, b"")
        assert "prompt" in ran.error_line


def test_silent_pipe_is_announced(easyllm: Easyllm) -> None:
    reader, writer = os.pipe()
    with StandIn(script_handler(OK)) as server:
        began = time.monotonic()
        child = easyllm.start("chat", "hi", profiles=single_profile_toml(server), stdin=reader)
        notice = read_until(child.stderr, b"\n")
        assert 1.9 < time.monotonic() - began < 10
        assert b"waiting for stdin" in notice
        os.write(writer, b"late")
        os.close(writer)
        os.close(reader)
        ran = finish(child, None)
        assert (ran.code, ran.stdout, ran.stderr) == (0, b"ok\n", "")
        assert sent_contents(server) == ["late\n\nhi"]


def test_non_blocking_pipe(easyllm: Easyllm) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    with StandIn(script_handler(OK)) as server:
        child = easyllm.start("chat", "hi", profiles=single_profile_toml(server), stdin=reader)
        time.sleep(0.5)
        os.write(writer, b"late")
        os.close(writer)
        os.close(reader)
        assert finish(child, None).code == 0
        assert sent_contents(server) == ["late\n\nhi"]


def test_folder_on_stdin(easyllm: Easyllm) -> None:
    """CPython itself exits if stdin is a folder; the run must not hang."""
    descriptor = os.open("/", os.O_RDONLY)
    ran = easyllm.run(
        "chat", "hi", file=descriptor, profiles=single_profile_toml("http://127.0.0.1:9")
    )
    os.close(descriptor)
    assert ran.code != 0


def send_picture(easyllm: Easyllm, *args: str, stdin: bytes) -> tuple[Any, RunResult]:
    with StandIn(script_handler(OK)) as server:
        ran = easyllm.run(*args, stdin=stdin, profiles=single_profile_toml(server))
        assert ran.code == 0, ran.stderr
        return sent_contents(server)[0], ran


def test_picture_on_stdin(easyllm: Easyllm) -> None:
    for args in [("vision", "-", "describe"), ("vision", "-", "{stdin}describe")]:
        parts, _ = send_picture(easyllm, *args, stdin=gif_1x1())
        assert [part["type"] for part in parts] == ["text", "image_url"]
        assert parts[0]["text"] == "describe"
        assert parts[1]["image_url"]["url"].startswith("data:image/gif;base64,R0lGODlh")


def test_prompt_for_a_picture_on_stdin(easyllm: Easyllm) -> None:
    Path(easyllm.home, "a.gif").write_bytes(gif_1x1())
    parts, _ = send_picture(easyllm, "vision", "a.gif", stdin=b"describe this\n")
    assert parts[0]["text"] == "describe this\n"
    parts, _ = send_picture(easyllm, "vision", "a.gif", "a.gif", "compare", stdin=b"")
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]


def test_message_list(easyllm: Easyllm) -> None:
    listed = (
        b'[{"role": "system", "content": "Be kind"}, {"role": "user", "content": "One"},'
        b' {"role": "assistant", "content": "Two"}]'
    )
    Path(easyllm.home, "list.json").write_bytes(listed)
    wanted = [("system", "Be kind"), ("user", "One"), ("assistant", "Two"), ("user", "Three")]
    for args, stdin in [(("--messages", "list.json"), None), (("--messages", "-"), listed)]:
        with StandIn(script_handler(OK)) as server:
            ran = easyllm.run(
                "chat", *args, "Three", stdin=stdin, profiles=single_profile_toml(server)
            )
            assert ran.code == 0, ran.stderr
            messages = [
                (message["role"], message["content"])
                for message in server.requests[0].json["messages"]
            ]
            assert messages == wanted
