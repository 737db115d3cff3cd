"""Runs waves of processes against one budget; some are killed between sending and settling.

    python -m tests.support.ledger_processes FILE WAVES PROCESSES KILLED

A request may cost 0.10 dollars and costs 0.06, of a budget of 0.70. Of each wave, the first KILLED
processes die when they would have sent. Prints the number of requests that were sent.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from easyllm_cli.dollars import BILLION
from easyllm_cli.limits.ledger import BudgetExceededError, Ledger

BUDGET, ESTIMATE, COST = (BILLION * cents // 100 for cents in (70, 10, 6))


def open_ledger(path: Path) -> Ledger:
    """Return the ledger with the budget of a day."""
    return Ledger(path, {"day": BUDGET})


async def send(path: Path, dies: bool, sent: int) -> None:
    """Reserve, write a byte when the request would be sent, and settle."""
    ledger, identity = open_ledger(path), str(os.getpid())
    try:
        await ledger.reserve(identity, ESTIMATE, ESTIMATE)
    except BudgetExceededError:
        return
    os.write(sent, b".")
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    await ledger.settle(identity, COST)


def main(path: Path, waves: int, processes: int, killed: int) -> None:
    """Run the waves, and print how many requests were sent."""
    reader, writer = os.pipe()
    for _ in range(waves):
        children = []
        for number in range(processes):
            child = os.fork()
            if child == 0:
                asyncio.run(send(path, number < killed, writer))
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    os.close(writer)
    print(len(os.read(reader, 10_000)))


if __name__ == "__main__":
    file, waves, processes, killed = sys.argv[1:]
    main(Path(file), int(waves), int(processes), int(killed))
