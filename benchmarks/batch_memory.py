"""Measures how much memory `easyllm batch` takes for few and for many rows, and its merge.

    python -m benchmarks.batch_memory [ROWS]        200,000 rows, at 1 to 3 ms each

Run it by hand. The bound: the run with many rows takes at most 25 MB more than that of 10,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.batches import whole_answer
from tests.support.binary import single_profile_toml
from tests.support.peak import BETWEEN
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.server import StandIn

FEW_ROWS, MANY_ROWS, MOST_MORE_MB = 10_000, 200_000, 25.0
COMMAND = str(Path(sys.executable).with_name("easyllm"))
BODY = json.dumps(whole_answer("m", "a short answer", "a prompt")).encode()


async def answer(request: Request, reply: Reply) -> None:
    """Send the same answer to every request."""
    await reply.head(200, None, length=len(BODY))
    await reply.write(BODY)


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY_ROWS
    with tempfile.TemporaryDirectory() as name, StandIn(answer) as server:
        folder = Path(name)
        profiles = folder / "profiles.toml"
        profiles.write_text(single_profile_toml(server))
        environment = {
            **os.environ, "HOME": name, "EASYLLM_PROFILES": str(profiles), "EASYLLM_HISTORY": "off",
        }  # fmt: skip
        peaks = []
        for rows in (FEW_ROWS, many):
            write_rows(folder / "in.jsonl", rows)
            output = str(folder / f"out-{rows}.jsonl")
            peaks.append(run_and_measure(["-q", str(folder / "in.jsonl"), output], environment))
            print(f"{rows:>9,} rows: {peaks[-1]:.1f} MB")
        merged = run_and_measure(["merge", output, str(folder / "all.jsonl")], environment)
        print(f"{many:>9,} rows merged: {merged:.1f} MB")
    more = peaks[1] - peaks[0]
    print(f"{more:.1f} MB more; allowed are {MOST_MORE_MB:g}")
    sys.exit(more > MOST_MORE_MB)


def write_rows(path: Path, count: int) -> None:
    with path.open("w") as file:
        for number in range(count):
            file.write(json.dumps({"custom_id": f"r{number}", "prompt": f"{number} a prompt"}))
            file.write("\n")


def run_and_measure(words: list[str], environment: dict[str, str]) -> float:
    """Run `easyllm batch` to its end; returns the most memory that it took, in MB."""
    figure = Path(environment["HOME"], "peak")
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", BETWEEN, str(figure), COMMAND, "batch", *words],
        env=environment, check=True,
    )  # fmt: skip
    return int(figure.read_text()) / 1024 / 1024


if __name__ == "__main__":
    main()
