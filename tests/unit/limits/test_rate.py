"""The shared file of a rate limit: many processes, damaged and foreign files, another boot."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from easyllm_cli.limits import rate as rate_module
from easyllm_cli.limits.lock import hold_lock
from easyllm_cli.limits.rate import LATE_SECONDS, RateFile
from easyllm_cli.limits.rate_state import BOOT_BYTES, LONGEST_PAUSE
from tests.support import ROOT
from tests.support.binary import run_concurrently
from tests.support.rate_windows import allowed_in_minute, most_in_window


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def new_clock() -> Clock:
    return Clock()


@pytest.fixture(name="rate")
def new_rate(tmp_path: Path, clock: Clock) -> RateFile:
    return RateFile(tmp_path / "limits" / "x", clock)


def run_processes(
    path: Path, rpm: int, processes: int, seconds: float, scale: float, pause: float = 0
) -> list[float]:
    """Run tests.support.rate_windows; returns what it prints."""
    numbers = map(str, (rpm, processes, seconds, scale, pause))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.rate_windows", str(path), *numbers], cwd=ROOT,
        check=True, timeout=120, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return [float(line) for line in ran.stdout.split()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
@pytest.mark.parametrize(
    ("scale", "rates", "least"),
    [(30, (10, 60), 0.9), pytest.param(1, (10, 60, 600, 6000), 0.95, marks=pytest.mark.full)],
    ids=["a minute in 2 s", "real minutes"],
)
def test_limit_1_and_2_twenty_processes(
    tmp_path: Path, scale: int, rates: tuple[int, ...], least: float
) -> None:
    """A busy machine wakes a process late: in a scaled minute that costs part of the rate."""

    def run(rpm: int) -> list[float]:
        return run_processes(tmp_path / str(rpm), rpm, 20, 75, scale)[1:]

    found = run_concurrently(*(partial(run, rpm) for rpm in rates))
    for rpm, times in zip(rates, found, strict=True):
        assert most_in_window(times) <= allowed_in_minute(rpm)
        share = (len(times) - 1) / (rpm / 60 * (max(times) - min(times)))
        assert share >= least


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_limit_5_a_pause_stops_all_processes_and_they_come_back_one_by_one(tmp_path: Path) -> None:
    pause, spacing = 0.8, 0.051
    end, *times = run_processes(tmp_path / "x", 1200, 8, 2.4, 1, pause)
    # Between waking and sending a process may be slow to look.
    assert not [at for at in times if end - 0.75 * pause < at < end]
    before = [at for at in times if at < end]
    after = sorted(at for at in times if at >= end)
    assert len(before) > 20  # the burst alone is 31
    assert len(after) > 8
    gaps = [later - at for at, later in itertools.pairwise(after)]
    assert min(gaps) == pytest.approx(spacing)


async def test_limit_8_after_another_boot_a_pause_is_over(
    rate: RateFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rate.report(pause_seconds=LONGEST_PAUSE)
    assert rate.is_paused()
    monkeypatch.setattr(rate_module, "find_boot_id", lambda: b"x" * BOOT_BYTES)
    assert not rate.is_paused()
    assert (await rate.reserve(60)).start == clock.now
    assert not rate.is_paused()


def test_this_boot_has_an_id() -> None:
    known = Path("/proc/sys/kernel/random/boot_id").exists()
    assert any(rate_module.find_boot_id()) == known
    assert len(rate_module.find_boot_id()) == BOOT_BYTES


async def test_limit_8_the_time_of_day_does_not_matter(
    rate: RateFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rate.reserve(60)
    monkeypatch.setattr("time.time", lambda: -3600.0)
    assert (await rate.reserve(60)).start - clock.now <= 60


async def test_limit_1_who_wakes_too_late_may_not_send(rate: RateFile, clock: Clock) -> None:
    """A process that was stopped must not send beside those that took the slots meanwhile."""
    for rpm, latest in ((10, LATE_SECONDS), (600, 15 * 0.102)):  # as a burst may be
        queue = [await rate.reserve(rpm) for _ in range(20)]
        clock.now = queue[-1].start + 0.9 * latest
        assert rate.may_send(queue[-1].__replace__(expires=float("inf")))
        clock.now = queue[-1].start + 1.1 * latest
        assert not rate.may_send(queue[-1].__replace__(expires=float("inf")))


async def test_limit_11_who_was_stopped_while_it_waited_may_not_send(
    rate: RateFile, clock: Clock
) -> None:
    queue = [await rate.reserve(6) for _ in range(10)]
    clock.now = queue[-1].start
    assert not rate.may_send(queue[-1])


async def test_a_reservation_is_renewed_only_in_time(rate: RateFile, clock: Clock) -> None:
    queue = [await rate.reserve(6) for _ in range(10)]
    written = rate.path.read_bytes()
    assert await rate.renew(queue[-1]) == queue[-1]
    assert await rate.renew(queue[0]) == queue[0]
    assert rate.path.read_bytes() == written
    clock.now += 15
    assert (await rate.renew(queue[-1])).expires == queue[-1].expires + 15


@pytest.mark.parametrize("content", [b"", b"easy", b"easyrl02", b"easyrl99" + bytes(500)])
async def test_a_damaged_file_is_begun_anew(rate: RateFile, clock: Clock, content: bytes) -> None:
    rate.path.parent.mkdir()
    rate.path.write_bytes(content)
    assert (await rate.reserve(60)).start == clock.now
    assert (await rate.reserve(60)).start <= clock.now + 2


def make_link(path: Path) -> None:
    path.with_name("target").write_bytes(b"")
    path.symlink_to("target")


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_bytes(b"my notes"), "no file of a rate limit"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "no file of a rate limit"),
    "link": (make_link, "symbolic link"),
    "dangling link": (lambda path: path.symlink_to("target"), "symbolic link"),
    "named pipe": (os.mkfifo, "not a regular file"),
    "folder": (lambda path: path.mkdir(), "Is a directory"),
}


@pytest.mark.parametrize("kind", FOREIGN)
async def test_limit_13_what_is_no_rate_file_is_left_alone(rate: RateFile, kind: str) -> None:
    make, reason = FOREIGN[kind]
    rate.path.parent.mkdir()
    make(rate.path)
    before = {path.name for path in rate.path.parent.iterdir()}
    content = rate.path.read_bytes() if rate.path.is_file() else b""
    with pytest.raises(OSError, match=reason):
        await rate.reserve(60)
    with pytest.raises(OSError, match=reason):
        await rate.report(pause_seconds=1)
    if not content:
        with pytest.raises(OSError, match=r"symbolic|regular|directory"):
            rate.read()
    assert {path.name for path in rate.path.parent.iterdir()} == before
    assert (rate.path.read_bytes() if rate.path.is_file() else b"") == content


async def test_the_event_loop_runs_while_the_lock_is_waited_for(rate: RateFile) -> None:
    ticks = 0
    async with hold_lock(rate.path):
        waiting = asyncio.create_task(rate.reserve(60))
        for _ in range(20):
            await asyncio.sleep(0.002)
            ticks += 1
        assert not waiting.done()
    await waiting
    assert ticks == 20


async def test_a_short_write_is_an_error(rate: RateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full after 10 bytes; what is in the file then costs nobody a wait."""
    for _ in range(50):
        await rate.reserve(600)
    real_write = os.write

    def write(descriptor: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return real_write(descriptor, data[:10])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            await rate.reserve(600)
    assert (await rate.reserve(600)).start - rate.clock() <= 10


async def test_the_file_is_private(rate: RateFile) -> None:
    before = os.umask(0)
    try:
        await rate.reserve(60)
    finally:
        os.umask(before)
    assert rate.path.stat().st_mode & 0o777 == 0o600
    assert rate.path.parent.stat().st_mode & 0o777 == 0o700
