"""Buffered output is one write with its newline, so that parallel runs do not mix.

Writes are counted with a pipe in packet mode (Linux's O_DIRECT), where each read returns one write.
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


def read_writes(reader: int) -> list[bytes]:
    """All writes into the pipe, read until its writers have closed it."""
    writes = []
    while packet := os.read(reader, 1 << 16):
        writes.append(packet)
    os.close(reader)
    return writes


def record_writes(easyllm: Easyllm, *args: str, to: str = "stdout", **more: Any) -> list[bytes]:
    """Run once; return its writes to stdout or stderr."""
    reader, writer = os.pipe2(os.O_DIRECT)
    more[to] = writer
    with easyllm.start(*args, **more) as child:
        os.close(writer)
        finish(child, None)
    return read_writes(reader)


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_one_write(easyllm: Easyllm, name: str) -> None:
    args, script, wanted = ANSWERS[name]
    with StandIn(script_handler(script)) as server:
        writes = record_writes(easyllm, *args, profiles=single_profile_toml(server))
    assert writes == [wanted]


def test_buffered_answer_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        profiles = single_profile_toml(server, model="gpt-4o")
        writes = record_writes(easyllm, "chat", "--no-stream", "hi", profiles=profiles)
    assert writes == [b"Hello from gpt-4o: hi\n"]


def test_json_object_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("hello"))) as server:
        writes = record_writes(
            easyllm, "chat", "--json", "hi", profiles=single_profile_toml(server)
        )
    assert len(writes) == 1
    assert writes[0].endswith(b"}\n")


def test_every_jsonl_line_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("hel", "lo"))) as server:
        writes = record_writes(
            easyllm, "stream", "--jsonl", "hi", profiles=single_profile_toml(server)
        )
    assert all(line.count(b"\n") == 1 and line.endswith(b"}\n") for line in writes)


def test_model_list_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(OpenAIServer().handle) as server:
        writes = record_writes(easyllm, "models", profiles=single_profile_toml(server))
    assert len(writes) == 1
    assert writes[0].count(b"\n") > 1


def test_reasoning_on_stderr_is_one_write(easyllm: Easyllm) -> None:
    with StandIn(script_handler(chat_answer_script("six", reasoning="one\ntwo"))) as server:
        writes = record_writes(
            easyllm, "cot", "hi", to="stderr", profiles=single_profile_toml(server)
        )
    assert writes == [b"one\ntwo\n"]


def test_error_line_is_one_write(easyllm: Easyllm) -> None:
    writes = record_writes(
        easyllm, "chat", "hi", to="stderr", profiles=single_profile_toml("http://127.0.0.1:9/v1")
    )
    assert len(writes) == 1
    assert writes[0].endswith(b"\n")


def run_twenty(easyllm: Easyllm, server: StandIn, stdout: int) -> None:
    """Run twenty commands at the same time."""
    easyllm.write_profiles(single_profile_toml(server))
    runs = [easyllm.start("chat", f"{number}", stdout=stdout) for number in range(20)]
    for child in runs:
        with child:
            assert finish(child, None).code == 0


def test_twenty_runs_into_one_pipe(easyllm: Easyllm) -> None:
    text = "every word of this line is one run's own"
    reader, writer = os.pipe()
    with StandIn(script_handler(chat_answer_script(text))) as server:
        run_twenty(easyllm, server, writer)
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert lines.read() == f"{text}\n" * 20


def test_twenty_long_answers_into_one_file(easyllm: Easyllm) -> None:
    """A file takes any length in one write."""
    text = "0123456789" * 3_000
    path = Path(easyllm.home, "answers")
    with path.open("ab") as file, StandIn(script_handler(chat_answer_script(text))) as server:
        run_twenty(easyllm, server, file.fileno())
    assert path.read_text() == f"{text}\n" * 20


def test_long_answer_into_a_pipe_is_whole(easyllm: Easyllm) -> None:
    """It is longer than a pipe takes at once, so it is written in pieces; none is lost."""
    text = "0123456789" * 20_000
    with StandIn(script_handler(chat_answer_script(text))) as server:
        ran = easyllm.run("chat", "hi", profiles=single_profile_toml(server))
    assert ran.stdout.decode() == text + "\n"
