"""Runs whole processes in turn and measures CPU (wait4), wall time and paired ratios."""

from __future__ import annotations

import errno
import os
import pty
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

if sys.platform != "win32":
    import fcntl
    import termios

TIMEOUT_SECONDS = 120.0  # a command that runs longer is killed


class CannotRun(Exception):
    """A command failed, or did not print the expected output."""


@dataclass(frozen=True)
class Command:
    """One command line. `prints`: text that its output must contain, ignoring white space."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    prints: str
    terminal: bool = False


@dataclass(frozen=True)
class Run:
    """The times of one process, in seconds."""

    cpu: float
    wall: float


@dataclass
class Figures:
    """All runs of one command, and the reference's runs in the same rounds."""

    runs: list[Run] = field(default_factory=list)
    reference: list[Run] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        return median(run.cpu for run in self.runs) * 1000

    @property
    def min_ms(self) -> float:
        return min(run.cpu for run in self.runs) * 1000

    @property
    def wall_ms(self) -> float:
        return median(run.wall for run in self.runs) * 1000

    @property
    def ratio(self) -> float:
        """The median of the paired ratios of CPU."""
        pairs = zip(self.runs, self.reference, strict=True)
        return median(one.cpu / other.cpu for one, other in pairs)

    @property
    def wall_ratio(self) -> float:
        pairs = zip(self.runs, self.reference, strict=True)
        return median(one.wall / other.wall for one, other in pairs)


def measure_paired(commands: Sequence[Command], rounds: int) -> dict[str, Figures]:
    """Run A B C C B A …, after one warm-up of each; the first command is the reference.

    Raises:
        CannotRun: a command failed.
    """
    for command in commands:
        run(command)
    figures = {command.name: Figures() for command in commands}
    for number in range(rounds):
        # Every other round runs backwards, so that a drifting clock rate favours no command.
        order = commands if number % 2 == 0 else commands[::-1]
        round_runs = {command.name: run(command) for command in order}
        for command in commands:
            figures[command.name].runs.append(round_runs[command.name])
            figures[command.name].reference.append(round_runs[commands[0].name])
    return figures


def run(command: Command) -> Run:
    """Run a command once, read its output to the end and check it.

    Raises:
        CannotRun: the exit code is not 0, or the expected output is missing.
    """
    with tempfile.TemporaryFile() as errors:
        ours, theirs = pty.openpty() if command.terminal else os.pipe()
        if command.terminal:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        began = time.monotonic()
        child = subprocess.Popen(
            command.argv, env=command.environment, stdout=theirs, start_new_session=True,
            stdin=theirs if command.terminal else subprocess.DEVNULL,
            stderr=theirs if command.terminal else errors,
        )  # fmt: skip
        os.close(theirs)
        guard = threading.Timer(TIMEOUT_SECONDS, child.kill)
        guard.start()
        printed = _read(ours)
        _, status, used = os.wait4(child.pid, 0)
        guard.cancel()
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        os.close(ours)
        errors.seek(0)
        error_text = errors.read().decode("utf-8", "replace")
    text = printed.decode("utf-8", "replace")
    if child.returncode or _squeezed(command.prints) not in _squeezed(text):
        last = (error_text.strip() or text.strip() or "nothing").splitlines()[-1]
        raise CannotRun(
            f"{command.name}: exit code {child.returncode}, its last line: {last[:300]}"
        )
    return Run(used.ru_utime + used.ru_stime, wall)


def _read(descriptor: int) -> bytes:
    """Read a pipe or a terminal to its end; a terminal signals it with EIO."""
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(descriptor, 1 << 16)
        except OSError as error:
            if error.errno == errno.EIO:
                break
            raise
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks)


def _squeezed(text: str) -> str:
    return "".join(text.split())
