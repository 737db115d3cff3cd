"""Measures a history of 100,000 answers: the list, the search, and a long prompt.

    python benchmarks/history.py [-n RUNS]

The exit code is 0 unless something cannot run, whatever the figures are. Run it by hand, not in CI.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import commands, installs
from benchmarks.measure import CannotRun, Command, measure_paired
from benchmarks.server import running

ROWS, RUNS = 100_000, 15
LIST_BOUND = 1.3  # times the CPU of the same command with an empty history
PROMPT_BYTES, PROMPT_BOUND_MS = 500_000, 3.0


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-n", type=int, default=RUNS, help=f"rounds (default {RUNS})")
    rounds = max(1, parser.parse_args().n)
    venv = installs.venv_for_project("venv", installs.CHECKOUT)
    try:
        with tempfile.TemporaryDirectory() as folder, running() as port:
            measure_lists(venv, port, Path(folder), rounds)
            measure_long_prompt(venv, port, Path(folder), rounds)
    except CannotRun as error:
        print(f"history.py: {error}", file=sys.stderr)
        return 1
    return 0


def measure_lists(venv: installs.Venv, port: int, folder: Path, rounds: int) -> None:
    """`history list` with an empty history and with 100,000 rows."""
    fill(folder / "full", ROWS)
    fill(folder / "empty", 1)
    rows = []
    for name in ("empty", "full"):
        command = commands.easyllm(venv, port, "history list", f"list, {name}", prints="0")
        seen = {**command.environment, "XDG_STATE_HOME": str(folder / name)}
        rows.append(Command(command.name, command.argv, seen, command.prints))
    figures = measure_paired(rows, rounds)["list, full"]
    verdict = "ok" if figures.ratio <= LIST_BOUND else "MISSED"
    print(f"list of {ROWS:,}: {figures.ratio:.3f} x an empty one (<= {LIST_BOUND} {verdict})")


def fill(folder: Path, rows: int) -> None:
    """Write a history of that many short answers with the program's own code."""
    os.environ["XDG_STATE_HOME"] = str(folder)
    from easyllm_cli import history
    from easyllm_cli.history.store import open_store
    from tests.support.history import record

    began = time.monotonic()
    with open_store(history.history_path(), create=True) as store, store.transaction():
        for number in range(rows):
            made = record(f"Question {number}?", "An answer. " * 20, id=f"0{number:015}")
            store.insert("call", made.call)
            assert made.conversation is not None
            store.insert("conversation", made.conversation)
    size = history.history_path().stat().st_size
    seconds = time.monotonic() - began
    print(f"{rows:,} rows: {size / rows * 1000 / 1024:,.0f} KB per 1,000, {seconds:.1f} s")


def measure_long_prompt(venv: installs.Venv, port: int, folder: Path, rounds: int) -> None:
    """What a prompt of 500 KB adds to a chat that is kept."""
    file = folder / "prompt.txt"
    file.write_text("word " * (PROMPT_BYTES // 5), "utf-8")
    modes = [
        commands.with_history(venv, port, mode, prompt=f"-f {file}") for mode in ("off", "full")
    ]
    short = commands.history_modes(venv, port)[0::3]
    added = []
    for pair in (short, modes):
        off, full = measure_paired(pair, rounds).values()
        added.append(median(b.cpu - a.cpu for a, b in zip(off.runs, full.runs, strict=True)) * 1000)
    verdict = "ok" if added[1] - added[0] <= PROMPT_BOUND_MS else "MISSED"
    print(
        f"history adds {added[0]:.1f} ms to a short chat, {added[1]:.1f} ms with a prompt of"
        f" 500 KB (<= {PROMPT_BOUND_MS:g} ms more {verdict})"
    )


if __name__ == "__main__":
    sys.exit(main())
