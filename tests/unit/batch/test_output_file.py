"""The output of a batch and its state: what a crash, a cut or another process leaves of them."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from easyllm_cli.batch.input_file import InputIdentity
from easyllm_cli.batch.output_file import OutputFile
from easyllm_cli.batch.output_rows import parse_line
from easyllm_cli.batch.state import (
    GOOD,
    RECORD,
    RETRYABLE,
    STATE_START,
    Header,
    StateReader,
    running_process,
    state_path,
)
from easyllm_cli.errors import OutputError, UsageError
from easyllm_cli.file_lock import try_lock
from tests.support.batches import largest_file

HEADER = Header("in.jsonl", InputIdentity(100, "aa"), {"model": "bb", "template": "cc"}, {}, 1.0)
LINE_COUNT = 20


def line_of(row: int, error: object = None) -> bytes:
    return json.dumps({"index": row, "text": "x" * row, "error": error}).encode() + b"\n"


def open_output(path: Path, header: Header = HEADER) -> OutputFile:
    return OutputFile(path, header, parse_line)


def rows_in(path: Path) -> list[int]:
    return [json.loads(line)["index"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with twenty good rows."""
    path = tmp_path / "out.jsonl"
    file = open_output(path)
    for row in range(LINE_COUNT):
        file.append(line_of(row), row, GOOD)
    file.close()
    return path


def cut(path: Path, byte_count: int) -> None:
    os.truncate(path, path.stat().st_size - byte_count)


def damage_last_record(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def tear_both(output: Path) -> None:
    cut(output, 5)
    cut(state_path(output), RECORD.size + 3)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda output: None,
    "output torn in a line": lambda output: cut(output, 5),
    "output cut by three lines": lambda output: cut(output, 3 * len(line_of(19)) - 3),
    "output empty": lambda output: output.write_bytes(b""),
    "output missing": lambda output: output.unlink(),
    "state torn in a record": lambda output: cut(state_path(output), 7),
    "state behind by two rows": lambda output: cut(state_path(output), 2 * RECORD.size),
    "state without records": lambda output: cut(state_path(output), LINE_COUNT * RECORD.size),
    "record damaged": lambda output: damage_last_record(state_path(output)),
    "both torn": lambda output: tear_both(output),
    "a row there twice": lambda output: output.write_bytes(output.read_bytes() + line_of(7)),
    "a torn line more": lambda output: output.write_bytes(output.read_bytes() + b'{"index": 20, '),
    "a whole line more": lambda output: output.write_bytes(output.read_bytes() + line_of(20)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_batch_3_what_agrees_is_kept_and_the_rest_is_asked_again(output: Path, damage: str) -> None:
    DAMAGES[damage](output)
    file = open_output(output)
    done = [row for row in range(LINE_COUNT + 5) if file.statuses.get(row) == GOOD]
    assert rows_in(output) == done
    for row in set(range(LINE_COUNT + 5)) - {*done}:
        file.append(line_of(row), row, GOOD)
    file.close()
    assert sorted(rows_in(output)) == list(range(LINE_COUNT + 5))
    _, starts = StateReader(output).offsets()
    data = output.read_bytes()
    assert [json.loads(data[start:].splitlines()[0])["index"] for start in starts] == [
        *range(LINE_COUNT + 5)
    ]


REFUSED: dict[str, Callable[[Path], object]] = {
    "state missing": lambda output: state_path(output).unlink(),
    "state is something else": lambda output: state_path(output).write_bytes(b"hello\nworld\n"),
    "header without its end": lambda output: cut(state_path(output), LINE_COUNT * RECORD.size + 1),
    "output edited": lambda output: output.write_bytes(output.read_bytes().replace(b" 19", b" 77")),
    "output of something else": lambda output: output.write_bytes(b"x" * 10_000),
}


@pytest.mark.parametrize("damage", REFUSED)
def test_batch_3_what_cannot_be_matched_is_refused_and_left_alone(
    output: Path, damage: str
) -> None:
    REFUSED[damage](output)
    before = output.read_bytes()
    with pytest.raises(UsageError):
        open_output(output)
    assert output.read_bytes() == before
    assert state_path(output).exists() == (damage != "state missing")


@pytest.mark.parametrize("missing", [None, 1, 2, 100])
def test_batch_3_a_state_whose_header_was_torn_begins_anew(
    tmp_path: Path, missing: int | None
) -> None:
    path = tmp_path / "out.jsonl"
    open_output(path).close()
    size = state_path(path).stat().st_size
    cut(state_path(path), size if missing is None else missing)
    for row in range(2):
        file = open_output(path)
        assert file.statuses.good == row
        file.append(line_of(row), row, GOOD)
        file.close()
    assert state_path(path).stat().st_size == size + 2 * RECORD.size


def test_batch_4_another_input_is_refused(output: Path) -> None:
    for identity in (InputIdentity(101, "aa"), InputIdentity(100, "ab")):
        changed = HEADER.__replace__(input=identity)
        with pytest.raises(UsageError, match="the input has changed"):
            open_output(output, changed)


def test_batch_5_other_settings_are_refused_by_name(output: Path) -> None:
    for settings in ({"model": "bb", "template": "xx"}, {"model": "bb"}):
        with pytest.raises(UsageError, match="another template"):
            open_output(output, HEADER.__replace__(settings=settings))
    open_output(output, HEADER.__replace__(arguments={"rpm": 5}, created_at=2.0)).close()


def test_batch_6_a_second_process_is_refused_with_the_name_of_the_first(output: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.unit.batch.test_output_file import *\n"
        "file = open_output(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"locked\n"
        assert running_process(output) == first.pid
        with pytest.raises(OutputError, match=f"process {first.pid}") as caught:
            open_output(output)
        assert caught.value.exit_code == 8
        assert first.stdin is not None
        first.stdin.close()
    assert running_process(output) is None
    open_output(output).close()


def test_batch_22_files_are_private_under_any_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o377):
        path = tmp_path / f"out-{umask}.jsonl"
        before = os.umask(umask)
        try:
            open_output(path).close()
        finally:
            os.umask(before)
        for each in (path, state_path(path)):
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_a_newer_answer_replaces_an_older_one_but_never_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    file = open_output(path)
    for row, status in ((1, RETRYABLE), (0, GOOD), (1, GOOD), (0, RETRYABLE), (2, RETRYABLE)):
        file.append(line_of(row, "bad" if status == RETRYABLE else None), row, status)
    file.mark_all_read(4)
    file.mark_all_read(4)
    file.close()
    statuses, starts = StateReader(path).offsets()
    assert [statuses.get(row) for row in range(4)] == [GOOD, GOOD, RETRYABLE, 0]
    assert (statuses.good, statuses.failed, statuses.done, statuses.total) == (2, 1, 3, 4)
    data = path.read_bytes()
    assert [json.loads(data[start:].splitlines()[0])["error"] for start in starts] == [
        None, None, "bad",
    ]  # fmt: skip


def test_a_full_disk_leaves_both_files_usable(output: Path) -> None:
    file = open_output(output)
    whole = rows_in(output)
    with (
        largest_file(output.stat().st_size + 10),
        pytest.raises(OutputError, match="cannot be written") as caught,
    ):
        file.append(line_of(20), 20, GOOD)
    assert "make room" in caught.value.hint
    assert rows_in(output) == whole
    file.append(line_of(20), 20, GOOD)
    file.close()
    assert rows_in(output) == [*whole, 20]


@pytest.mark.parametrize("content", [b'{"prompt": "mine"}\n', b"easyllm notes\n", b"e-mail"])
def test_batch_3_a_file_of_the_users_is_no_state(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "out.jsonl"
    state_path(path).write_bytes(content)
    with pytest.raises(UsageError, match="damaged"):
        open_output(path)
    assert state_path(path).read_bytes() == content


def test_batch_6_a_process_that_asks_for_the_status_is_no_other_process(output: Path) -> None:
    """It has the lock for a moment; the batch waits for it, and another one sees no process."""
    with state_path(output).open("rb") as probe:
        assert try_lock(probe.fileno(), shared=True)
        assert running_process(output) is None
        threading.Timer(0.03, probe.close).start()
        open_output(output).close()


@pytest.mark.parametrize("process", [b"         0", b"        -1", b"      1e99", b"          "])
def test_batch_3_a_wrong_process_id_is_no_process(output: Path, process: bytes) -> None:
    data = state_path(output).read_bytes()
    at = len(STATE_START)
    state_path(output).write_bytes(data[:at] + process + data[at + len(process) :])
    with pytest.raises(UsageError, match="damaged"):
        running_process(output)


FOREIGN_LINES = [
    b'{"index": 10000000000000, "error": null}',
    b'{"index": 9999999999999999999999, "error": null}',
    b'{"index": true, "error": null}',
    b'{"index": 20}',
    b"[" * 100_000,
    b'{"index": "20"}',
    b"null",
]


@pytest.mark.parametrize("line", FOREIGN_LINES, ids=lambda line: line[:30].decode())
def test_batch_3_a_line_that_is_no_row_is_cut_off(output: Path, line: bytes) -> None:
    before = output.read_bytes()
    output.write_bytes(before + line + b"\n")
    file = open_output(output)
    assert file.statuses.done == LINE_COUNT
    file.close()
    assert output.read_bytes() == before
