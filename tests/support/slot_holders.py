"""Runs many processes that share N slots, two of which are killed while they hold one.

    python -m tests.support.slot_holders FILE SLOTS PROCESSES SECONDS

Each process holds a slot for SECONDS; prints when each one began and ended to hold it.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from easyllm_cli.limits.concurrency import take_slot

FOREVER = 3600.0


async def hold(path: Path, slots: int, seconds: float, report: int) -> None:
    """Take a slot, say so, and hold it."""
    slot = await take_slot(path, slots)
    assert slot is not None
    os.write(report, f"{time.monotonic():.6f} 1\n".encode())
    await asyncio.sleep(seconds)
    os.write(report, f"{time.monotonic():.6f} -1\n".encode())
    slot.release()


def fork_holder(path: Path, slots: int, seconds: float, report: int) -> int:
    """Start a process that holds a slot; returns its id."""
    child = os.fork()
    if child == 0:
        asyncio.run(hold(path, slots, seconds, report))
        os._exit(0)
    return child


def main(path: Path, slots: int, processes: int, seconds: float) -> None:
    """Run the processes, and print the lines of those that were not killed."""
    reader, writer = os.pipe()
    doomed = [fork_holder(path, slots, FOREVER, writer) for _ in range(2)]
    begun = b""
    while begun.count(b"\n") < len(doomed):
        begun += os.read(reader, 1000)
    others = [fork_holder(path, slots, seconds, writer) for _ in range(processes)]
    time.sleep(2 * seconds)  # the others use the two slots that are left
    for child in doomed:
        killed_at = time.monotonic()  # the slot may be free before `kill` returns
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        begun += f"{killed_at:.6f} -1\n".encode()
    for child in others:
        os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        sys.stdout.write((begun + pipe.read()).decode())


if __name__ == "__main__":
    file, slots, processes, seconds = sys.argv[1:]
    main(Path(file), int(slots), int(processes), float(seconds))
