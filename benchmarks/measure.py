"""Whole processes, run in turn: their CPU by wait4, their wall time, and paired ratios."""

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

SECONDS = 120.0  # no command takes longer than this


class CannotRun(Exception):
    """A command failed, or did not print what it should have."""


@dataclass(frozen=True)
class Command:
    """One command line; `prints` is what its output must hold, white space aside."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    prints: str
    terminal: bool = False


@dataclass(frozen=True)
class Run:
    """One process, in seconds."""

    cpu: float
    wall: float


@dataclass
class Figures:
    """All runs of one command, and those of its reference in the same rounds."""

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


def paired(commands: Sequence[Command], rounds: int) -> dict[str, Figures]:
    """Runs A B C A B C …, after one warm-up of each; the first command is the reference.

    Raises:
        CannotRun: a command failed.
    """
    for command in commands:
        run(command)
    figures = {command.name: Figures() for command in commands}
    for number in range(rounds):
        # Every other round backwards: a clock rate that drifts favours nobody.
        order = commands if number % 2 == 0 else commands[::-1]
        made = {command.name: run(command) for command in order}
        for command in commands:
            figures[command.name].runs.append(made[command.name])
            figures[command.name].reference.append(made[commands[0].name])
    return figures


def run(command: Command) -> Run:
    """One run, its output read to the end and checked.

    Raises:
        CannotRun: the exit code is not 0, or the output lacks what it should hold.
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
        guard = threading.Timer(SECONDS, child.kill)
        guard.start()
        printed = _read(ours)
        _, status, used = os.wait4(child.pid, 0)
        guard.cancel()
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        os.close(ours)
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
    text = printed.decode("utf-8", "replace")
    if child.returncode or _squeezed(command.prints) not in _squeezed(text):
        last = (said.strip() or text.strip() or "nothing").splitlines()[-1]
        raise CannotRun(f"{command.name}: exit code {child.returncode}, it said: {last[:300]}")
    return Run(used.ru_utime + used.ru_stime, wall)


def _read(descriptor: int) -> bytes:
    """All that a pipe or a terminal holds; a terminal's end is EIO."""
    held: list[bytes] = []
    while True:
        try:
            piece = os.read(descriptor, 1 << 16)
        except OSError as error:
            if error.errno == errno.EIO:
                break
            raise
        if not piece:
            break
        held.append(piece)
    return b"".join(held)


def _squeezed(text: str) -> str:
    return "".join(text.split())
