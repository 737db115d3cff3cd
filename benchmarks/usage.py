"""Measures `easyllm usage` over a history of 100,000 answers, paired with `easyllm --help`.

    python benchmarks/usage.py [-n PAIRS]

Prints the median CPU time of both and of the difference. Run it by hand, not in CI.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CALLS, DAYS, PAIRS = 100_000, 30, 21
PROFILES = ("openai", "ollama", "openrouter", "gemini")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-n", type=int, default=PAIRS, metavar="PAIRS", help="pairs of runs")
    pairs = parser.parse_args().n
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HOME": folder}
        for kind in ("CONFIG", "DATA", "STATE"):
            environment[f"XDG_{kind}_HOME"] = str(Path(folder, kind.lower()))
        os.environ.update(environment)
        fill_history()
        print(f"{CALLS:,} answers, {pairs} pairs, CPU milliseconds")
        commands = (["usage"], ["usage", "--by", "model"], ["usage", "--speed"])
        run(["usage"], environment)  # makes the price table
        for command in commands:
            compare(command, pairs, environment)


def fill_history() -> None:
    """Write answers of the last 30 days, without texts."""
    sys.path.insert(0, str(ROOT))
    from easyllm_cli.history import history_path
    from easyllm_cli.history.store import open_store

    now = time.time()
    with open_store(history_path(), create=True) as store, store.transaction():
        for number in range(CALLS):
            name = PROFILES[number % len(PROFILES)]
            row = {
                "id": f"{number:016x}", "command": "chat", "profile": name, "provider": name,
                "model": f"{name}-model", "host": f"{name}.example", "finish_reason": "stop",
                "started_at": now - DAYS * 86400 * (1 - number / CALLS) + 1,
                "complete": 1, "exit_code": 0, "prompt_tokens": number % 2000,
                "completion_tokens": number % 900, "cost_usd": 0.0001, "cost_source": "provider",
                "ms": 1000 + number % 900, "ms_first_token": 200 + number % 90, "attempts": 1,
            }  # fmt: skip
            store.insert("call", row)


def compare(command: list[str], pairs: int, environment: dict[str, str]) -> None:
    """Run the command and `--help` in turn; print the medians."""
    times: dict[str, list[float]] = {"command": [], "help": []}
    for _ in range(pairs):
        times["help"].append(run(["--help"], environment))
        times["command"].append(run(command, environment))
    differences = [a - b for a, b in zip(times["command"], times["help"], strict=True)]
    print(
        f"easyllm {' '.join(command):<18} {statistics.median(times['command']):6.0f}"
        f"   --help {statistics.median(times['help']):6.0f}"
        f"   difference {statistics.median(differences):6.0f}"
    )


def run(arguments: list[str], environment: dict[str, str]) -> float:
    """Run easyllm with its output in a pipe; return its CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).with_name("easyllm")), *arguments]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


if __name__ == "__main__":
    main()
