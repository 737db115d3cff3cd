"""`easyllm batch`: its rows, exit codes, signals, kill -9, and what it prints.

Where a test is not about a process, the command runs in this one, which costs a tenth.
"""

import json
import os
import random
import signal
import stat
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from easyllm_cli.batch.input_file import InputFile
from easyllm_cli.cli import batch_display
from tests.support.batch_command import ROWS, BatchCommand, has_asked
from tests.support.batches import read_lines, whole_answer, write_prompts
from tests.support.binary import wait_until
from tests.support.objects import validate_against_schema


def test_all_rows_are_answered_and_the_object_says_so(batch: BatchCommand) -> None:
    ran = batch.run("--json")
    assert (ran.code, batch.good_rows()) == (0, list(range(ROWS)))
    result = ran.json
    validate_against_schema(result, "batch")
    assert {key: result[key] for key in ("version", "ok", "rows", "done", "failed", "skipped")} == {
        "version": 1, "ok": True, "rows": ROWS, "done": ROWS, "failed": 0, "skipped": 0,
    }  # fmt: skip
    assert result["usage"]["prompt_tokens"] == ROWS
    assert (result["errors"], result["resume"], result["error"]) == ({}, None, None)
    again = batch.run("--json").json
    assert (again["done"], again["skipped"], len(batch.server.asked)) == (ROWS, ROWS, ROWS)


def test_a_changed_input_or_option_is_2(batch: BatchCommand) -> None:
    assert batch.run("--limit", "5").code == 0
    assert "another model" in batch.run("-m", "other").error_line
    assert batch.run("-t", "0.3", "-s", "Hi").code == 2
    assert batch.run("--rpm", "6000", "--concurrency", "3", "--max-errors", "3").code == 0
    write_prompts(batch.input, ["other"])
    assert "the input has changed" in batch.run().error_line


@pytest.mark.parametrize(
    "words", [("~nobody-here/in.jsonl", "out"), ("in.jsonl", "~nobody-here/o")]
)
def test_a_home_folder_that_does_not_exist_is_no_bug(
    batch: BatchCommand, words: tuple[str, str]
) -> None:
    assert "~nobody-here" in batch.run(words=words).error_line


def test_stdin_is_copied_so_that_a_later_run_can_go_on(
    batch: BatchCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = batch.easyllm.run("batch", "-", "out.jsonl", "--json", stdin='"a"\n"b"\n')
    assert (ran.code, batch.good_rows()) == (0, [0, 1])
    again = batch.run(words=("-", "out.jsonl"))
    assert again.code == 2
    assert "easyllm batch out.jsonl.input out.jsonl" in again.error_line
    assert batch.run(words=("out.jsonl.input", "out.jsonl")).code == 0
    copy = batch.easyllm.home / "out.jsonl.input"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for path in batch.easyllm.home.glob("out.jsonl*"):
        if path != copy:
            path.unlink()
    with copy.open() as stdin:  # the shell opens it before it is written
        monkeypatch.setattr(sys, "stdin", stdin)
        assert batch.run(words=("-", "out.jsonl")).code == 0
    assert copy.read_text() == '"a"\n"b"\n'
    monkeypatch.setattr(sys, "stdin", None)
    assert "stdin is closed" in batch.run(words=("-", "new.jsonl")).error_line


def test_an_input_named_like_a_command_needs_a_path(batch: BatchCommand) -> None:
    batch.input.rename(batch.input.with_name("status"))
    assert batch.run(words=("status", "out.jsonl")).code == 2
    assert batch.run(words=("./status", "out.jsonl")).code == 0
    assert batch.run("--limit", "5", words=("run", "./status", "out.jsonl")).code == 0


def test_batch_23_a_dry_run_reads_every_line_and_sends_nothing(batch: BatchCommand) -> None:
    batch.write_profile(rpm=10, price={"input": 1.0, "output": 2.0})
    result = batch.run("--dry-run", "--json", "--max-tokens", "100").json
    assert (result["rows"], result["bad_rows"], result["answer_tokens"]) == (ROWS, 0, ROWS * 100)
    assert result["seconds"] == ROWS / 10 * 60
    cost = (result["prompt_tokens"] + 2 * result["answer_tokens"]) / 1e6
    assert result["cost_usd"] == pytest.approx(cost)
    batch.input.write_text('{"prompt": "a"}\n{oops\n')
    ran = batch.run("--dry-run")
    assert ran.code == 9
    assert "line 2: it is not JSON" in ran.stderr
    assert ran.stdout.decode().startswith("rows           2\n")
    assert batch.server.asked == []
    assert not batch.output.exists()


def test_events_on_stdout(batch: BatchCommand) -> None:
    batch.server.faults = lambda prompt, count: {"p1": 400, "p2": None if count else 429}.get(
        prompt
    )
    batch.server.headers = {"retry-after-ms": "50"}
    ran = batch.run("--jsonl")
    assert ran.code == 9
    events = ran.events
    for event in events:
        validate_against_schema(event, "batch_event")
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("start", "error")
    rows = [event for event in events if event["kind"] == "row"]
    assert sorted(event["index"] for event in rows) == list(range(ROWS))
    assert [event["error"]["kind"] for event in rows if not event["ok"]] == ["refused"]
    assert {"pause", "limit"} <= {*kinds} <= {"start", "row", "pause", "limit", "error"}
    assert (events[-1]["done"], events[-1]["failed"]) == (ROWS - 1, 1)


def test_a_reader_that_leaves_is_141_and_the_rows_stay(batch: BatchCommand) -> None:
    ran = batch.easyllm.shell(
        '"$E" batch in.jsonl out.jsonl --jsonl | head -n 3; exit ${PIPESTATUS[0]}', shell="bash"
    )
    assert ran.code == 141
    assert batch.run().code == 0
    assert batch.good_rows() == list(range(ROWS))


def test_a_line_from_time_to_time_where_stderr_is_no_terminal(
    batch: BatchCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_display, "PLAIN_SECONDS", 0.1)
    batch.server.seconds = 0.3
    ran = batch.run()
    assert ran.code == 0
    lines = ran.stderr.splitlines()
    assert len(lines) >= 2
    assert "8 in flight" in lines[0]
    assert lines[-1].startswith("easyllm: 24/24 100 % · ")
    assert "\x1b" not in ran.stderr


def test_the_end_does_not_wait_until_the_rows_are_counted(
    batch: BatchCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file is counted for minutes, and --limit or Ctrl-C end the run before."""
    was_stopped = []

    def count_lines(source: InputFile, is_wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while is_wanted() and time.monotonic() < deadline:
            time.sleep(0.01)
        was_stopped.append(time.monotonic() < deadline)

    assert InputFile(batch.input).count_lines(lambda: False) is None
    monkeypatch.setattr(InputFile, "count_lines", count_lines)
    assert batch.run("--limit", "3").code == 0
    wait_until(lambda: was_stopped == [True])


def test_a_batch_that_takes_longer_than_timeout_ends(batch: BatchCommand) -> None:
    batch.server.seconds = 20.0
    ran = batch.run("--timeout", "0.3", "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (6, "timeout")
    assert ran.json["resume"] == "easyllm batch in.jsonl out.jsonl --timeout 0.3 --json"
    batch.server.seconds = 0.0
    assert batch.run().code == 0


def test_quiet_prints_the_error_alone(batch: BatchCommand) -> None:
    batch.server.faults = lambda prompt, count: 400 if prompt == "p1" else None
    ran = batch.run("-q")
    assert ran.code == 9
    assert ran.error_line


def test_a_schema_is_checked_for_each_row(batch: BatchCommand) -> None:
    (batch.easyllm.home / "s.json").write_text('{"type": "object"}')
    texts = {"p0": "```json\n{}\n```", "p1": "[]"}
    batch.server.faults = lambda prompt, count: whole_answer("m", texts.get(prompt, "{}"), prompt)
    assert batch.run("--schema", "s.json", "--limit", "3").code == 9
    lines = {line["index"]: line for line in read_lines(batch.output)}
    assert [lines[index]["text"] for index in range(3)] == ["{}", "[]", "{}"]
    assert [line and line["kind"] for line in (lines[n]["error"] for n in range(3))] == [
        None, "malformed", None,
    ]  # fmt: skip


def test_an_answer_is_one_of_the_choices(batch: BatchCommand) -> None:
    texts = {"p0": '{"choice": "Yes"}', "p1": "No.", "p2": "maybe"}
    batch.server.faults = lambda prompt, count: whole_answer("m", texts[prompt], prompt)
    assert batch.run("--choices", "yes,no", "--limit", "3").code == 9
    lines = {line["index"]: line for line in read_lines(batch.output)}
    assert [lines[index]["text"] for index in range(3)] == ["yes", "no", "maybe"]
    assert lines[2]["error"]["kind"] == "malformed"
    assert batch.run("--choices", "yes,no,maybe", "--limit", "3").code == 2  # another batch


@pytest.mark.parametrize("form", ["easyllm", "openai"])
def test_batch_13_max_cost_counts_the_rows_of_earlier_runs(batch: BatchCommand, form: str) -> None:
    batch.write_profile(price={"input": 0.0, "output": 1_000_000.0}, max_tokens=3)
    for _ in range(2):
        ran = batch.run("--max-cost", "10", "--format", form, "--json")
        assert (ran.code, len(batch.server.asked)) == (3, 3)
    assert "9.00 of 10.00 USD are spent" in ran.error_line


def test_batch_6_a_link_to_the_output_is_the_same_output(batch: BatchCommand) -> None:
    """Else two processes could write into one file, each with a lock and a state of its own."""
    (batch.easyllm.home / "link.jsonl").symlink_to("out.jsonl")
    assert batch.run("--limit", "3", words=("in.jsonl", "link.jsonl")).code == 0
    assert batch.run().code == 0
    assert (len(batch.server.asked), batch.good_rows()) == (ROWS, list(range(ROWS)))
    assert batch.run(words=("merge", "link.jsonl", "out.jsonl")).code == 2


def test_the_cache_answers_a_second_batch(batch: BatchCommand) -> None:
    assert batch.run("--cache", "1h").code == 0
    asked = len(batch.server.asked)
    result = batch.run("--cache", "1h", "--json", words=("in.jsonl", "again.jsonl")).json
    assert (result["done"], len(batch.server.asked)) == (ROWS, asked)
    assert result["cost_usd"] == 0


def test_the_history_has_one_row_for_a_run(batch: BatchCommand) -> None:
    env = {"EASYLLM_HISTORY": "metadata"}
    batch.server.faults = lambda prompt, count: 400 if prompt == "p1" else None
    assert batch.run("--limit", "10", env=env).code == 9
    (call,) = batch.easyllm.run("history", "--json", env=env).json["calls"]
    assert (call["command"], call["calls"], call["exit_code"]) == ("batch", 10, 9)
    assert (call["prompt_tokens"], call["error_kind"]) == (9, "some_failed")
    (row,) = batch.easyllm.run("usage", "--json", env=env).json["rows"]
    assert row["calls"] == 10
    assert batch.run("--limit", "12", env={"EASYLLM_HISTORY": "off"}).code == 9
    assert len(batch.easyllm.run("history", "--json", env=env).json["calls"]) == 1


def test_batch_2_ctrl_c_drains_and_a_second_one_stops(batch: BatchCommand) -> None:
    batch.server.seconds = 0.5
    with batch.start("--json") as child:
        wait_until(lambda: len(batch.server.asked) >= 8)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert b"waiting for 8 requests that were sent; press Ctrl-C to stop at once" in err
    assert b"easyllm batch in.jsonl out.jsonl --json" in err
    assert json.loads(out)["resume"] == "easyllm batch in.jsonl out.jsonl --json"
    assert len(batch.server.asked) == len(batch.good_rows()) == 8
    batch.server.seconds = 20.0
    with batch.start() as child:
        wait_until(lambda: len(batch.server.asked) >= 16)
        child.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert child.returncode == 143
    batch.server.seconds = 0.0
    assert batch.run().code == 0
    assert batch.good_rows() == list(range(ROWS))


def test_batch_1_kill_9_loses_no_row_and_doubles_none(batch: BatchCommand, repeated: None) -> None:
    kills, concurrency, rows = 3, 8, 60
    write_prompts(batch.input, [f"p{number}" for number in range(rows)])
    batch.server.seconds = 0.05
    chance = random.Random()
    for _ in range(kills):
        with batch.start("--concurrency", str(concurrency)) as child:
            wanted = len(batch.server.asked) + chance.randint(4, 14)
            wait_until(partial(has_asked, batch.server, wanted, child))
            time.sleep(chance.random() * 0.05)
            os.kill(child.pid, signal.SIGKILL)
            child.communicate(timeout=20)
    batch.server.seconds = 0.0
    assert batch.run().code == 0
    assert batch.good_rows() == list(range(rows))
    assert len(batch.server.asked) <= rows + kills * concurrency
    assert batch.run(words=("merge", "out.jsonl", "all.jsonl")).code == 0
    assert [row["index"] for row in read_lines(batch.easyllm.home / "all.jsonl")] == [*range(rows)]


def test_batch_21_no_key_in_anything_that_is_printed_or_written(batch: BatchCommand) -> None:
    async def echo(request: Any, reply: Any) -> None:
        sent = request.headers["authorization"]
        answer: dict[str, Any] = {"error": {"message": f"bad {sent}", "code": sent}}
        status = 400
        if request.json["messages"][-1]["content"] != "p0":
            key, status = sent.split()[-1], 200
            answer = {**whole_answer("m", "bad", ""), "id": key}
            answer["choices"][0]["finish_reason"] = "stop" if "p1" in str(request.json) else key
        await reply.json(answer, status, {"x-request-id": sent})

    batch.stand_in._handler = echo
    for options in ((), ("--jsonl",), ("--json", "--format", "openai")):
        for path in batch.easyllm.home.glob("out.jsonl*"):
            path.unlink()
        ran = batch.run("--limit", "3", *options)
        assert ran.code == 9
        written = b"".join(path.read_bytes() for path in batch.easyllm.home.glob("out.jsonl*"))
        assert b"bad" in written
        assert b"verysecret" not in written + ran.stdout + ran.stderr.encode()


def test_the_command_says_what_it_takes(batch: BatchCommand) -> None:
    assert b"--template" in batch.run("--help", words=("run",)).stdout
    assert b"retry" in batch.run(words=("-h",)).stdout
    assert batch.run(words=()).code == 2
