"""What is printed whole goes out in one write with its newline: runs side by side do not mix.

Writes are counted with a pipe in packet mode (Linux's O_DIRECT), where each read gives one write.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import Easyllm, chat_answer_script, finish, single_profile_toml
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="pipes in packet mode: Linux")
CODE = "Look:\n```sh\nls\n```\n"
ANSWERS = {
    "chat": (("chat", "hi"), chat_answer_script("two\n", "lines"), b"two\nlines\n"),
    "chat, newline": (("chat", "hi"), chat_answer_script("line\n"), b"line\n"),
    "only code": (("chat", "-x", "hi"), chat_answer_script(CODE), b"ls\n"),
    "reasoning alone": (
        ("cot", "--reasoning", "only", "hi"), chat_answer_script("six", reasoning="so"), b"so\n"
    ),
    "both": (
        ("cot", "--reasoning", "tags", "hi"), chat_answer_script("six", reasoning="so"),
        b"<think>so</think>\n\nsix\n",
    ),
    "largest": (("chat", "hi"), chat_answer_script("x" * 4095), b"x" * 4095 + b"\n"),
}  # fmt: skip


def packets(reader: int) -> list[bytes]:
    """Every write that went into the pipe, once its writers are gone."""
    made = []
    while packet := os.read(reader, 1 << 16):
        made.append(packet)
    os.close(reader)
    return made


def written(easyllm: Easyllm, *args: str, to: str = "stdout", **more: Any) -> list[bytes]:
    """What one run wrote to stdout or stderr, a write each."""
    reader, writer = os.pipe2(os.O_DIRECT)
    more[to] = writer
    with easyllm.start(*args, **more) as child:
        os.close(writer)
        finish(child, None)
    return packets(reader)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_one_write(easyllm: Easyllm, name: str) -> None:
    args, script, wanted = ANSWERS[name]
    with StandIn(script_handler(script)) as server:
        made = written(easyllm, *args, profiles=single_profile_toml(server))
    assert made == [wanted]


def test_the_answer_to_a_plain_request_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o")
        made = written(easyllm, "chat", "--no-stream", "hi", profiles=profiles)
    assert made == [b"Hello from gpt-4o: hi\n"]


def test_the_object_of_json_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("hello"))) as server:
        made = written(easyllm, "chat", "--json", "hi", profiles=single_profile_toml(server))
    assert len(made) == 1
    assert made[0].endswith(b"}\n")


def test_every_line_of_jsonl_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("hel", "lo"))) as server:
        made = written(easyllm, "stream", "--jsonl", "hi", profiles=single_profile_toml(server))
    assert all(one.count(b"\n") == 1 and one.endswith(b"}\n") for one in made)


def test_a_list_of_models_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        made = written(easyllm, "models", profiles=single_profile_toml(server))
    assert len(made) == 1
    assert made[0].count(b"\n") > 1


def test_reasoning_on_stderr_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("six", reasoning="one\ntwo"))) as server:
        made = written(easyllm, "cot", "hi", to="stderr", profiles=single_profile_toml(server))
    assert made == [b"one\ntwo\n"]


def test_an_error_line_is_one_write(easyllm: Easyllm) -> None:
    made = written(
        easyllm, "chat", "hi", to="stderr", profiles=single_profile_toml("http://127.0.0.1:9/v1")
    )
    assert len(made) == 1
    assert made[0].endswith(b"\n")


def side_by_side(easyllm: Easyllm, server: StandIn, stdout: int) -> None:
    """Twenty runs at the same time."""
    easyllm.write_profiles(single_profile_toml(server))
    runs = [easyllm.start("chat", f"{number}", stdout=stdout) for number in range(20)]
    for one in runs:
        with one:
            assert finish(one, None).code == 0


def test_twenty_runs_into_one_pipe(easyllm: Easyllm) -> None:
    text = "every word of this line is one run's own"
    reader, writer = os.pipe()
    with StandIn(script_handler(chat_answer_script(text))) as server:
        side_by_side(easyllm, server, writer)
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert lines.read() == f"{text}\n" * 20


def test_twenty_long_answers_into_one_file(easyllm: Easyllm) -> None:
    """A file takes any length at once."""
    text = "0123456789" * 3_000
    path = Path(easyllm.home, "answers")
    with path.open("ab") as file, StandIn(script_handler(chat_answer_script(text))) as server:
        side_by_side(easyllm, server, file.fileno())
    assert path.read_text() == f"{text}\n" * 20


def test_a_long_answer_into_a_pipe_is_whole(easyllm: Easyllm) -> None:
    """Longer than a pipe takes at once: in pieces, and none is lost."""
    text = "0123456789" * 20_000
    with StandIn(script_handler(chat_answer_script(text))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert ran.stdout.decode() == text + "\n"
