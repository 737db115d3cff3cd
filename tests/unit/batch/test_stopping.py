"""How a run of a batch stops: by an error of every row, a limit, the user, or the disk."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.batch import engine, overload
from easyllm_cli.batch.engine import BatchRun
from easyllm_cli.errors import EasyLLMError, Interrupted
from tests.support.batches import (
    ROWS,
    Batch,
    BatchServer,
    expected_answers,
    good_answers,
    largest_file,
    numbered_prompts,
    write_prompts,
)
from tests.support.standins.server import StandIn


async def begin(
    batch: Batch, server: BatchServer
) -> tuple[asyncio.Task[EasyLLMError | None], BatchRun]:
    """Start a run, and return it when its first eight rows have been asked."""
    running = asyncio.create_task(batch.run_async())
    while len(server.asked) < 8:
        await asyncio.sleep(0.01)
    assert batch.run_of is not None
    return running, batch.run_of


def test_batch_11_a_wrong_key_is_3_after_a_few_requests(tmp_path: Path) -> None:
    server = BatchServer(lambda prompt, count: 401, seconds=0.01)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run(ceiling=64)
    assert error is not None
    assert (error.exit_code, error.kind) == (3, "auth")
    assert len(server.asked) <= 20
    assert batch.lines() == []


def test_batch_12_no_credit_in_the_middle_is_3_and_the_next_run_goes_on(tmp_path: Path) -> None:
    server = BatchServer(lambda prompt, count: 402 if prompt == "p20" else None, seconds=0.005)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run()
        assert error is not None
        assert (error.exit_code, error.kind) == (3, "billing")
        done = batch.indexes()
        assert 12 <= len(done) <= 30
        assert 20 not in done
        server.faults = lambda prompt, count: None
        assert batch.run() is None
    assert good_answers(batch) == expected_answers()
    assert len(server.asked) == ROWS + 1


@pytest.mark.parametrize(("status", "code"), [(400, 4), (500, 5), (403, 3)])
def test_the_first_rows_all_fail_alike(tmp_path: Path, status: int, code: int) -> None:
    server = BatchServer(lambda prompt, count: status)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts(100))
        error = batch.run()
    assert error is not None
    assert error.exit_code == code
    assert error.message.startswith("the first 20 rows all failed: ")
    assert 20 <= len(batch.lines()) <= 28


def test_max_errors_is_9(tmp_path: Path) -> None:
    server = BatchServer(lambda prompt, count: 400 if int(prompt[1:]) % 4 == 0 else None)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts(100))
        error = batch.run(max_errors=3, ceiling=1)
    assert error is not None
    assert (error.exit_code, error.where) == (9, "--max-errors")
    assert sum(1 for line in batch.lines() if line["error"]) == 4


def test_batch_2_a_stopped_run_sends_nothing_new_and_waits_for_what_was_sent(
    tmp_path: Path,
) -> None:
    server = BatchServer(seconds=0.3)

    async def play(batch: Batch) -> EasyLLMError | None:
        running, run = await begin(batch, server)
        run.stop(Interrupted("interrupted"))
        return await running

    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = asyncio.run(play(batch))
        assert isinstance(error, Interrupted)
        assert len(server.asked) == len(batch.lines()) == 8
        server.seconds = 0.0
        assert batch.run() is None
    assert good_answers(batch) == expected_answers()
    assert len(server.asked) == ROWS


def test_a_stopped_run_sends_nothing_again(tmp_path: Path) -> None:
    """Rows that fail while the run stops, and may pass later, are left to the next run."""
    server = BatchServer(lambda prompt, count: 500, seconds=0.2)

    async def play(batch: Batch) -> None:
        running, run = await begin(batch, server)
        run.stop(Interrupted("interrupted"))
        await running

    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, max_retries=3)
        write_prompts(batch.input, numbered_prompts())
        asyncio.run(play(batch))
    assert len(server.asked) == 8
    assert batch.lines() == []


def test_rows_that_wait_for_a_limit_are_not_waited_for(tmp_path: Path) -> None:
    """A row that `rpm` holds back, or that waits for its retry, was not sent."""
    server = BatchServer(lambda prompt, count: 500 if prompt == "p0" else None)

    async def play(batch: Batch) -> float:
        running = asyncio.create_task(batch.run_async())
        while len(server.asked) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert batch.run_of is not None
        started = time.monotonic()
        batch.run_of.stop(Interrupted("interrupted"))
        assert batch.run_of.in_flight == 0
        await running
        return time.monotonic() - started

    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in, max_retries=3, initial_retry_delay=30.0, rpm=80)
        write_prompts(batch.input, numbered_prompts())
        assert asyncio.run(play(batch)) < 5
    assert 0 not in batch.indexes()


def test_an_aborted_run_ends_at_once(tmp_path: Path) -> None:
    server = BatchServer(seconds=20.0)

    async def play(batch: Batch) -> EasyLLMError | None:
        running, run = await begin(batch, server)
        run.stop(Interrupted("first"))
        await asyncio.sleep(0.05)
        assert not running.done()
        run.abort(Interrupted("second"))
        async with asyncio.timeout(5):
            return await running

    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = asyncio.run(play(batch))
    assert error is not None
    assert error.message == "first"
    assert batch.lines() == []


def test_what_does_not_end_in_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "DRAIN_SECONDS", 0.1)
    server = BatchServer(lambda prompt, count: 402 if prompt == "p0" else None, seconds=0.0)

    async def handle(request: Any, reply: Any) -> None:
        server.seconds = 0.0 if "p0" in str(request.json) else 20.0
        await server.handle(request, reply)

    with StandIn(handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        started = time.monotonic()
        error = batch.run()
        assert 0.1 <= time.monotonic() - started < 5
    assert error is not None
    assert error.kind == "billing"


def test_a_server_that_asks_for_too_long_a_pause_ends_the_run(tmp_path: Path) -> None:
    server = BatchServer(lambda prompt, count: 429, headers={"retry-after": "86400"})
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run()
    assert error is not None
    assert (error.exit_code, batch.lines()) == (5, [])
    assert "86400" in error.hint


def test_a_server_that_never_answers_but_429_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overload, "LONGEST_STALL", 0.5)
    server = BatchServer(lambda prompt, count: 429)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        error = batch.run()
    assert error is not None
    assert (error.exit_code, batch.lines()) == (5, [])


def test_batch_14_a_full_disk_is_8_and_the_next_run_goes_on(tmp_path: Path) -> None:
    server = BatchServer(seconds=0.002)
    with StandIn(server.handle) as stand_in:
        batch = Batch(tmp_path, stand_in)
        write_prompts(batch.input, numbered_prompts())
        with largest_file(3000):
            error = batch.run()
        assert error is not None
        assert error.exit_code == 8
        assert "make room" in error.hint
        assert 0 < len(batch.lines()) < 10
        assert batch.run() is None
    assert good_answers(batch) == expected_answers()
