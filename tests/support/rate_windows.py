"""Counts requests in sliding windows, and runs many processes against one shared limit.

    python -m tests.support.rate_windows FILE RPM PROCESSES SECONDS SCALE PAUSE

prints the times at which the limit let the processes send a request, in scaled seconds: a minute of
the limit passes in 60 / SCALE seconds. A process may wake later than that on a busy machine. After
a third of the time a server asks for a pause of PAUSE scaled seconds (0 = none), whose end is the
first line.
"""

import asyncio
import bisect
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from easyllm_cli.limits.rate import RENEWAL_SECONDS, RateFile

MINUTE = 60.0
TOLERANCE = 0.05


def most_in_window(times: Sequence[float], seconds: float = MINUTE) -> int:
    """Return the largest number of times in any window of this length (its end excluded)."""
    ordered = sorted(times)
    return max(
        bisect.bisect_left(ordered, start + seconds) - index for index, start in enumerate(ordered)
    )


def allowed_in_minute(rpm: float) -> int:
    """Return how many requests a minute may have: the limit and 5 % of it."""
    return int(rpm) + int(TOLERANCE * rpm)


def run_processes(
    path: Path, rpm: int, processes: int, seconds: float, scale: float, pause: float
) -> list[float]:
    """Fork processes that send as often as the limit allows.

    Returns the end of the pause, and their times.
    """
    gate, opened = os.pipe()
    readers: list[int] = []
    for _ in range(processes):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            os.close(opened)
            sent = asyncio.run(send(gate, path, rpm, seconds, scale))
            with os.fdopen(writer, "w") as pipe:
                pipe.write("".join(f"{at:.6f}\n" for at in sent))
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    os.close(opened)
    times = [asyncio.run(pause_all(path, seconds / 3, scale, pause))]
    for reader in readers:
        with os.fdopen(reader) as pipe:
            times += map(float, pipe)
    return times


async def send(gate: int, path: Path, rpm: int, seconds: float, scale: float) -> list[float]:
    """Reserve and wait in a loop; returns when each request was allowed.

    `gate`: a pipe that is closed when all processes have started.
    """
    rate = RateFile(path, lambda: time.monotonic() * scale)
    times: list[float] = []
    os.read(gate, 1)
    end = rate.clock() + seconds
    while True:
        reservation = await rate.reserve(rpm)
        if reservation.start > end:
            return times
        while (left := reservation.start - rate.clock()) > 0:
            reservation = await rate.renew(reservation)
            await asyncio.sleep(min(left, RENEWAL_SECONDS) / scale)
        if rate.is_paused():
            await rate.give_back(reservation)
        else:
            times.append(reservation.start)


async def pause_all(path: Path, after: float, scale: float, pause: float) -> float:
    """Tell the processes that a server has asked for a pause; returns its end."""
    if not pause:
        return 0.0
    await asyncio.sleep(after / scale)
    rate = RateFile(path, lambda: time.monotonic() * scale)
    await rate.report(pause)
    return rate.read().paused_until


if __name__ == "__main__":
    file, *numbers = sys.argv[1:]
    rpm, processes, seconds, scale, pause = map(float, numbers)
    for at in run_processes(Path(file), int(rpm), int(processes), seconds, scale, pause):
        print(f"{at:.6f}")
