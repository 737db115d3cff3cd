"""Measures a cold answer of the embedded model: CPU, memory and time to the first token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

from benchmarks import installs
from benchmarks.measure import CannotRun

FIRST_TOKEN_AIM = 1.5  # seconds
# A short answer of fixed length, so that the time to the first token is visible in the total.
ARGUMENTS = ("stream", "-q", "-p", "local", "-t", "0", "--max-tokens", "16", "What is Python?")


def cold_answers(rounds: int) -> dict[str, Any]:
    """Install the extra and the model, measure, print; returns the figures.

    Raises:
        CannotRun: an installation or an answer failed.
    """
    venv = installs.venv_for_project("venv-local", installs.CHECKOUT, "[local]")
    program = venv.program("easyllm")
    # pip's settings are in the real home and the real variables.
    seen = {**os.environ, "XDG_DATA_HOME": installs.environment()["HOME"]}
    done = subprocess.run([program, "pull", "--yes"], env=seen, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise CannotRun("easyllm pull failed")
    runs = [one(program, seen) for _ in range(rounds + 1)][1:]  # the first run fills the disk cache
    found = {name: median(run[name] for run in runs) for name in runs[0]}
    first = found["first_token_s"]
    verdict = "ok" if first <= FIRST_TOKEN_AIM else "MISSED"
    print(f"\nchat -p local, cold, 16 tokens: CPU {found['cpu_s']:.2f} s, "
          f"{found['mib']:.0f} MiB, first token {first:.2f} s "
          f"(aim {FIRST_TOKEN_AIM:g} {verdict}), whole {found['wall_s']:.2f} s")  # fmt: skip
    return found


def one(program: str, environment: dict[str, str]) -> dict[str, float]:
    """One process: seconds of CPU, of wall time, and until the first byte; peak memory in MiB.

    Raises:
        CannotRun: it failed or printed nothing.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        [program, *ARGUMENTS], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    first_bytes = os.read(child.stdout.fileno(), 1 << 16)
    first = time.monotonic() - began
    child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode or not first_bytes:
        raise CannotRun(f"chat -p local: exit code {child.returncode}")
    kibibytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        "first_token_s": first,
        "wall_s": time.monotonic() - began,
        "mib": kibibytes / 1024,
    }
