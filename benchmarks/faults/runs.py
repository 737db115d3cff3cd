"""Runs one process of a tool, with a time limit, and measures its memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.faults.tools import Call

LONGEST = 12.0  # seconds after its request; a process that still runs then is killed
SLOWEST_START = 60.0  # seconds to wait for its request
POLL_SECONDS = 0.005
ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
Child = subprocess.Popen[bytes]


@dataclass(frozen=True)
class ProcessResult:
    """How a process ended. `code`: None = it hung; a signal N is 128 + N, as in a shell."""

    code: int | None
    out: bytes
    err: bytes
    mebibytes: float

    @property
    def exception_name(self) -> str:
        """The name of the exception that ended a script; "" = none did."""
        # At shutdown Python may report generators, after the exception itself.
        text = self.err.decode("utf-8", "replace").partition("Exception ignored in")[0]
        last = text.rpartition("Traceback (most recent call last):\n")
        named = re.search(r"^([A-Za-z_][\w.]*)(?::|$)", last[2], re.MULTILINE) if last[1] else None
        return named[1].rpartition(".")[2] if named else ""


class Memory:
    """Peak resident memory of a process, in MiB; 0 where the system has no /proc.

    wait4's ru_maxrss is of no use: on Linux a child's begins with its parent's size.
    """

    def __init__(self, pid: int) -> None:
        self.peak = 0.0
        self._path = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                found = re.search(r"VmHWM:\s+(\d+) kB", self._path.read_text())
            except OSError:
                return
            if found:
                self.peak = int(found[1]) / 1024
            self._over.wait(POLL_SECONDS)

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self.peak


def start(call: Call, **streams: Any) -> Child:
    """Start the tool as the leader of a session, so that all its processes can be killed."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # In a benchmark in the background, children would inherit that SIGINT is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        call.argv, env=call.environment, cwd=call.home, start_new_session=True,
        **{**usual, **streams},
    )  # fmt: skip


def finish(
    child: Child,
    data: bytes | None = None,
    during: Callable[[], object] | None = None,
    asked: Callable[[], object] = lambda: True,
) -> ProcessResult:
    """Read all output and wait for the end. `during` runs in a thread meanwhile.

    `asked`: whether the server has the request. The time limit begins then, because on a loaded
    machine a tool's imports may take long.
    """
    memory = Memory(child.pid)
    beside = threading.Thread(target=during, daemon=True) if during else None
    if beside:
        beside.start()
    hung, started = False, time.monotonic()
    while child.poll() is None and not asked() and time.monotonic() - started < SLOWEST_START:
        time.sleep(POLL_SECONDS)
    try:
        out, err = child.communicate(data, LONGEST)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    if beside:
        beside.join(LONGEST)
    code = child.returncode
    shown = None if hung else code if code >= 0 else 128 - code
    return ProcessResult(shown, out or b"", err or b"", memory.stop())


def first_line(pipe: IO[bytes]) -> bytes:
    """The line that `head -1` reads; unbuffered, so that the rest stays in the pipe."""
    seen = b""
    while not seen.endswith(b"\n") and (byte := os.read(pipe.fileno(), 1)):
        seen += byte
    return seen


def squeezed(data: bytes | str) -> bytes:
    """Text without styles and white space, which Markdown renderers add."""
    raw = data.encode() if isinstance(data, str) else data
    return b"".join(ANSI.sub(b"", raw).split())


def is_kept(home: Path, text: bytes) -> bool:
    """Whether a file of the tool begins with the text; one that only quotes it does not count."""
    return bool(text) and any(begins(path, text) for path in home.rglob("*") if path.is_file())


def begins(path: Path, text: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(text)) == text
