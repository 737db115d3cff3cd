"""Measures the CPU time of whole commands, as multiples of a bare script's.

    python benchmarks/startup.py [-n RUNS] [--json] [--peers] [--local] [--history]
        [--cache] [--against COMMIT]

The exit code is 0 unless something cannot run, whatever the figures are. Run it by hand, not in CI.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import commands, installs, local, peers
from benchmarks.measure import CannotRun, Command, Figures, measure_paired
from benchmarks.server import running

# name: (bound, aim), as multiples of the bare script.
BOUNDS: dict[str, tuple[float, float | None]] = {
    "httpx2 alone": (3.9, None),
    "chat -p ollama": (4.9, 4.3),
    "chat -p openai": (4.9, 4.3),
    "--version": (0.5, None),
    "--help, pipe": (2.0, None),
    "--help, terminal": (3.5, None),
    "stream 10,000 -p openai": (5.0, None),
    "stream 10,000 -p ollama": (5.0, None),
}
RUNS, PAIRS, MAY_GROW = 15, 101, 1.02
MAY_GROW_WITH_HISTORY = 1.04
CACHE_BOUND = 0.75  # of the CPU of the same chat that asks a server on this machine


def main() -> int:
    """Run the benchmark; returns the exit code."""
    asked = arguments()
    try:
        found = measure_all(asked)
    except CannotRun as error:
        print(f"startup.py: {error}", file=sys.stderr)
        return 1
    if asked.json:
        print(json.dumps(found))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-n", type=int, metavar="RUNS", help=f"rounds (default {RUNS})")
    parser.add_argument("--json", action="store_true", help="also print the figures as JSON")
    parser.add_argument("--peers", action="store_true", help="compare with llm, clai, shell-gpt")
    parser.add_argument(
        "--local", action="store_true", help="measure a cold answer of the demo model"
    )
    parser.add_argument(
        "--history", action="store_true", help=f"a chat with and without history, {PAIRS} pairs"
    )
    parser.add_argument(
        "--cache", action="store_true", help=f"a chat answered from the cache, {PAIRS} pairs"
    )
    parser.add_argument(
        "--against", metavar="COMMIT", help=f"compare with this commit, {PAIRS} pairs"
    )
    asked = parser.parse_args()
    if asked.n is not None and asked.n < 1:
        parser.error("-n is 1 or more")
    return asked


def measure_all(asked: argparse.Namespace) -> dict[str, Any]:
    """Install, measure, print; returns the figures.

    Raises:
        CannotRun: an installation or a command failed.
    """
    venv = installs.venv_for_project("venv", installs.CHECKOUT)
    old = installs.venv_for_commit(asked.against) if asked.against else None
    homes = peers.install() if asked.peers else {}
    found: dict[str, Any] = {"machine": machine(venv)}
    if asked.local:
        found["local"] = local.cold_answers(asked.n or RUNS // 3)
        return found
    with running() as port:
        if old is not None:
            found["against"] = growth(old, venv, port, asked.n or PAIRS)
        if asked.peers:
            found["peers"] = peers.compare(venv, port, homes, asked.n or RUNS // 2)
            show_peers(found["peers"])
        if asked.history:
            modes = commands.history_modes(venv, port)
            found["history"] = in_each_mode(modes, asked.n or PAIRS, MAY_GROW_WITH_HISTORY)
        if asked.cache:
            modes = commands.cache_modes(venv, port)
            found["cache"] = in_each_mode(modes, asked.n or PAIRS, CACHE_BOUND)
        if old is None and not (asked.peers or asked.history or asked.cache):
            found["figures"] = against_bare(venv, port, asked.n or RUNS)
    return found


def machine(venv: installs.Venv) -> dict[str, Any]:
    """The versions and the machine that the figures belong to."""
    load = os.getloadavg()
    facts = {
        "commit": installs.commit(), "python": platform.python_version(),
        "system": platform.platform(terse=True), "cores": os.cpu_count(), "load": round(load[0], 2),
        **{name: venv.version(name) for name in ("easyllm-cli", "typer", "httpx2", "rich")},
    }  # fmt: skip
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    return facts


def against_bare(venv: installs.Venv, port: int, rounds: int) -> dict[str, Any]:
    """All commands against the bare script."""
    print(f"\n{'CPU':26}{'median ms':>10}{'min ms':>9}{'x bare':>8}   bound")
    found: dict[str, Any] = {}
    groups = [(commands.short(venv, port), rounds)]
    groups += [(commands.long(venv, port, name), max(3, rounds // 2)) for name in commands.PATHS]
    for group, times in groups:
        for name, figures in measure_paired(group, times).items():
            found[name] = facts_of(figures)
            print(row(name, figures), flush=True)
    return found


def facts_of(figures: Figures) -> dict[str, float]:
    return {
        "median_ms": round(figures.median_ms, 2),
        "min_ms": round(figures.min_ms, 2),
        "ratio": round(figures.ratio, 3),
    }


def row(name: str, figures: Figures) -> str:
    """One line of the table, with its bound and aim."""
    line = f"{name:26}{figures.median_ms:10.1f}{figures.min_ms:9.1f}{figures.ratio:8.2f}"
    if name not in BOUNDS:
        return f"{line}   the reference"
    bound, aim = BOUNDS[name]
    line += f"   <= {bound:g} {'ok' if figures.ratio <= bound else 'MISSED'}"
    if aim is not None:
        line += f", aim {aim:g} {'ok' if figures.ratio <= aim else 'MISSED'}"
    return line


def growth(old: installs.Venv, new: installs.Venv, port: int, pairs: int) -> dict[str, Any]:
    """Run the old build, the old one again and the new one in turn; medians of paired ratios.

    The old build against itself (A/A) shows how much of a ratio is noise.
    """
    if old.packages() != new.packages():
        changed = sorted(set(old.packages()) ^ set(new.packages()))
        print(f"the dependencies differ: {', '.join(changed)}")
    print(f"\n{'CPU':26}{'before ms':>10}{'now ms':>9}{'A/A':>8}{'ratio':>8}")
    found: dict[str, Any] = {}
    builds = {"before": old, "before again": old, "now": new}
    rows = [commands.against(venv, port, label) for label, venv in builds.items()]
    for triple in zip(*rows, strict=True):
        before, again, now = triple
        measured = measure_paired(triple, pairs)
        name = now.name.removesuffix(" (now)")
        same, ratio = measured[again.name].ratio, measured[now.name].ratio
        grew = ratio > MAY_GROW
        found[name] = {"same": round(same, 3), "ratio": round(ratio, 3), "grew": grew}
        times = f"{measured[before.name].median_ms:10.1f}{measured[now.name].median_ms:9.1f}"
        verdict = f"GREW by more than {MAY_GROW - 1:.0%}" if grew else "ok"
        print(f"{name:26}{times}{same:8.3f}{ratio:8.3f}   {verdict}", flush=True)
    return found


def in_each_mode(modes: list[Command], pairs: int, bound: float) -> dict[str, Any]:
    """A chat in each mode against the first; the second is the first again, to show the noise."""
    print(f"\n{'CPU of a chat':26}{'median ms':>10}{'ratio':>8}{'wall ms':>9}")
    found: dict[str, Any] = {}
    for name, figures in measure_paired(modes, pairs).items():
        found[name] = facts_of(figures)
        is_measured = name not in (modes[0].name, modes[1].name)
        verdict = f"more than {bound}" if is_measured and figures.ratio > bound else "ok"
        times = f"{figures.median_ms:10.1f}{figures.ratio:8.3f}{figures.wall_ms:9.1f}"
        print(f"{name:26}{times}   {verdict}", flush=True)
    return found


def show_peers(found: dict[str, dict[str, Any]]) -> None:
    """Print how many times faster one short chat is with easyllm."""
    print(f"\n{'one short chat':26}{'CPU ms':>10}{'wall ms':>9}   easyllm is faster by")
    for name, facts in found.items():
        if "error" in facts:
            print(f"{name:26}could not be measured: {facts['error']}")
            continue
        print(
            f"{name + ' ' + facts['version']:26}{facts['cpu_ms']:10.0f}{facts['wall_ms']:9.0f}"
            f"   {facts['cpu_ratio']:.1f} x CPU, {facts['wall_ratio']:.1f} x wall"
        )


if __name__ == "__main__":
    sys.exit(main())
