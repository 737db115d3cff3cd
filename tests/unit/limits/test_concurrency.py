"""At most N requests at once, over processes and over tasks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from easyllm_cli.limits.concurrency import take_slot
from tests.support import ROOT


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_limit_4_never_more_than_n_also_after_kill_9(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.slot_holders", tmp_path / "x", "4", "20", "0.05"],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    changes = sorted(
        (float(at), int(change)) for at, change in map(str.split, ran.stdout.splitlines())
    )
    held, most = 0, 0
    for _, change in changes:
        held += change
        most = max(most, held)
    assert len(changes) == 2 * 22
    assert most == 4


async def test_limit_4_tasks_of_one_process_share_the_slots(tmp_path: Path) -> None:
    held = most = 0

    async def hold() -> None:
        nonlocal held, most
        slot = await take_slot(tmp_path / "x", 3)
        assert slot is not None
        held += 1
        most = max(most, held)
        await asyncio.sleep(0.005)
        held -= 1
        slot.release()

    await asyncio.gather(*(hold() for _ in range(30)))
    assert most == 3


async def test_patience_ends_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x"
    slot = await take_slot(path, 1)
    assert slot is not None
    assert await take_slot(path, 1, 0.02) is None
    waiting = asyncio.create_task(take_slot(path, 1))
    await asyncio.sleep(0.01)
    waiting.cancel()
    slot.release()
    again = await take_slot(path, 1, 1.0)
    assert again is not None
    again.release()
