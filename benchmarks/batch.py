"""Measures the CPU time of a request with many in flight, against other clients.

    python -m benchmarks.batch [--at-once N…] [--rounds N] [--only CLIENT…]

A server on this machine answers after 50 ms. Each client is a process of its own, in an environment
that has its newest release; the processes run in turn, and each round gives a ratio to the first
client. Run it by hand, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import installs
from benchmarks.batch_server import running
from benchmarks.measure import CannotRun

CLIENTS_FILE = Path(__file__).resolve().parent / "batch_clients.py"
ANSWER_MILLISECONDS = 50
TIMEOUT_SECONDS = 600.0  # of one process
REFERENCE, OURS = "aiohttp", "easyllm-aiohttp"
AT_ONCE = (64, 512)
ROUNDS = 5
# Name: (environment, what pip installs there besides the project, requests of a round).
CLIENTS: dict[str, tuple[str, tuple[str, ...], int]] = {
    REFERENCE: ("batch-easyllm", (), 3000),
    "httpx2": ("batch-easyllm", (), 2000),
    OURS: ("batch-easyllm", (), 3000),
    "easyllm-http": ("batch-easyllm", (), 2000),
    "openai": ("batch-openai", ("openai[aiohttp]",), 1500),
    "openai-aiohttp": ("batch-openai", ("openai[aiohttp]",), 1500),
    "litellm": ("batch-litellm", ("litellm",), 700),
}
# In flight: the most that LLMService over aiohttp may cost, in times of aiohttp alone.
BOUNDS = {64: 3.5, 512: 3.0}
# The least that these cost, in times of LLMService over aiohttp.
PEER_BOUNDS = {"openai": 2.5, "litellm": 5.0}


@dataclass
class Series:
    """The figures of one client with one number of requests in flight, a dict a round."""

    rounds: list[dict[str, float]] = field(default_factory=list)

    def median(self, name: str) -> float:
        return median(figures[name] for figures in self.rounds)

    def ratios(self, other: Series) -> list[float]:
        """The CPU times of the rounds in times of the other client's."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return [mine["cpu_ms"] / theirs["cpu_ms"] for mine, theirs in pairs]


def main() -> int:
    """Run the benchmark; the exit code is 1 if something cannot run, whatever the figures are."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--at-once", type=int, nargs="+", default=AT_ONCE, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--only", choices=CLIENTS, nargs="+", metavar="CLIENT")
    asked = parser.parse_args()
    names = [name for name in CLIENTS if name == REFERENCE or name in (asked.only or CLIENTS)]
    try:
        pythons = {name: python_for(name) for name in names}
        with running(ANSWER_MILLISECONDS) as url:
            for at_once in asked.at_once:
                print_table(at_once, measure(pythons, url, at_once, asked.rounds))
    except CannotRun as error:
        print(f"batch.py: {error}", file=sys.stderr)
        return 1
    return 0


def python_for(name: str) -> str:
    """The Python of the client's environment, which is made first.

    Raises:
        CannotRun: pip cannot install the client.
    """
    environment, packages, _ = CLIENTS[name]
    if not packages:
        made = installs.Venv(installs.BENCH_FOLDER / environment)
        if name == REFERENCE:  # once for all of the project's clients
            made = installs.venv_for_project(environment, installs.CHECKOUT, "[batch]")
        return made.python
    made = installs.venv(environment)
    made.pip("install", "--upgrade", *packages)
    return made.python


def measure(pythons: dict[str, str], url: str, at_once: int, rounds: int) -> dict[str, Series]:
    """Run every client in turn: A B C, C B A, …

    Raises:
        CannotRun: a client failed, or an answer was wrong.
    """
    series = {name: Series() for name in pythons}
    for number in range(rounds):
        for name in pythons if number % 2 == 0 else reversed(pythons):
            series[name].rounds.append(run_client(name, pythons[name], url, at_once))
    return series


def run_client(name: str, python: str, url: str, at_once: int) -> dict[str, float]:
    """The figures of one process of the client."""
    count = max(CLIENTS[name][2], at_once)
    ran = subprocess.run(
        [python, str(CLIENTS_FILE), name, url, str(at_once), str(count)],
        env=installs.environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if ran.returncode:
        last = (ran.stderr.strip() or "nothing").splitlines()[-1]
        raise CannotRun(f"{name}: exit code {ran.returncode}, its last line: {last[:300]}")
    figures: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return figures


def print_table(at_once: int, series: dict[str, Series]) -> None:
    """Print the medians, each round's ratio, and how they stand to the bounds."""
    load = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    print(f"\n{at_once} in flight (load {load})")
    print(f"{'client':<17}{'CPU ms':>8}{'x':>7}{'p50 s':>8}{'MB':>6}  ratios of the rounds")
    for name, measured in series.items():
        ratios = measured.ratios(series[REFERENCE])
        print(
            f"{name:<17}{measured.median('cpu_ms'):>8.3f}{median(ratios):>7.2f}"
            f"{measured.median('p50'):>8.3f}{measured.median('peak_mb'):>6.0f}"
            f"  {' '.join(f'{ratio:.2f}' for ratio in ratios)}"
        )
    if OURS not in series:
        return
    lines: list[tuple[str, float, str, Any]] = []
    if at_once in BOUNDS:
        ratio = median(series[OURS].ratios(series[REFERENCE]))
        lines.append((f"{OURS} / {REFERENCE}", ratio, "at most", BOUNDS[at_once]))
    for peer, bound in PEER_BOUNDS.items():
        if peer in series:
            ratio = median(series[peer].ratios(series[OURS]))
            lines.append((f"{peer} / {OURS}", ratio, "at least", bound))
    for words, ratio, relation, bound in lines:
        print(f"{words}: {ratio:.2f}, {relation} {bound:g}")


if __name__ == "__main__":
    sys.exit(main())
