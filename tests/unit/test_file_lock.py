"""Locks of open files: who waits, for how long, and what a forked child keeps."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from easyllm_cli import cancellation, file_lock
from easyllm_cli.errors import OutputError
from easyllm_cli.file_lock import close_locked, try_lock, wait_for_lock, wait_for_lock_in_loop
from tests.support.forked_child import forked_child


def open_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@pytest.fixture(name="path")
def locked_path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a file, as another process would."""
    holder = open_file(path)
    assert try_lock(holder)
    yield
    close_locked(holder)


async def test_the_event_loop_runs_while_the_lock_is_waited_for(path: Path) -> None:
    descriptor, ticks = open_file(path), 0
    with held(path):
        waiting = asyncio.create_task(wait_for_lock_in_loop(descriptor, path))
        for _ in range(20):
            await asyncio.sleep(0.002)
            ticks += 1
        assert not waiting.done()
    await waiting
    assert ticks == 20
    with pytest.raises(OutputError):
        check_is_free(path)
    close_locked(descriptor)
    check_is_free(path)


def check_is_free(path: Path) -> None:
    """Raise OutputError if the file is locked."""
    descriptor = open_file(path)
    try:
        if not try_lock(descriptor):
            raise OutputError("locked")
    finally:
        close_locked(descriptor)


async def test_a_wait_can_be_cancelled(path: Path) -> None:
    descriptor = open_file(path)
    with held(path), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await wait_for_lock_in_loop(descriptor, path)
    check_is_free(path)
    os.close(descriptor)


@pytest.mark.parametrize(
    ("left", "at_least"), [(0.1, 0.1), (-5.0, file_lock.AFTER_DEADLINE_SECONDS)]
)
async def test_nobody_waits_past_the_deadline(
    path: Path, left: float, at_least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    descriptor = open_file(path)
    with held(path):
        monkeypatch.setattr(cancellation, "_deadline", time.monotonic() + left)
        began = time.monotonic()
        with pytest.raises(OutputError, match="another easyllm has been writing"):
            await wait_for_lock_in_loop(descriptor, path)
        assert at_least <= time.monotonic() - began <= 5
    os.close(descriptor)


def test_the_thread_waits_as_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "LOCK_TIMEOUT_SECONDS", 0.05)
    descriptor = open_file(path)
    with held(path), pytest.raises(OutputError, match=r"another easyllm.*hangs"):
        wait_for_lock(descriptor, path)
    wait_for_lock(descriptor, path)
    close_locked(descriptor)


def test_a_file_system_without_locks_is_an_error(path: Path) -> None:
    descriptor = open_file(path)
    os.close(descriptor)
    with pytest.raises(OutputError, match="cannot be locked"):
        wait_for_lock(descriptor, path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no forks")
def test_a_child_that_was_forked_meanwhile_does_not_keep_the_lock(path: Path) -> None:
    descriptor = open_file(path)
    assert try_lock(descriptor)
    with forked_child():
        close_locked(descriptor)
        check_is_free(path)
