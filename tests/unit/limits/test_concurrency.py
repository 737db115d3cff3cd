"""At most N requests at once, over processes and over tasks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from easyllm_cli.limits import concurrency
from easyllm_cli.limits.concurrency import take_slot
from tests.support import ROOT
from tests.support.forked_child import forked_child


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no forks")
@pytest.mark.parametrize("parent", ["releases", "dies"])
async def test_limit_4_a_forked_child_does_not_keep_its_parents_slot(
    tmp_path: Path, parent: str
) -> None:
    """The child lives on, has no slot, and cannot give its parent's slot away."""
    path = tmp_path / "x"
    slot = await take_slot(path, 1)
    assert slot is not None
    with forked_child(slot.release):
        assert concurrency._try_slots(path, 1) is None  # the parent has it still
        if parent == "releases":
            slot.release()
        else:
            os.close(slot._descriptor)  # as the kernel does; nobody unlocks it
            concurrency._held.discard(slot)
            slot._semaphore.release()
        again = await take_slot(path, 1, 1.0)
        assert again is not None
        again.release()


async def test_a_slot_is_released_once(tmp_path: Path) -> None:
    slot = await take_slot(tmp_path / "x", 1)
    assert slot is not None
    slot.release()
    reused = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # has the same number
    slot.release()
    os.fstat(reused)
    os.close(reused)


async def test_limit_12_who_may_run_fewer_leaves_no_slot_to_those_who_may_run_more(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x"
    many = [await take_slot(path, 4) for _ in range(2)]
    few = [await take_slot(path, 2, 0.02) for _ in range(3)]
    assert [slot is not None for slot in few] == [True, True, False]
    assert await take_slot(path, 4, 0.02) is None  # together never more than 4
    for slot in (*many, *few):
        if slot is not None:
            slot.release()


@pytest.mark.parametrize("kind", ["link", "named pipe"])
async def test_limit_13_what_is_no_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.0"
    if kind == "link":
        path.symlink_to("target")
    else:
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"symbolic link|not a regular file"):
        await take_slot(tmp_path / "x", 1)
    assert [each.name for each in tmp_path.iterdir()] == ["x.0"]


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
