"""Kills a batch with SIGKILL, again and again, and counts its rows and its requests.

    python -m benchmarks.batch_kills [--rows N] [--kills N] TOOL…

A server on this machine answers after 100 ms, 64 requests at a time. After each so many requests
the tool is killed and started again, with the same words. `script` and `curator` are killed once.
Run it by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from benchmarks import installs
from benchmarks.batch_server import running

PEERS_FILE = Path(__file__).resolve().parent / "batch_peers.py"
ANSWER_MILLISECONDS, AT_ONCE = 100, 64
PACKAGES = {"script": ["aiohttp"], "curator": ["bespokelabs-curator"]}
PROFILE = """
[profiles.t]
provider = "openai"
endpoint = "{url}"
model = "bench"
api_key = "sk-bench-0123456789"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=5000, metavar="N")
    parser.add_argument("--kills", type=int, default=50, metavar="N")
    parser.add_argument("tools", choices=("easyllm", *PACKAGES), nargs="+", metavar="TOOL")
    asked = parser.parse_args()
    for tool in asked.tools:
        print(measure(tool, asked.rows, asked.kills if tool == "easyllm" else 1), flush=True)


def measure(tool: str, row_count: int, kills: int) -> str:
    """Kill the tool so often over one run of all rows; returns what came of it."""
    with tempfile.TemporaryDirectory() as name, running(ANSWER_MILLISECONDS) as url:
        folder, began = Path(name), time.monotonic()
        rows = [{"index": number, "prompt": f"a prompt {number}"} for number in range(row_count)]
        lines = [json.dumps(row) + "\n" for row in rows]
        (folder / "in.jsonl").write_text("".join(lines))
        words, environment = command(tool, folder, url)
        killed, kept = 0, 0  # `kept`: lines of the output at the last kill
        for number in range(1, kills + 1):
            child = start(words, environment)
            if wait_for_requests(child, url, number * row_count // (kills + 1)):
                os.killpg(child.pid, signal.SIGKILL)
                killed += 1
            child.wait()
            kept = count_lines(folder / "out.jsonl")
        last = start(words, environment)
        code = last.wait()
        return describe(folder, row_count, asked_count(url)) + (
            f", {killed} kills, {kept} lines at the last one, exit code {code}, "
            f"{time.monotonic() - began:.0f} s: {tool}"
        )


def command(tool: str, folder: Path, url: str) -> tuple[list[str], dict[str, str]]:
    """The words that start the tool, and its environment."""
    profiles = folder / "profiles.toml"
    profiles.write_text(PROFILE.format(url=url))
    profiles.chmod(0o600)  # it holds a key
    environment = installs.environment(EASYLLM_PROFILES=str(profiles), EASYLLM_HISTORY="off")
    files = [str(folder / "in.jsonl"), str(folder / "out.jsonl")]
    if tool == "easyllm":
        program = str(Path(sys.executable).with_name("easyllm"))
        return [program, "batch", "run", "-q", "-p", "t", *files], environment
    made = installs.venv(f"batch-{tool}")
    made.pip("install", *PACKAGES[tool])
    return [made.python, str(PEERS_FILE), tool, *files, url, str(AT_ONCE)], environment


def start(words: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def wait_for_requests(child: subprocess.Popen[bytes], url: str, count: int) -> bool:
    """Wait until the server has got so many requests; False = the child ended before."""
    while child.poll() is None:
        if asked_count(url) >= count:
            return True
        time.sleep(0.01)
    return False


def asked_count(url: str) -> int:
    with urllib.request.urlopen(url) as response:
        return int(response.read())


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def describe(folder: Path, row_count: int, requests: int) -> str:
    """How often each row is in the output, and the requests above one a row."""
    output = folder / "out.jsonl"
    lines = output.read_text().splitlines() if output.exists() else []
    answers = [json.loads(line) for line in lines]
    seen = Counter(answer["index"] for answer in answers)
    wrong = sum(not str(answer["text"]).startswith(f"ok {answer['index']} ") for answer in answers)
    return (
        f"{row_count} rows: {len(seen)} there, {len(answers) - len(seen)} lines twice, "
        f"{wrong} wrong, {requests - row_count} extra requests"
    )


if __name__ == "__main__":
    main()
