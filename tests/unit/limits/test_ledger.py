"""The ledger of a budget: processes, days and months, damaged files."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from easyllm_cli.dollars import BILLION
from easyllm_cli.errors import ConfigError, OutputError
from easyllm_cli.limits.ledger import BudgetExceededError, Ledger
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
    sent, used = int(ran.stdout), open_ledger(path).used()["day"]
    assert 7 <= sent <= most
    assert used <= BUDGET
    if not killed:
        assert used == sent * BILLION * 6 // 100


def test_budget_2_what_was_never_settled_stays_spent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 100})
    ledger.reserve("dead", 70)
    with pytest.raises(BudgetExceededError) as caught:
        Ledger(tmp_path / "x", {"day": 100}).reserve("next", 31)
    assert (caught.value.period, caught.value.used, caught.value.limit) == ("day", 70, 100)
    ledger.reserve("small", 30)
    ledger.settle("small", 0)
    assert ledger.left() == 30


def test_budget_3_days_and_months_begin_at_local_midnight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        clock = Clock("2026-11-29 23:59")
        ledger = Ledger(tmp_path / "x", {"day": 100, "month": 150}, clock)
        ledger.reserve("a", 100)
        ledger.settle("a", 90)
        assert ledger.used() == {"day": 90, "month": 90}
        clock.set("2026-11-30 00:00")
        assert ledger.used() == {"day": 0, "month": 90}
        ledger.reserve("b", 60)  # ends in the next month
        clock.set("2026-12-01 00:00")
        ledger.settle("b", 50)
        assert ledger.used() == {"day": 0, "month": 0}
        clock.set("2026-11-30 12:00")
        assert ledger.used() == {"day": 50, "month": 140}
        with pytest.raises(BudgetExceededError) as caught:
            ledger.reserve("c", 11)
        assert caught.value.period == "month"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_old_days_are_forgotten(tmp_path: Path) -> None:
    clock = Clock("2026-01-01 12:00")
    ledger = Ledger(tmp_path / "x", {"day": 10**6}, clock)
    for number in range(50):
        ledger.reserve(str(number), 10)
    clock.set("2026-12-01 12:00")
    ledger.reserve("new", 10)
    assert (tmp_path / "x").read_bytes().count(b"2026-") == 1


def test_a_shorter_state_replaces_a_longer_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x", {"day": 10**6})
    for number in range(20):
        ledger.reserve(f"{number:060}", 10)
    for number in range(20):
        ledger.settle(f"{number:060}", 1)
    assert ledger.used()["day"] == 20


@pytest.mark.parametrize(
    "content", [b"x\n", b"[]\n", b'{"form": 2}\n', b'{"form": 1, "spent": {"2": "x"}}\n']
)
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        Ledger(tmp_path / "x", {"day": 1}).reserve("a", 1)
    assert (tmp_path / "x").read_bytes() == content


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="the budget cannot be kept"):
        Ledger(tmp_path / "file" / "x", {"day": 1}).left()
