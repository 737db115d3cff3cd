"""`easyllm batch --via api`: the rows, the prices, and what stops a run."""

import json
import os
import stat
from typing import Any

import pytest

from easyllm_cli.cli import batch_api_engine
from easyllm_cli.providers.openai.batch_api import OpenAIBatchAPI
from tests.support.api_batches import COMMAND, KEY, ROWS, ApiBatch, only
from tests.support.binary import wait_until
from tests.support.standins.anthropic_batches import AnthropicBatches


def test_all_rows_are_answered_by_one_batch(batch: ApiBatch) -> None:
    ran = batch.run("--json")
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr
    assert len(batch.server.jobs) == 1
    result = ran.json
    assert (result["done"], result["failed"], result["resume"]) == (ROWS, 0, None)
    assert result["usage"]["completion_tokens"] == 3 * ROWS
    assert [line["attempts"] for line in batch.lines()] == [1] * ROWS
    again = batch.run("--json").json
    assert (again["done"], again["skipped"], len(batch.server.jobs)) == (ROWS, ROWS, 1)


@only("openai")
def test_many_rows_become_several_batches(batch: ApiBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAIBatchAPI, "max_rows", 4)
    assert batch.run("--limit", "5").code == 0
    assert [len(job.rows) for job in batch.server.jobs] == [4, 1]
    size = 2 * len(batch.server.files["file-0"]) // 4  # two rows
    monkeypatch.setattr(OpenAIBatchAPI, "max_bytes", size)
    batch.output = batch.easyllm.home / "other.jsonl"
    words = ("in.jsonl", "other.jsonl", "--via", "api")
    assert (batch.run(words=words).code, batch.good()) == (0, batch.answers())
    assert [len(job.rows) for job in batch.server.jobs[2:]] == [2, 2, 2]
    monkeypatch.setattr(OpenAIBatchAPI, "max_bytes", 20)
    batch.output = batch.easyllm.home / "third.jsonl"
    ran = batch.run(words=("in.jsonl", "third.jsonl", "--via", "api"))
    assert (ran.code, {line["error"]["kind"] for line in batch.lines()}) == (9, {"too_large"})


@only("gemini")
def test_each_row_of_gemini_is_accounted_for(batch: ApiBatch) -> None:
    kinds: dict[str, Any] = {"p2": "missing", "p3": "length", "p4": 429}
    batch.server.faults = lambda prompt, count: kinds.get(prompt)
    assert batch.run().code == 9
    lines = {line["index"]: line for line in batch.lines()}
    errors = {index: line["error"]["kind"] for index, line in lines.items() if line["error"]}
    assert errors == {2: "malformed", 3: "incomplete", 4: "busy"}
    assert {**batch.answers(), **batch.good()} == batch.answers()


@only("openai", "anthropic")
def test_batch_20_and_anth_48_each_row_is_accounted_for(batch: ApiBatch) -> None:
    kinds: dict[str, Any] = {"p1": "expired", "p2": "missing", "p3": "length", "p4": 529}
    batch.server.faults = lambda prompt, count: None if count else kinds.get(prompt)
    ran = batch.run()
    assert ran.code == 9
    lines = {line["index"]: line for line in batch.lines()}
    assert sorted(lines) == list(range(ROWS))
    assert {index: lines[index]["attempts"] for index in (0, 1)} == {0: 1, 1: 2}
    errors = {index: line["error"] for index, line in lines.items() if line["error"]}
    found = {index: (error["kind"], error["retryable"]) for index, error in errors.items()}
    assert found == {2: ("malformed", True), 3: ("incomplete", False), 4: ("busy", True)}
    assert lines[3]["text"] == "answer to p3"
    assert len(batch.server.jobs) == 2  # the expired row was asked again
    ran = batch.run(words=("retry", "out.jsonl"))
    assert ran.code == 9  # the row that was cut stays
    assert batch.server.asked == {"p0": 1, "p1": 2, "p2": 2, "p3": 1, "p4": 2, "p5": 1}
    assert {**batch.answers(), **batch.good()} == batch.answers()
    assert len(batch.good()) == ROWS - 1


@only("openai")
def test_a_row_that_expires_again_and_again_has_failed(batch: ApiBatch) -> None:
    batch.server.faults = lambda prompt, count: "expired" if prompt == "p0" else None
    ran = batch.run()
    assert (ran.code, batch.server.asked["p0"]) == (9, 3)
    assert "expired 3 times" in ran.stderr


@only("openai")
def test_rows_that_cannot_be_sent_fail_alone(batch: ApiBatch) -> None:
    rows = [
        {"prompt": "p0"},
        {"prompt": "see", "images": ["missing.png"]},
        {"nothing": 1},
        {
            "custom_id": "c3",
            "params": {"messages": [{"role": "user", "content": "p3"}], "stream": 0},
        },
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (batch.easyllm.home / "in.jsonl").write_text(text)
    ran = batch.run()
    assert (ran.code, batch.good()) == (9, {0: "answer to p0", 3: "answer to p3"}), ran.stderr
    assert [line["custom_id"] for line in batch.lines() if line["index"] == 3] == ["c3"]
    assert dict(batch.server.asked) == {"p0": 1, "p3": 1}


@only("openai")
def test_a_batch_whose_rows_all_fail_is_9(batch: ApiBatch) -> None:
    batch.server.faults = lambda prompt, count: 400
    ran = batch.run("--json")
    assert (ran.code, ran.json["failed"], ran.json["errors"]) == (9, ROWS, {"refused": ROWS})
    assert "retry out.jsonl --all" in ran.json["resume"]


@only("openai")
def test_a_file_that_fails_late_stops_the_run_with_the_words_of_the_server(
    batch: ApiBatch,
) -> None:
    failure = {"code": "model_not_found", "line": 3, "message": "There is no gpt-9.", "param": "m"}
    batch.server.failures = [failure]
    ran = batch.run()
    assert (ran.code, batch.lines()) == (4, [])
    assert "the batch failed: line 3: There is no gpt-9." in ran.stderr
    assert "HTTP" not in ran.stderr
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 2)


@only("gemini")
def test_a_whole_batch_that_expires_is_given_again(batch: ApiBatch) -> None:
    batch.server.faults = lambda prompt, count: None if count else "expired"
    batch.server.failures = []
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 2)
    batch.output = batch.easyllm.home / "other.jsonl"
    batch.server.failures = [{"code": 3, "message": "The model cannot be used in a batch."}]
    ran = batch.run(words=("in.jsonl", "other.jsonl", "--via", "api"))
    assert (ran.code, batch.lines()) == (4, [])
    assert "the batch failed: The model cannot be used in a batch." in ran.stderr


@only("openai")
def test_a_full_queue_is_waited_for_with_smaller_batches(batch: ApiBatch) -> None:
    full = {"code": "token_limit_exceeded", "line": None, "message": "Enqueued token limit."}
    batch.server.failures = [full]
    ran = batch.run()
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr
    assert [len(job.rows) for job in batch.server.jobs] == [6, 3, 3]
    batch.server.failures = [full] * 9
    write = batch.easyllm.home / "in.jsonl"
    write.write_text(write.read_text() + json.dumps({"prompt": "p6"}) + "\n")
    batch.output = batch.easyllm.home / "other.jsonl"
    ran = batch.run(words=("in.jsonl", "other.jsonl", "--via", "api"))
    assert (ran.code, batch.lines()) == (5, [])
    assert "Enqueued token limit." in ran.stderr


@only("anthropic")
def test_the_key_is_not_sent_to_another_server_for_results(batch: ApiBatch) -> None:
    batch.delays = batch.delays.__replace__(patience=0.05)
    assert isinstance(batch.server, AnthropicBatches)
    batch.server.results_host = "localhost:1"
    ran = batch.run()
    assert (ran.code, batch.server.steps.count("results")) == (7, 0)
    assert "another server, localhost" in ran.stderr


@only("openai")
def test_a_batch_that_is_gone_says_which_key_of_ours_it_needs(batch: ApiBatch) -> None:
    batch.run_killed_at("poll")
    batch.server.jobs.clear()
    ran = batch.run()
    assert (ran.code, batch.lines(), batch.server.steps.count("create")) == (4, [], 1)
    assert "use the key that batch_0 was created with" in ran.stderr
    (batch.easyllm.home / "out.jsonl.batches").unlink()
    assert (batch.run().code, batch.good()) == (0, batch.answers())


@only("openai", full=("anthropic", "gemini"))
def test_cancel_reaches_the_provider_and_what_it_has_done_is_kept(batch: ApiBatch) -> None:
    batch.server.faults = lambda *row: "cancelled" if row == ("p2", 0) else None
    batch.server.slow_polls = 1000
    child = batch.start_fork()
    wait_until(lambda: "poll" in batch.server.steps)
    ran = batch.run("--json", words=("cancel", "out.jsonl"))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 143
    assert (ran.code, ran.json["process"], len(ran.json["batches"])) == (0, child, 1)
    assert "cancel" in batch.server.steps
    ran = batch.run()
    assert (ran.code, len(batch.good()), len(batch.server.jobs)) == (9, ROWS - 1, 1)
    assert "1 of the 6 rows of " in ran.stderr
    batch.server.slow_polls = 0
    ran = batch.run()
    assert (ran.code, batch.good(), len(batch.server.jobs)) == (0, batch.answers(), 2)
    ran = batch.run(words=("cancel", "out.jsonl"))
    assert ran.code == 2


@only("openai")
def test_one_batch_that_cannot_be_cancelled_does_not_keep_the_others(
    batch: ApiBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIBatchAPI, "max_rows", 2)
    batch.server.slow_polls = 1000
    batch.delays = batch.delays.__replace__(patience=0.01)
    batch.server.refused = {"poll": [500, 500, 500, 500]}
    assert batch.run().code == 5
    ended, refused, other = batch.server.jobs
    ended.polls = 2000
    batch.server.refused = {"cancel": [409, 500]}
    ran = batch.run(words=("cancel", "out.jsonl"))
    assert ran.code == 5
    assert "batch_2 is cancelled" in ran.stderr
    assert "batch_0 is" not in ran.stderr
    assert [job.is_cancelled for job in (ended, refused, other)] == [False, False, True]
    assert batch.run("--json", words=("cancel", "out.jsonl")).json["batches"] == ["batch_1"]
    assert batch.run(words=("cancel", "out.jsonl")).code == 2  # all have ended


@only("openai")
def test_batch_21_and_22_no_key_is_kept_and_files_are_private(batch: ApiBatch) -> None:
    batch.server.faults = lambda prompt, count: 401 if prompt == "p0" else None
    ran = batch.run("--jsonl")
    assert ran.code == 9
    for path in batch.easyllm.home.glob("out.jsonl*"):
        assert KEY.encode() not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY not in ran.stderr + ran.stdout.decode()
    assert (batch.easyllm.home / "out.jsonl.batches").exists()


@only("openai")
def test_max_cost_holds_rows_back(batch: ApiBatch) -> None:
    batch.write_profile(price={"input": 0, "output": 1_000_000}, max_tokens=2)
    ran = batch.run("--max-cost", "7")
    assert (ran.code, len(batch.lines())) == (3, 3), ran.stderr  # 2 tokens of 1 USD were expected
    assert "9.00 of 7.00 USD are spent" in ran.stderr
    assert [len(job.rows) for job in batch.server.jobs] == [3]
    ran = batch.run("--max-cost", "1000")
    assert (ran.code, batch.good()) == (0, batch.answers()), ran.stderr


@only("openai")
def test_batch_23_dry_run_says_the_price_of_the_batch_api(batch: ApiBatch) -> None:
    batch.write_profile(model="gpt-4o-mini", endpoint="https://api.openai.com/v1")
    live = batch.run("--dry-run", "--json", words=COMMAND[:2]).json
    via_api = batch.run("--dry-run", "--json").json
    assert live["cost_usd"] > 0
    assert live["batch_cost_usd"] == via_api["batch_cost_usd"] == live["cost_usd"] / 2
    assert "batch cost     about $0.0" in batch.run("--dry-run").stdout.decode()
    batch.write_profile()  # nobody knows the prices of this server
    assert batch.run("--dry-run", "--json").json["batch_cost_usd"] is None
    assert batch.server.steps == []


@only("openai")
def test_max_cost_counts_what_an_earlier_run_has_given(batch: ApiBatch) -> None:
    batch.write_profile(price={"input": 0, "output": 1_000_000}, max_tokens=2)
    batch.run_killed_at("create", "--limit", "3")
    ran = batch.run("--max-cost", "7")
    assert (ran.code, len(batch.lines()), len(batch.server.jobs)) == (3, 3, 1), ran.stderr


@only("openai")
def test_a_row_costs_the_part_of_the_price_that_the_provider_asks(
    batch: ApiBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.write_profile(price={"input": 0, "output": 1_000_000})
    monkeypatch.setattr(batch_api_engine, "known_price_factor", lambda _: 0.5)
    assert batch.run("--json").json["cost_usd"] == 3 * ROWS / 2


@pytest.mark.parametrize("option", [("--concurrency", "3"), ("--rpm", "9"), ("--cache", "1h")])
@only("openai")
def test_options_about_single_requests_are_refused(
    batch: ApiBatch, option: tuple[str, ...]
) -> None:
    ran = batch.run(*option)
    assert (ran.code, batch.server.steps) == (2, [])
    assert f"{option[0]} does not go with --via api" in ran.stderr


@only("openai")
def test_what_does_not_fit_the_way_is_2(batch: ApiBatch) -> None:
    batch.write_profile(budget={"day": 1})
    assert batch.run().code == 2
    batch.write_profile("ollama")
    ran = batch.run()
    assert ran.code == 2
    assert "ollama has no batch API" in ran.stderr
    batch.write_profile()
    assert batch.run().code == 0
    ran = batch.run(words=COMMAND[:2])
    assert ran.code == 2
    assert "begun with another --via" in ran.stderr
