"""`easyllm batch retry`, `merge` and `cancel`: what can be done with an output."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.batch.state import PROCESS_LINE, state_path
from easyllm_cli.file_lock import try_lock
from tests.support.batch_command import ROWS, BatchCommand
from tests.support.batches import read_lines, whole_answer, write_prompts
from tests.support.binary import wait_until


def test_failed_rows_are_9_and_retry_asks_them_again(batch: BatchCommand) -> None:
    batch.server.faults = lambda prompt, count: {"p3": 500, "p5": 400}.get(prompt)
    ran = batch.run()
    assert ran.code == 9
    assert "2 of 24 rows failed" in ran.stderr
    assert "busy     1  " in ran.stderr
    assert "refused  1  " in ran.stderr
    assert "easyllm batch retry out.jsonl" in ran.stderr
    status = batch.run("--json", words=("status", "out.jsonl")).json
    assert (status["rows"], status["done"], status["failed"], status["retryable"]) == (
        ROWS,
        ROWS - 2,
        2,
        1,
    )
    batch.server.faults = lambda prompt, count: None
    ran = batch.run("--json", words=("retry", "out.jsonl"))
    assert (ran.code, ran.json["failed"], ran.json["resume"]) == (
        9, 1, "easyllm batch retry out.jsonl --all",
    )  # fmt: skip
    ran = batch.run("--all", words=("retry", "out.jsonl"))
    assert (ran.code, batch.good_rows()) == (0, list(range(ROWS)))
    assert len(batch.server.asked) == ROWS + 2
    assert batch.run("--json", words=("merge", "out.jsonl", "all.jsonl")).json["done"] == ROWS
    merged = read_lines(batch.easyllm.home / "all.jsonl")
    assert [line["index"] for line in merged] == list(range(ROWS))


def test_retry_uses_the_options_that_the_batch_was_begun_with(batch: BatchCommand) -> None:
    batch.input.write_text('{"x": "a"}\n{"x": "b"}\n')
    batch.server.faults = lambda prompt, count: 500 if prompt == "say b" and not count else None
    assert batch.run("--template", "say {x}", "-t", "0.5", "-s", "Be brief").code == 9
    assert batch.run(words=("retry", "out.jsonl")).code == 0
    bodies = [request.json for request in batch.stand_in.requests]
    assert bodies[2] == bodies[1 if bodies[1]["messages"][1]["content"] == "say b" else 0]
    assert bodies[2]["temperature"] == 0.5


def test_retry_asks_what_failed_after_a_first_run_with_a_limit(batch: BatchCommand) -> None:
    batch.server.faults = lambda prompt, count: 500 if prompt in ("p1", "p5") else None
    assert batch.run("--limit", "3").code == 9
    batch.server.faults = lambda prompt, count: 500 if prompt == "p5" and not count else None
    ran = batch.run("--json", words=("retry", "out.jsonl"))
    assert (ran.code, ran.json["rows"], ran.json["resume"]) == (0, 3, None)
    assert batch.run().code == 9
    ran = batch.run("--json", words=("retry", "out.jsonl"))
    assert (ran.code, ran.json["rows"], batch.good_rows()) == (0, ROWS, list(range(ROWS)))


def test_retry_finds_its_files_in_another_folder(batch: BatchCommand) -> None:
    home = batch.easyllm.home
    (home / "s.json").write_text('{"type": "object"}')
    batch.easyllm.config.rename(home / "mine.toml")
    batch.server.faults = lambda prompt, count: (
        whole_answer("m", "{}", prompt) if count or prompt != "p1" else 500
    )
    options = ("--schema", "s.json", "--profiles", "mine.toml", "--limit", "3")
    assert batch.run(*options).code == 9
    (home / "sub").mkdir()
    ran = batch.run(words=("retry", "../out.jsonl"), folder=home / "sub")
    assert (ran.code, batch.good_rows()) == (0, [0, 1, 2]), ran.stderr


def test_retry_says_how_rows_are_asked_that_never_were(batch: BatchCommand) -> None:
    assert batch.run("--limit", "3").code == 0
    state = batch.output.with_name("out.jsonl.state")
    state.write_bytes(state.read_bytes().replace(b'"limit": 3', b'"limit": 4'))
    ran = batch.run("--json", words=("retry", "out.jsonl"))
    assert (ran.code, ran.json["error"]["message"]) == (9, "some rows were never asked")
    assert ran.json["resume"] == f"easyllm batch {batch.input} out.jsonl"
    assert f"go on with: {ran.json['resume']}" in ran.error_line


def test_batch_17_and_18_merged_shards_equal_the_run_without(batch: BatchCommand) -> None:
    names = [f"out-{number}.jsonl" for number in range(3)]
    for number, name in enumerate(names):
        assert batch.run("--shard", f"{number}/3", words=("in.jsonl", name)).code == 0
    ran = batch.run(words=("merge", *names[:2], "some.jsonl"))
    assert ran.code == 9
    assert "8 rows are missing: 2, 5, 8" in ran.stderr
    assert batch.run(words=("merge", *names, "all.jsonl")).code == 0
    assert batch.run().code == 0
    assert batch.run(words=("merge", "out.jsonl", "one.jsonl")).code == 0

    def lines(name: str) -> list[Any]:
        return [{**line, "ms": 0} for line in read_lines(batch.easyllm.home / name)]

    assert lines("all.jsonl") == lines("one.jsonl")
    assert [line["index"] for line in lines("all.jsonl")] == list(range(ROWS))


def test_outputs_of_different_batches_are_not_merged(batch: BatchCommand) -> None:
    assert batch.run().code == 0
    write_prompts(batch.input, ["other"])
    assert batch.run(words=("in.jsonl", "other.jsonl")).code == 0
    assert batch.run(words=("merge", "out.jsonl", "other.jsonl", "all.jsonl")).code == 2
    assert not (batch.easyllm.home / "all.jsonl").exists()
    assert batch.run(words=("merge", "out.jsonl")).code == 2


def test_batch_6_a_second_process_is_8_and_cancel_stops_the_first(batch: BatchCommand) -> None:
    batch.server.seconds = 0.5
    with batch.start() as child:
        wait_until(lambda: len(batch.server.asked) >= 8)
        second = batch.run()
        assert second.code == 8
        process = batch.run("--json", words=("status", "out.jsonl")).json["running"]
        assert f"(process {process})" in second.error_line
        assert batch.run(words=("cancel", "out.jsonl")).code == 0
        child.communicate(timeout=20)
    assert child.returncode == 143
    assert batch.run(words=("cancel", "out.jsonl")).code == 2
    assert len(batch.good_rows()) == 8


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say")
def test_cancel_stops_no_process_that_has_nothing_to_do_with_the_batch(batch: BatchCommand) -> None:
    """Its id is in the state: of a process on another machine, or of one that ended long ago."""
    assert batch.run("--limit", "3").code == 0
    state = state_path(batch.output)
    with subprocess.Popen(["sleep", "60"]) as other, state.open("r+b") as file:
        file.write(PROCESS_LINE.format(other.pid).encode())
        file.flush()
        assert batch.run(words=("cancel", "out.jsonl")).code == 2  # nobody has the lock
        assert try_lock(file.fileno())
        ran = batch.run(words=("cancel", "out.jsonl"))
        assert (ran.code, other.poll()) == (8, None)
        assert f"process {other.pid}, which works on this output, is not on" in ran.error_line
        other.kill()
