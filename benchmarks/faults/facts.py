"""Further facts about a run: what its error says, whether a prompt was forwarded, and so on."""

from __future__ import annotations

from benchmarks.faults.invocation import Scene, complaint
from benchmarks.faults.runs import ProcessResult
from benchmarks.faults.tools import KEY, PROMPT

Facts = tuple[tuple[str, ...], bool]  # (facts for the page, whether they are bad)
# Sequences that a terminal obeys: clipboard, window title, clear screen, C1's one-byte CSI.
ESCAPES = {
    "clipboard": "\x1b]52;c;c3RvbGVu\x07",
    "title": "\x1b]0;owned\x07",
    "clear screen": "\x1b[2J",
    "C1": "\u009b31m",
}


def nothing(ended: ProcessResult, scene: Scene) -> Facts:
    return (), False


def how_long(ended: ProcessResult, scene: Scene) -> Facts:
    return ("says how long" if b"3600" in ended.err else "does not say how long",), False


def error_lines(ended: ProcessResult, scene: Scene) -> Facts:
    return complaint(ended), False


def page(ended: ProcessResult, scene: Scene) -> Facts:
    shown = b"<html" in (ended.out + ended.err).lower()
    return (("prints the page",) if shown else ()), False


def warning(ended: ProcessResult, scene: Scene) -> Facts:
    return (() if ended.err.strip() else ("no word",)), False


def sent_on(ended: ProcessResult, scene: Scene) -> Facts:
    """What the host of the redirect received."""
    got = scene.other.requests if scene.other else []
    if not got:
        return ("nothing forwarded",), False
    prompt = any(PROMPT.encode() in one.body for one in got)
    key = any(KEY in value for one in got for value in one.headers.values())
    named = ["the prompt"] * prompt + ["the key"] * key or ["a GET"]
    return (f"{' and '.join(named)} forwarded",), prompt or key


def obeyed(ended: ProcessResult, scene: Scene) -> Facts:
    """Which escape sequences reached the terminal unchanged."""
    passed = [name for name, code in ESCAPES.items() if code.encode() in ended.out]
    return (f"passes {', '.join(passed)}" if passed else "passes none",), bool(passed)
