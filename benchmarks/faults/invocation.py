"""Ways to run a tool against a fault: into a pipe, on a terminal, onto a full disk, interrupted."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.faults.runs import SLOWEST_START, Child, ProcessResult, finish, first_line, start
from benchmarks.faults.tools import Call, Tool
from tests.support.pseudoterminal import Pty
from tests.support.standins.server import StandIn

PROMPTLY = 1.0  # seconds within which the connection should be closed


@dataclass(frozen=True)
class Scene:
    """A tool's call, the server that it asks, and the other host if a redirect leads there."""

    tool: Tool
    call: Call
    server: StandIn
    other: StandIn | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended, further facts, and whether these are bad.

    `judged`: exit code 0 is right only with a complete answer on stdout; otherwise it may be right.
    """

    ended: ProcessResult
    facts: tuple[str, ...] = ()
    bad: bool = False
    judged: bool = True


Invocation = Callable[[Scene], Outcome]


def piped(scene: Scene) -> Outcome:
    """Run it as a script does: stdin is empty, stdout and stderr are pipes."""
    return Outcome(_finish(scene, start(scene.call)))


def flooded(scene: Scene) -> Outcome:
    """The same, for so much output that only its length is reported."""
    ended = _finish(scene, start(scene.call))
    printed = f"{len(ended.out) / (1 << 20):.0f} MiB printed"
    return Outcome(ProcessResult(ended.code, b"", ended.err, ended.mebibytes), (printed,))


def without_stdin(scene: Scene) -> Outcome:
    """`tool <&-`: cron jobs and daemons have no stdin."""
    call = scene.call
    closing = ("sh", "-c", 'exec "$@" <&-', "sh", *call.argv)
    return Outcome(_finish(scene, start(Call(closing, call.environment, call.home))))


def onto_a_full_disk(scene: Scene) -> Outcome:
    """`tool > /dev/full`."""
    with open("/dev/full", "wb") as full:
        ended = _finish(scene, start(scene.call, stdout=full))
    return Outcome(ended, complaint(ended))


def into_head(scene: Scene) -> Outcome:
    """`tool | head -1`: the reader leaves after one line, while the answer continues."""
    child = start(scene.call)
    pipe, child.stdout = child.stdout, None
    assert pipe is not None

    def leave() -> None:
        first_line(pipe)
        pipe.close()

    ended = _finish(scene, child, leave)
    stopped = _closed(scene) is not None
    facts = (*complaint(ended), "connection closed" if stopped else "answer read to its end")
    return Outcome(ended, facts, bad=bool(ended.err.strip()), judged=False)


def interrupted(scene: Scene) -> Outcome:
    """Ctrl-C half a second after the first tokens were sent, while the server is still sending."""
    child = start(scene.call)
    pressed: list[float] = []

    def press() -> None:
        until = time.monotonic() + SLOWEST_START
        while not scene.server.requests and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.5)
        if child.poll() is None:
            pressed.append(time.monotonic())
            child.send_signal(signal.SIGINT)

    ended = _finish(scene, child, press)
    closed = _closed(scene)
    prompt = bool(pressed) and closed is not None and closed - pressed[0] <= PROMPTLY
    facts = (
        *complaint(ended),
        "connection closed within 1 s" if prompt else "connection not closed",
    )
    return Outcome(ended, facts, bad=not prompt)


def _closed(scene: Scene) -> float | None:
    """When the server saw the client leave before the end of the answer; None: it did not."""
    until = time.monotonic() + 0.2  # it checks every 10 ms
    while time.monotonic() < until:
        for request in scene.server.requests:
            if request.closed_at is not None:
                return request.closed_at
        time.sleep(0.02)
    return None


def on_a_terminal(scene: Scene) -> Outcome:
    """stdin, stdout and stderr are one terminal; `out` holds all bytes written to it."""
    with Pty(100, 40) as pty:
        ends = {"stdin": pty.descriptor, "stdout": pty.descriptor, "stderr": pty.descriptor}
        ended = _finish(scene, start(scene.call, **ends))
        written = pty.whole()
    return Outcome(ProcessResult(ended.code, written, b"", ended.mebibytes), judged=False)


def _finish(scene: Scene, child: Child, during: Callable[[], None] | None = None) -> ProcessResult:
    return finish(child, during=during, asked=lambda: scene.server.requests)


def complaint(ended: ProcessResult) -> tuple[str, ...]:
    """How much it printed on stderr: one line, several, or a traceback."""
    if not ended.err.strip():
        return ("nothing on stderr",)
    lines = len(ended.err.strip().splitlines())
    if b"Traceback" in ended.err:
        return (f"traceback of {lines} lines",)
    return ("1 line",) if lines == 1 else (f"{lines} lines",)


def asked_again(scene: Scene) -> Outcome:
    """Run the same call twice: the second must not get the rest of the first answer."""
    _finish(scene, start(scene.call))
    before = len(scene.server.requests)
    again = finish(start(scene.call), asked=lambda: len(scene.server.requests) > before)
    return Outcome(again)
