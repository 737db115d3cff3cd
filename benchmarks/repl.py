"""Measures `easyllm repl`: what its start costs, and the memory of 500 turns.

    python benchmarks/repl.py [-n RUNS] [--turns TURNS]

The exit code is 0 unless something cannot run, whatever the figures are. Run it by hand, on Linux.
"""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import commands, installs
from benchmarks.measure import CannotRun, Command, measure_paired
from benchmarks.server import MODEL, answer, running

RUNS, TURNS, WARM_TURNS = 15, 500, 100
START_BOUND = 1.05  # times the CPU of `chat -h` and of importing rich
GROWTH_BOUND = 10.0  # bytes for each byte of the questions and answers, after the warm turns
REFERENCE = """\
import rich.console
from easyllm_cli.cli import exit_process, run_command_line
exit_process(run_command_line(["chat", "-h"]))
"""
QUESTION = "A question of some length. " * 40
PROMPT = b"> "


def main() -> int:
    """Run the benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-n", type=int, default=RUNS, help=f"rounds (default {RUNS})")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"default {TURNS}")
    options = parser.parse_args()
    venv = installs.venv_for_project("venv", installs.CHECKOUT)
    try:
        with tempfile.TemporaryDirectory() as folder, running() as port:
            measure_start(venv, port, max(1, options.n))
            measure_memory(venv, port, Path(folder), max(WARM_TURNS + 1, options.turns))
    except CannotRun as error:
        print(f"repl.py: {error}", file=sys.stderr)
        return 1
    return 0


def measure_start(venv: installs.Venv, port: int, rounds: int) -> None:
    """A repl that leaves at once, against the imports of `chat -h` and rich."""
    repl = commands.easyllm(venv, port, f"repl -p openai -m {MODEL} /quit", "repl", terminal=True)
    argv = (venv.python, "-c", REFERENCE)
    reference = Command("chat -h and rich", argv, repl.environment, "PROMPT", terminal=True)
    figures = measure_paired([reference, repl], rounds)["repl"]
    verdict = "ok" if figures.ratio <= START_BOUND else "MISSED"
    print(f"start: {figures.ratio:.3f} x chat -h and rich (<= {START_BOUND} {verdict})")


def measure_memory(venv: installs.Venv, port: int, folder: Path, turns: int) -> None:
    """The resident memory after the warm turns, and after all."""
    command = commands.easyllm(venv, port, f"repl -p openai -m {MODEL}")
    seen = {**command.environment, "XDG_STATE_HOME": str(folder), "TERM": "dumb"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command.argv, env=seen, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as child:
        os.close(theirs)
        try:
            read_to_prompt(ours)
            warm = 0
            for turn in range(turns):
                os.write(ours, QUESTION.encode() + b"\r")
                read_to_prompt(ours)  # the echo of the line ends with it, too
                warm = resident_bytes(child.pid) if turn + 1 == WARM_TURNS else warm
            grown = resident_bytes(child.pid) - warm
        finally:
            child.kill()
            os.close(ours)
    texts = (turns - WARM_TURNS) * (len(QUESTION) + len(answer(MODEL)))
    verdict = "ok" if grown <= GROWTH_BOUND * texts else "MISSED"
    print(f"turns {WARM_TURNS} to {turns}: {grown / 2**20:.1f} MiB for {texts / 2**20:.2f} MiB of "
          f"text (<= {GROWTH_BOUND:g} x {verdict}); before: {warm / 2**20:.1f} MiB")  # fmt: skip


def read_to_prompt(terminal: int) -> None:
    """Read what the repl writes, until it waits at its prompt. Raises CannotRun if it ends."""
    written = b""
    while not written.endswith(PROMPT) and not written.endswith(PROMPT + b"\x1b[?2004h"):
        try:
            written += os.read(terminal, 1 << 16)
        except OSError as error:
            raise CannotRun(f"the repl ended: {written[-200:]!r}") from error


def resident_bytes(process: int) -> int:
    """The resident memory of a process, in bytes: proc_pid_statm(5)."""
    pages = Path(f"/proc/{process}/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
