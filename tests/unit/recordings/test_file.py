"""Files of recordings: what is appended, what is read, and what is left out."""

import asyncio
import json
import os
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from easyllm_cli.errors import (
    BusyError,
    ConfigError,
    EasyLLMError,
    NotFoundError,
    OutputError,
    UsageError,
)
from easyllm_cli.events import Done, Event, Note, Reasoning, RoutineNote, Start, Text, Usage
from easyllm_cli.file_lock import try_lock
from easyllm_cli.recordings import Recordings
from easyllm_cli.recordings.attempt import RecordedAttempt
from easyllm_cli.recordings.file import Recorder, Recording
from easyllm_cli.recordings.key import RequestIdentity
from easyllm_cli.recordings.line_format import (
    HEADER,
    attempt_from_object,
    line_from_attempt,
    read_lines,
)
from tests.support import ROOT
from tests.support.another_user import as_another_user

VERSION_1 = ROOT / "tests" / "support" / "recording_files" / "version-1.jsonl"
EVENTS: list[Event] = [
    RoutineNote("model m: the first one the server offers"),
    Start("openai", "m"),
    Reasoning("Hm", hidden=True),
    Text("Hello\u2028 \ud83d"),
    Usage(0, 3, 3, cached_tokens=0, estimated=True, cost_usd=0.5),
    Note("a note"),
    Done("length", False, None, True),
]


def identity(question: str = "hi", **body: object) -> RequestIdentity:
    request = {"method": "POST", "url": "http://a", "body": {"messages": question, **body}}
    return RequestIdentity("openai", "m", request, prompt=question)


def attempt(text: str = "Hello") -> RecordedAttempt:
    return RecordedAttempt(
        time.time(), [(0, Start("openai", "m")), (7, Text(text)), (8, Done("stop", True))]
    )


def text_of(recorded: RecordedAttempt) -> str:
    return "".join(event.text for _, event in recorded.events if isinstance(event, Text))


def test_every_event_comes_back_as_it_was() -> None:
    error = BusyError(
        "slow down", hint="later", status=429, code="rate", retry_after=2.0, request_id="r"
    )
    recorded = RecordedAttempt(5.0, list(enumerate(EVENTS)), error)
    ((_, content),) = read_lines(HEADER + line_from_attempt(recorded, {}))
    again = attempt_from_object(content)
    assert list(again.events) == list(enumerate(EVENTS))
    assert [type(event) for _, event in again.events] == [type(event) for event in EVENTS]
    assert type(again.error) is BusyError
    assert vars(again.error) == {**vars(error), "retryable": True}
    assert (again.made_at, again.done) == (5.0, EVENTS[-1])


def test_numbers_that_cannot_be_read_again_are_not_written() -> None:
    events: list[Event] = [Usage(10**30, 3), Usage(cost_usd=float("inf")), Done("stop", True)]
    recorded = RecordedAttempt(5.0, list(enumerate(events)), BusyError("b", retry_after=1e300))
    again = attempt_from_object(json.loads(line_from_attempt(recorded, {})))
    assert [event for _, event in again.events] == [Usage(None, 3), Usage(), events[-1]]
    assert again.error is not None
    assert again.error.retry_after == 1e11


@pytest.mark.parametrize(
    "content",
    [
        None, [], {}, {"made_at": 1, "events": []}, {"made_at": "1", "events": [{"kind": "text"}]},
        {"made_at": 1, "events": [{"kind": "retrying"}]}, {"made_at": 1, "events": ["text"]},
        {"made_at": 1, "events": [{"kind": ["text"]}]}, {"made_at": 1, "events": [], "error": {}},
        {"made_at": 1, "events": [{"kind": "usage", "prompt_tokens": "3"}]},
        {"made_at": 1, "events": [], "error": {"kind": "busy", "status": "429"}},
        {"made_at": 1, "events": [], "error": {"kind": "interrupted"}},
        {"made_at": 1, "events": [{"kind": "text", "text": "no end"}]},
        {"made_at": 10**400, "events": [{"kind": "done"}]},
        {"made_at": float("inf"), "events": [{"kind": "done"}]},
        {"made_at": float("nan"), "events": [{"kind": "done"}]},
        {"made_at": -1, "events": [{"kind": "done"}]},
        {"made_at": 1, "events": [{"kind": "usage", "prompt_tokens": 10**400}, {"kind": "done"}]},
        {"made_at": 1, "events": [{"kind": "usage", "cost_usd": 1e999}, {"kind": "done"}]},
        {"made_at": 1, "events": [], "error": {"kind": "busy", "retry_after": float("nan")}},
    ],
    ids=lambda content: str(content)[:80],
)  # fmt: skip
def test_what_is_no_attempt_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"not an|no events|unknown event|wrong type"):
        attempt_from_object(content)


async def test_attempts_come_in_order_and_then_the_last_again(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "answers.jsonl"
    for text in ("one", "two"):
        await Recorder(path).record(identity(), attempt(text))
    await Recorder(path).record(identity("other"), attempt("three"))
    recording = Recording(path)
    assert [text_of(recording.take(identity())) for _ in range(3)] == ["one", "two", "two"]
    assert text_of(recording.take(identity("other"))) == "three"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_a_folder_has_a_file_for_each_request(tmp_path: Path) -> None:
    folder = f"{tmp_path}/answers/"
    await Recorder(folder).require_writable(identity())
    for question in ("one", "two", "one"):
        await Recorder(folder).record(identity(question), attempt(question))
    assert len(list(Path(folder).glob("*.jsonl"))) == 3
    (Path(folder) / "folder.jsonl").mkdir()
    (Path(folder) / "empty.jsonl").touch()
    assert text_of(Recording(folder).take(identity("two"))) == "two"
    with pytest.raises(
        NotFoundError, match=r"the nearest is \w+\.jsonl, line 2, which differs in seed"
    ):
        Recording(folder).take(identity("one", seed=1))


async def test_a_line_of_a_writer_that_was_killed_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    await Recorder(path).record(identity("one"), attempt("one"))
    with path.open("ab") as file:
        file.write(line_from_attempt(attempt(), {"key": "torn"})[:50])
    await Recorder(path).record(identity("two"), attempt("two"))
    recording = Recording(path)
    assert text_of(recording.take(identity("two"))) == "two"
    assert recording.notes == [f"line 3 of {path} is damaged and left out"]


@pytest.mark.parametrize(
    "content",
    [
        b"prompt\n", b"{}\n", b'{"easyllm_recording": 2}\n', b'{"easyllm_recording": 0}\n',
        b'{"easyllm_recording": true}\n', b"\0",
    ],
)  # fmt: skip
async def test_rec_6_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        Recording(path).take(identity())
    with pytest.raises(ConfigError):
        await Recorder(path).require_writable(identity())
    with pytest.raises(ConfigError):
        await Recorder(path).record(identity(), attempt())
    assert path.read_bytes() == content


async def test_a_missing_file_and_an_unwritable_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Recording(tmp_path / "none.jsonl").take(identity())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        await Recorder(tmp_path / "file" / "answers.jsonl").require_writable(identity())


def test_a_path_of_an_unknown_home_is_a_usage_error() -> None:
    for path in ("~no-such-user/a.jsonl", "a\0b"):
        for name in ("record", "replay"):
            with pytest.raises(UsageError, match="not a usable path"):
                Recordings(**{name: path})


def test_a_path_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    for path in (locked, f"{locked}/", locked / "a.jsonl", tmp_path / ("a" * 300)):
        told = as_another_user(partial(read_recording, path))
        assert told.startswith("UsageError: cannot be read: "), told
        told = as_another_user(partial(prepare_recording, path))
        assert told.startswith("OutputError: cannot be written: "), told
        assert str(path).rstrip("/") in told


def read_recording(path: Path | str) -> str:
    return str(Recording(path).has("key"))


def prepare_recording(path: Path | str) -> str:
    return str(asyncio.run(Recorder(path).require_writable(identity())))


async def test_a_line_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "answers.jsonl"
    await Recorder(path).record(identity(), attempt("one"))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            await Recorder(path).record(identity(), attempt("two" * 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before


async def test_a_fifo_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.jsonl"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/null")):
        with pytest.raises(UsageError, match="not a regular file"):
            await Recorder(path).require_writable(identity())
        with pytest.raises(UsageError, match="not a regular file"):
            Recording(path).take(identity())


def test_rec_6_a_file_of_version_1_is_replayed() -> None:
    recording = Recording(VERSION_1)
    first = recording.take(identity())
    second = recording.take(identity())
    assert isinstance(first.error, BusyError)
    assert (first.error.status, first.error.retry_after) == (429, 2.0)
    assert text_of(second) == "Grüße\u2028"
    assert second.done == Done("stop", True)
    assert [type(event) for _, event in second.events] == [
        RoutineNote, Start, Reasoning, Text, Usage, Note, Done,
    ]  # fmt: skip
    assert isinstance(recording.take(identity("cut")).error, EasyLLMError)


async def test_a_locked_file_is_waited_for_without_blocking_the_event_loop(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    await Recorder(path).require_writable(identity())
    with path.open("rb") as other:
        assert try_lock(other.fileno())
        recording = asyncio.create_task(Recorder(path).record(identity(), attempt()))
        for _ in range(3):  # the loop runs on
            await asyncio.sleep(0.001)
        assert not recording.done()
    await asyncio.wait_for(recording, 5)
    assert text_of(Recording(path).take(identity())) == "Hello"


def append(path: Path, letter: str) -> None:
    """Record five attempts, each longer than a pipe's buffer."""
    for _ in range(5):
        asyncio.run(Recorder(path).record(identity(letter), attempt(letter * 80_000)))


def test_rec_5_processes_that_append_at_once_leave_every_line_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    letters = "abcdefghijklmnopqrst"
    processes = get_context("fork")
    writers = [processes.Process(target=append, args=(path, letter)) for letter in letters]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0] * len(letters)
    assert path.read_bytes().count(HEADER) == 1
    texts = [text_of(attempt_from_object(content)) for _, content in read_lines(path.read_bytes())]
    assert sorted(texts) == sorted(letter * 80_000 for letter in letters for _ in range(5))
