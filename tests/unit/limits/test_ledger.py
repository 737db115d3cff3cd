"""The ledger of a budget: processes, days and months, damaged files."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from easyllm_cli import cancellation
from easyllm_cli.dollars import BILLION
from easyllm_cli.errors import ConfigError, OutputError
from easyllm_cli.limits.ledger import BudgetExceededError, Ledger, LedgerState
from easyllm_cli.limits.lock import hold_lock
from tests.support import ROOT
from tests.support.ledger_processes import BUDGET, open_ledger


class Clock:
    """A clock that a test sets, by a local time such as 2026-11-29 23:59."""

    def __init__(self, local_time: str) -> None:
        self.set(local_time)

    def set(self, local_time: str) -> None:
        self.now = time.mktime(time.strptime(local_time, "%Y-%m-%d %H:%M"))

    def __call__(self) -> float:
        return self.now


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
@pytest.mark.parametrize(("killed", "most"), [(0, 11), (10, 11)], ids=["whole", "half killed"])
def test_budget_1_and_2_processes_never_spend_more(tmp_path: Path, killed: int, most: int) -> None:
    """60 processes in 3 waves; 0.70 dollars are enough for 11 requests of 0.06."""
    path = tmp_path / "x.json"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.ledger_processes", str(path), "3", "20", str(killed)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=20, check=True,
    )  # fmt: skip
    sent, used = int(ran.stdout), open_ledger(path).balance("day").used
    assert 7 <= sent <= most
    assert used <= BUDGET
    if not killed:
        assert used == sent * BILLION * 6 // 100


async def reserve(ledger: Ledger, identity: str, amount: int) -> int:
    return await ledger.reserve(identity, amount, amount)


def used(ledger: Ledger) -> dict[str, int]:
    return {period: ledger.balance(period).used for period in ("day", "month")}


async def test_budget_2_what_was_never_settled_stays_spent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 100})
    await reserve(ledger, "dead", 70)
    with pytest.raises(BudgetExceededError) as caught:
        await reserve(Ledger(tmp_path / "x", {"day": 100}), "next", 31)
    assert (caught.value.period, caught.value.balance, caught.value.limit) == ("day", (0, 70), 100)
    await reserve(ledger, "small", 30)
    await ledger.settle("small", 0)
    assert ledger.balance("day") == (0, 70)


async def test_as_much_is_reserved_as_fits_every_limit(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 100, "month": 80})
    assert await ledger.reserve("a", 10, 50) == 50
    assert await ledger.reserve("b", 10, 50) == 30
    with pytest.raises(BudgetExceededError):
        await ledger.reserve("c", 1, 50)
    await ledger.lower("a", 20)
    assert await ledger.reserve("c", 1, 50) == 30


@pytest.fixture(name="auckland")
def clock_of_auckland(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A clock in another time zone than the machine's."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield Clock("2026-11-29 23:59")
    monkeypatch.undo()
    time.tzset()


async def test_budget_3_days_and_months_begin_at_local_midnight(
    tmp_path: Path, auckland: Clock
) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 100, "month": 150}, auckland)
    await reserve(ledger, "a", 100)
    await ledger.settle("a", 90)
    assert used(ledger) == {"day": 90, "month": 90}
    auckland.set("2026-11-30 00:00")
    assert used(ledger) == {"day": 0, "month": 90}
    await reserve(ledger, "b", 60)  # ends in the next month
    auckland.set("2026-12-01 00:00")
    await ledger.settle("b", 50)
    assert used(ledger) == {"day": 0, "month": 0}
    auckland.set("2026-11-30 12:00")
    assert used(ledger) == {"day": 50, "month": 140}
    with pytest.raises(BudgetExceededError) as caught:
        await reserve(ledger, "c", 11)
    assert caught.value.period == "month"


async def test_budget_3_a_reservation_counts_on_the_day_that_it_was_checked_for(
    tmp_path: Path,
) -> None:
    evening, morning = Clock("2026-11-29 23:59"), Clock("2026-11-30 00:00")
    ledger = Ledger(tmp_path / "x", {"day": 100}, morning)
    await reserve(ledger, "a", 60)
    times = chain([evening()], repeat(morning()))  # midnight passes while the ledger is locked
    await reserve(Ledger(ledger.path, ledger.limits, lambda: next(times)), "b", 100)
    assert used(ledger)["day"] == 60


async def test_budget_7_a_clock_set_forward_and_back_loses_nothing(tmp_path: Path) -> None:
    clock = Clock("2026-11-01 12:00")
    ledger = Ledger(tmp_path / "x", {"month": 100}, clock)
    for day in range(1, 30):
        clock.set(f"2026-11-{day:02} 12:00")
        await reserve(ledger, str(day), 2)
        await ledger.settle(str(day), 2)
    for wrong in ("2036-01-01 12:00", "2099-12-31 23:59", "1990-06-01 12:00"):
        clock.set(wrong)
        await reserve(ledger, "wrong", 1)
        await ledger.settle("wrong", 1)
    clock.set("2026-11-30 12:00")
    assert ledger.balance("month") == (58, 0)


async def test_old_days_are_forgotten_and_dead_reservations_are_added_up(tmp_path: Path) -> None:
    clock = Clock("2026-01-01 12:00")
    ledger = Ledger(tmp_path / "x", {"day": 10**6}, clock)
    for number in range(100):
        clock.now += 86_400
        await reserve(ledger, f"dead {number}", 10)
    state = LedgerState.from_json((tmp_path / "x").read_bytes())
    assert (len(state.spent), len(state.reserved)) == (62, 2)
    assert {*state.spent.values()} == {10}


async def test_a_reservation_that_was_added_up_is_not_counted_again(tmp_path: Path) -> None:
    clock = Clock("2026-01-01 12:00")
    ledger = Ledger(tmp_path / "x", {"month": 10**6}, clock)
    await reserve(ledger, "slow", 10)
    clock.set("2026-01-04 12:00")
    await reserve(ledger, "other", 1)
    await ledger.settle("slow", 10)
    assert ledger.balance("month") == (10, 1)


DAMAGED = [
    b"", b"x\n", b"[]\n", b"5", b"null", b'{"form": 2}\n', b"\xff\xfe", b"[" * 100_000,
    b'{"form": 1, "spent": {"2026-01-01": "x"}, "reserved": {}}',
    b'{"form": 1, "spent": {"2026-01-01": NaN}, "reserved": {}}',
    b'{"form": 1, "spent": {"2026-01-01": 1e5}, "reserved": {}}',
    b'{"form": 1, "spent": {"2026-01-01": -5}, "reserved": {}}',
    b'{"form": 1, "spent": {"2026-01-01": true}, "reserved": {}}',
    b'{"form": 1, "spent": {"today": 5}, "reserved": {}}',
    b'{"form": 1, "spent": {}, "reserved": {"a": ["2026-01-01", -1]}}',
    b'{"form": 1, "spent": {}, "reserved": {"a": [5, 5]}}',
    b'{"form": 1, "spent": {}, "reserved": {"a": 5}}',
    b'{"form": 1, "spent": [], "reserved": {}}',
    b'{"form": 1, "spent": {}}',
    b'{"form": 1, "spent": {"2026-01-01": 5}, "reserved": {}',  # cut
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:60].decode("latin-1"))
async def test_budget_8_a_damaged_file_is_an_error_and_stays(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        await reserve(Ledger(tmp_path / "x", {"day": 1}), "a", 1)
    with pytest.raises(ConfigError, match="damaged"):
        Ledger(tmp_path / "x", {"day": 1}).balance("day")
    assert (tmp_path / "x").read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit is set in a process of its own")
def test_budget_8_a_full_disk_leaves_the_ledger_whole(tmp_path: Path) -> None:
    """A limit of the size of files stands for a disk that is full: both make a write short."""
    code = (
        "import asyncio, resource, signal, sys; from pathlib import Path\n"
        "from easyllm_cli.limits.ledger import Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))\n"
        "ledger = Ledger(Path(sys.argv[1]), {'day': 100})\n"
        "for number in range(9):\n"
        "    asyncio.run(ledger.reserve(str(number) * 20, 1, 1))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert "OutputError: the budget cannot be kept: File too large" in ran.stderr
    assert ran.stderr.splitlines()[-1].count(str(tmp_path / "x")) == 1
    reserved = Ledger(tmp_path / "x", {"day": 100}).balance("day").reserved
    assert 1 <= reserved <= 5
    assert {path.name for path in tmp_path.iterdir()} == {"x", ".x.lock"}


async def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="the budget cannot be kept"):
        await reserve(Ledger(tmp_path / "file" / "x", {"day": 1}), "a", 1)


async def test_a_lock_that_is_held_does_not_stop_the_event_loop(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 9})
    async with hold_lock(tmp_path / ".x.lock"):
        waiting = asyncio.create_task(reserve(ledger, "a", 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert ledger.balance("day") == (0, 0)  # who only reads does not wait
    assert await waiting == 1


async def test_a_lock_that_is_held_is_waited_for_until_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "_deadline", time.monotonic() + 0.1)
    ledger = Ledger(tmp_path / "x", {"day": 9})
    async with hold_lock(tmp_path / ".x.lock"):
        with pytest.raises(OutputError, match="another process holds the lock") as caught:
            await reserve(ledger, "a", 1)
    assert str(caught.value).count(str(tmp_path)) == 1
