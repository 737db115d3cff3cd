"""A provider gets each batch once through kill -9, lost answers and vanished files."""

import os
import signal
from typing import Any

import pytest

from tests.support.api_batches import ROWS, ApiBatch, only
from tests.support.binary import wait_until
from tests.support.standins.gemini_batches import GeminiBatches
from tests.support.standins.openai_batches import OpenAIBatches

# At each step a process is killed, or an answer is lost. What does not depend on the wire is tried
# with one API.
STEPS = [
    *(("openai", step) for step in ("upload", "create", "poll", "results")),
    *(("anthropic", step) for step in ("create", "results")),
    *(("gemini", step) for step in ("upload", "create")),
]


@pytest.mark.parametrize(("batch", "step"), STEPS, indirect=["batch"])
def test_batch_20_and_anth_48_a_kill_at_any_step_costs_no_second_batch(
    batch: ApiBatch, step: str
) -> None:
    batch.run_killed_at(step)
    ran = batch.run()
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr
    assert len(batch.server.jobs) == 1
    assert set(batch.server.paid.values()) == {1}


@pytest.mark.parametrize(("batch", "step"), STEPS, indirect=["batch"])
def test_batch_20_and_anth_48_a_lost_answer_costs_no_second_batch(
    batch: ApiBatch, step: str
) -> None:
    batch.server.lost[step] = 2
    ran = batch.run()
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr
    assert len(batch.server.jobs) == 1


@only("openai", full=("anthropic",))
def test_batch_20_and_anth_48_a_new_batch_may_not_be_in_the_list_yet(batch: ApiBatch) -> None:
    batch.delays = batch.delays.__replace__(visible=30.0)
    batch.run_killed_at("create")
    batch.server.hidden_lists = 2
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 1)


@only("openai", full=("anthropic", "gemini"))
def test_batch_20_and_anth_48_results_that_end_early_are_read_again(batch: ApiBatch) -> None:
    batch.server.short_results = 2
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 1)


@only("openai")
def test_batch_20_and_anth_48_a_kill_while_results_are_stored_stores_each_once(
    batch: ApiBatch,
) -> None:
    batch.server.faults = lambda prompt, count: 400 if prompt == "p1" else None
    batch.run_killed_after(3)
    ran = batch.run()
    assert (ran.code, len(batch.lines()), len(batch.server.jobs)) == (9, ROWS, 1)
    assert sorted(line["index"] for line in batch.lines()) == list(range(ROWS))


def test_batch_20_and_anth_48_a_result_that_is_nobodys_costs_no_second_batch(
    batch: ApiBatch,
) -> None:
    """Nor is it guessed whose it is: the row whose result it may be has none."""
    name = "key" if isinstance(batch.server, GeminiBatches) else "custom_id"
    others: list[Any] = ["other", None, 7, ["x"], "r000001-other", "r000099"]

    def change(lines: list[Any]) -> list[Any]:
        strange = [{**lines[0], name: other} for other in others]
        nameless = [{key: value for key, value in lines[1].items() if key != name}]
        return [*strange, *nameless, None, 5, [], {}, *lines[2:], *lines[2:]]

    batch.server.change_results = change
    ran = batch.run()
    assert (ran.code, len(batch.server.jobs)) == (9, 1), ran.stderr
    assert batch.good() == {index: f"answer to p{index}" for index in range(ROWS - 2)}
    bad = {line["index"]: line["error"] for line in batch.lines() if line["error"]}
    assert {index: error["retryable"] for index, error in bad.items()} == {4: True, 5: True}
    batch.server.change_results = lambda lines: lines
    assert batch.run(words=("retry", "out.jsonl")).code == 0
    assert dict(batch.server.asked) == {**{f"p{n}": 1 for n in range(ROWS - 2)}, "p4": 2, "p5": 2}


@only("anthropic")
def test_anth_48_a_batch_of_other_rows_is_not_taken_for_ours(batch: ApiBatch) -> None:
    """It has as many rows, and was created at the same time, by another process."""
    other: list[tuple[str, str, dict[str, Any]]] = [
        (f"r{index:06}-other", f"other{index}", {}) for index in range(ROWS)
    ]
    batch.server.add_job("", other)
    batch.server.refused = {"create": [500]}
    ran = batch.run()
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr
    assert len(batch.server.jobs) == 2
    assert batch.server.paid["p0"] == 1


@only("openai")
def test_a_refused_batch_is_not_created_again(batch: ApiBatch) -> None:
    batch.server.refused = {"create": [401]}
    ran = batch.run()
    assert (ran.code, batch.server.steps.count("create")) == (3, 1)
    batch.server.refused = {"create": [429, 503], "poll": [500]}
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 1)
    assert batch.server.steps.count("upload") == 1  # the same rows are not uploaded again


@only("openai", full=("gemini",))
def test_an_uploaded_file_that_is_gone_is_uploaded_again(batch: ApiBatch) -> None:
    """Providers delete it after some time, and the machine may have been off for as long."""
    batch.server.refused = {"create": [401]}
    assert batch.run().code == 3
    gone = 404 if isinstance(batch.server, OpenAIBatches) else 403
    batch.server.refused = {"create": [gone]}
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 1), ran.stderr
    assert batch.server.steps.count("upload") == 2
    batch.output = batch.easyllm.home / "other.jsonl"
    batch.server.refused = {"create": [gone]}  # a new file is not the reason
    ran = batch.run(words=("in.jsonl", "other.jsonl", "--via", "api"))
    assert (ran.code, len(batch.server.jobs)) == (4 if gone == 404 else 3, 1)


@only("openai", full=("anthropic", "gemini"))
def test_ctrl_c_leaves_and_the_next_run_collects(batch: ApiBatch) -> None:
    batch.server.slow_polls = 1000
    child = batch.start_fork()
    wait_until(lambda: batch.server.steps.count("poll") > 1)
    os.kill(child, signal.SIGINT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    found = batch.run("--json", words=("status", "out.jsonl")).json
    (described,) = found["batches"]
    assert (described["rows"], found["done"]) == (ROWS, 0)
    assert described["status"]
    text = batch.run(words=("status", "out.jsonl"))
    assert f"{described['id']}: {described['status']}, 6 rows" in text.stdout.decode()
    batch.server.slow_polls = 0
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 1)
    assert batch.run("--json", words=("status", "out.jsonl")).json["batches"] == []
