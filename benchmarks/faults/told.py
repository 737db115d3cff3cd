"""What else there is to tell of a run: words that help, a page on stderr, a prompt sent on."""

from __future__ import annotations

from benchmarks.faults.manners import Scene
from benchmarks.faults.runs import Ended
from benchmarks.faults.tools import KEY, PROMPT

Told = tuple[tuple[str, ...], bool]  # facts for the page, and whether they are bad
# What a terminal obeys: the clipboard, the window's title, a clear screen, and C1's one-byte CSI.
ESCAPES = {
    "clipboard": "\x1b]52;c;c3RvbGVu\x07",
    "title": "\x1b]0;owned\x07",
    "clear screen": "\x1b[2J",
    "C1": "\u009b31m",
}


def nothing(ended: Ended, scene: Scene) -> Told:
    return (), False


def how_long(ended: Ended, scene: Scene) -> Told:
    return ("says how long" if b"3600" in ended.err else "does not say how long",), False


def page(ended: Ended, scene: Scene) -> Told:
    shown = b"<html" in (ended.out + ended.err).lower()
    return (("prints the page",) if shown else ()), False


def warning(ended: Ended, scene: Scene) -> Told:
    return (() if ended.err.strip() else ("no word",)), False


def sent_on(ended: Ended, scene: Scene) -> Told:
    """What the host that nobody named has got."""
    got = scene.other.requests if scene.other else []
    if not got:
        return ("nothing sent on",), False
    prompt = any(PROMPT.encode() in one.body for one in got)
    key = any(KEY in value for one in got for value in one.headers.values())
    named = ["the prompt"] * prompt + ["the key"] * key or ["a GET"]
    return (f"{' and '.join(named)} sent on",), prompt or key


def obeyed(ended: Ended, scene: Scene) -> Told:
    """Which of the escapes reached the terminal as they were."""
    passed = [name for name, code in ESCAPES.items() if code.encode() in ended.out]
    return (f"passes {', '.join(passed)}" if passed else "passes none",), bool(passed)
