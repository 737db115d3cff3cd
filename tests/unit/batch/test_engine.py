"""A run of a batch against a server with faults: each row once."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.batch import asking
from easyllm_cli.batch.row_selection import RETRY_FAILED, RowSelection
from easyllm_cli.batch.row_settings import RowSettings
from easyllm_cli.batch.rows import Row
from easyllm_cli.batch.state import RETRYABLE, StateReader, state_path
from easyllm_cli.errors import BillingError, ConfigError, EasyLLMError
from tests.support.batches import (
    RETRY_SOON,
    ROWS,
    Batch,
    BatchServer,
    expected_answers,
    good_answers,
    numbered_prompts,
    write_prompts,
)
from tests.support.standins.server import StandIn

PRICE = {"input": 1_000_000.0, "output": 1_000_000.0}  # one dollar a token


def test_every_row_is_answered(tmp_path: Path) -> None:
    server = BatchServer(seconds=0.005)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        assert batch.run() is None
        assert good_answers(batch) == expected_answers()
        assert batch.progress is not None
        assert (batch.progress.good, batch.progress.failed) == (ROWS, 0)
        assert batch.run() is None  # there is nothing left
        assert len(server.asked) == ROWS
        assert 1 < server.most_in_flight <= 8
    line = min(batch.lines(), key=lambda line: int(line["index"]))
    line["ms"] = 0
    assert line == {
        "index": 0, "custom_id": None, "text": "answer to p0", "reasoning": None,
        "finish_reason": "stop", "complete": True,
        "usage": {
            "prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4,
            "reasoning_tokens": None, "cached_tokens": None, "cache_write_tokens": None,
            "estimated": False,
        },
        "cost_usd": 0.0, "model": "m", "provider": "openai", "attempts": 1, "ms": 0,
        "error": None, "extra": {},
    }  # fmt: skip
    assert StateReader(batch.output).statuses().total == ROWS


def test_batch_16_the_same_prompt_and_custom_id_are_answered_each_time(tmp_path: Path) -> None:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        line = json.dumps({"custom_id": "x", "prompt": "same"}) + "\n"
        batch.input.write_text(line * 5, "utf-8")
        assert batch.run() is None
    assert [line["custom_id"] for line in batch.lines()] == ["x"] * 5
    assert batch.indexes() == [0, 1, 2, 3, 4]


def test_rows_have_settings_of_their_own_and_share_connections(tmp_path: Path) -> None:
    server = BatchServer(seconds=0.002)
    connections: list[int] = []

    async def handle(request: Any, reply: Any) -> None:
        connections.append(stand_in.connections)
        await server.handle(request, reply)

    with StandIn(handle) as stand_in:
        batch = Batch(tmp_path, stand_in, temperature=0.5)
        lines = [{"prompt": f"p{n}", "seed": n, "max_tokens": 5} for n in range(12)]
        batch.input.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        assert batch.run(ceiling=2) is None
        bodies = [request.json for request in stand_in.requests]
        assert max(connections) <= 2
    assert sorted(body["seed"] for body in bodies) == list(range(12))
    assert {body["temperature"] for body in bodies} == {0.5}
    assert len(good_answers(batch)) == 12


def test_bad_lines_are_written_beside_good_ones(tmp_path: Path) -> None:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        batch.input.write_text('{"prompt": "p0"}\n{oops\n{"prompt": "p2"}\n', "utf-8")
        assert batch.run() is None
    assert good_answers(batch) == {0: "answer to p0", 2: "answer to p2"}
    (bad,) = [line for line in batch.lines() if line["error"]]
    assert (bad["index"], bad["error"]["kind"], bad["attempts"]) == (1, "usage", 0)
    assert bad["error"]["message"].startswith("line 2: ")


def test_faults_that_pass_leave_no_trace(tmp_path: Path) -> None:
    """10 % 429, 5 % 500, 5 % cut: each row is good in the end."""
    kinds = [429, 429, 500, "cut", *[None] * 16]

    def faults(prompt: str, count: int) -> Any:
        return kinds[int(prompt[1:]) % 20] if count == 0 else None

    server = BatchServer(faults, headers=RETRY_SOON)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, max_retries=2)
        write_prompts(batch.input, numbered_prompts())
        assert batch.run() is None
    assert good_answers(batch) == expected_answers()
    attempts = {line["index"]: line["attempts"] for line in batch.lines()}
    assert (attempts[0], attempts[2], attempts[4]) == (1, 2, 1)  # a 429 is no attempt


@pytest.mark.parametrize("fault", ["cut", "length", "empty"])
@pytest.mark.parametrize("form", ["easyllm", "openai"])
def test_batch_19_an_incomplete_row_is_never_good(tmp_path: Path, fault: str, form: str) -> None:
    server = BatchServer(lambda prompt, count: fault if prompt == "p1" else None)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts(3))
        assert batch.run(form=form) is None
    assert batch.progress is not None
    assert (batch.progress.good, batch.progress.failed) == (2, 1)
    (bad,) = [line for line in batch.lines() if line["error"]]
    assert bad["error"]["exit_code"] in (6, 7)
    if form == "openai":
        assert (bad["id"], bad["custom_id"], bad["response"]) == ("batch_req_000000001", "1", None)
    else:
        assert (bad["index"], bad["complete"]) == (1, False)
        assert bad["text"] == ("answer to p1" if fault == "length" else "")


def test_batch_19_a_limit_of_the_users_own_is_good_but_not_complete(tmp_path: Path) -> None:
    server = BatchServer(lambda prompt, count: "length")
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, max_tokens=5)
        write_prompts(batch.input, ["p0"])
        assert batch.run() is None
    (line,) = batch.lines()
    assert (line["error"], line["complete"], line["finish_reason"]) == (None, False, "length")


def test_batch_9_one_429_stops_all_rows_for_its_time(tmp_path: Path) -> None:
    server = BatchServer(
        lambda prompt, count: 429 if prompt == "p20" and not count else None,
        seconds=0.02, headers={"retry-after-ms": "400"},
    )  # fmt: skip
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        assert batch.run() is None
        times = [request.came_at for request in stand_in.requests]
    refused = server.asked.index("p20")
    in_flight = 8
    gaps = [after - before for before, after in pairwise(times)]
    pause = max(range(len(gaps)), key=gaps.__getitem__)
    assert refused <= pause < refused + in_flight
    assert times[pause + 1] - times[refused] >= 0.4
    assert good_answers(batch) == expected_answers()


def test_batch_13_max_cost_counts_the_rows_in_flight(tmp_path: Path) -> None:
    """A row costs 4 dollars: 1 token of the prompt and 3 of the answer; its estimate is more."""
    server = BatchServer(seconds=0.01)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, price=PRICE, max_tokens=3)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run(max_cost=100.0)
        assert error is not None
        assert (error.exit_code, error.kind) == (3, "budget")
        assert batch.progress is not None
        spent = batch.progress.cost_usd
        assert spent is not None
        assert 80 <= spent <= 100
        assert len(server.asked) == spent / 4
        assert batch.run(max_cost=1000.0) is None
    assert good_answers(batch) == expected_answers()


def test_batch_13_what_the_rows_in_flight_may_cost_is_reserved(tmp_path: Path) -> None:
    """Only the three tokens of an answer cost something, so that the estimate is the cost."""
    server = BatchServer(seconds=0.05)
    with StandIn(server.handle) as stand_in:
        price = {"input": 0.0, "output": 1_000_000.0}
        batch = Batch(tmp_path, stand_in, price=price, max_tokens=3)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run(max_cost=31.0)
    assert error is not None
    assert (error.kind, len(server.asked), len(batch.lines())) == ("budget", 10, 10)


def test_max_cost_needs_a_price(tmp_path: Path) -> None:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, price=None, api_key="sk-" + "x" * 20)
        write_prompts(batch.input, numbered_prompts(1))
        with pytest.raises(EasyLLMError, match="no price is known") as caught:
            batch.run(max_cost=1.0)
    assert caught.value.exit_code == 2


def test_failed_rows_are_asked_again_and_replaced(tmp_path: Path) -> None:
    def faults(prompt: str, count: int) -> Any:
        return {"p3": 500, "p5": 400}.get(prompt) if len(server.asked) <= ROWS else None

    server = BatchServer(faults)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        assert batch.run() is None
        assert StateReader(batch.output).statuses().failed == 2
        assert batch.run(selection=RowSelection(statuses=(RETRYABLE,))) is None
        assert server.asked[ROWS:] == ["p3"]
        assert batch.run(selection=RowSelection(statuses=RETRY_FAILED)) is None
        assert server.asked[ROWS:] == ["p3", "p5"]
    assert StateReader(batch.output).statuses().good == ROWS
    assert good_answers(batch) == expected_answers()


def test_the_first_rows_then_the_others(tmp_path: Path) -> None:
    server = BatchServer()
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        assert batch.run(selection=RowSelection(limit=7)) is None
        assert batch.indexes() == list(range(7))
        assert StateReader(batch.output).statuses().total is None
        assert batch.run() is None
    assert (good_answers(batch), len(server.asked)) == (expected_answers(), ROWS)


def test_batch_21_no_key_is_written(tmp_path: Path) -> None:
    key = "sk-verysecret0123456789"

    async def echo(request: Any, reply: Any) -> None:
        sent = request.headers["authorization"]
        await reply.json({"error": {"message": f"bad {sent}", "code": sent}}, 400)

    with StandIn(echo) as stand_in:
        for form in ("easyllm", "openai"):
            folder = tmp_path / form
            folder.mkdir()
            batch = Batch(folder, stand_in, api_key=key)
            write_prompts(batch.input, numbered_prompts(3))
            with batch.input.open("a") as file:
                file.write(json.dumps({"messages": [], "model": key}) + "\n")
            assert batch.run(form=form) is None
            assert len(batch.lines()) == 4
            for path in (batch.output, state_path(batch.output)):
                assert b"verysecret" not in path.read_bytes()


def test_a_setting_of_one_row_does_not_stop_the_others() -> None:
    row = Row(0, 1)
    assert asking.meets_every_row(row, ConfigError("wrong profile"))
    row.settings = RowSettings(options={"a": 1})
    assert not asking.meets_every_row(row, ConfigError("wrong setting"))
    assert asking.meets_every_row(row, BillingError("no credit"))
