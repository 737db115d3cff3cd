"""Checks a tool's files: who can read them, and what happens to a damaged key file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.faults.invocation import Outcome, Scene
from benchmarks.faults.runs import ProcessResult, finish, start
from benchmarks.faults.tools import KEY, NAME, PROMPT

USUAL_UMASK = 0o022
NO_KEYS = "stores no keys"
ANSWER = b"Hello wor"
OTHERS = 0o044  # the group and all others


def stored(scene: Scene, name: str) -> ProcessResult:
    """Run the tool's command that stores a key; some read it from stdin."""
    words = (name if word == NAME else word for word in scene.tool.stores)
    child = start(
        scene.call.with_arguments(*words), stdin=subprocess.PIPE, umask=USUAL_UMASK
    )  # fmt: skip
    return finish(child, f"{KEY}\n".encode())


def none_to_store() -> Outcome:
    """The outcome for a tool without such a command."""
    return Outcome(ProcessResult(0, b"", b"", 0.0), (NO_KEYS,), judged=False)


def damaged_keys(scene: Scene) -> Outcome:
    """Store two keys, cut off the end of the file, store a third."""
    if not scene.tool.stores:
        return none_to_store()
    stored(scene, "first")
    stored(scene, "second")
    (path,) = scene.call.home.rglob("keys.json")
    damaged = path.read_bytes().rstrip()[:-5]
    path.write_bytes(damaged)
    ended = stored(scene, "third")
    kept = path.read_bytes() == damaged
    gone = b"first" not in path.read_bytes()
    fact = "file left as it was" if kept else "older keys deleted" if gone else "file changed"
    return Outcome(ended, (fact,), bad=not kept, judged=False)


def readable_by_others(scene: Scene) -> Outcome:
    """Store a key if the tool can, and ask for the fault's answer, with umask 022."""
    if scene.tool.stores:
        stored(scene, "first")
    child = start(scene.call, umask=USUAL_UMASK)
    ended = finish(child, asked=lambda: scene.server.requests)
    files = [path for path in scene.call.home.rglob("*") if path.is_file()]
    holding = [path for path in files if _is_private(path)]
    # A file in a folder that others may not enter is private, too.
    found = sorted(
        {f"{path.parent.name}/{path.name[:8]}" for path in holding if _open(path, scene.call.home)}
    )
    if not holding:
        return Outcome(ended, ("saves nothing",), judged=False)
    facts = (f"readable by others: {', '.join(found)}",) if found else ("private",)
    return Outcome(ended, facts, bad=bool(found), judged=False)


def _is_private(path: Path) -> bool:
    """Whether it contains the key or the question, or is a saved answer."""
    data = path.read_bytes()
    return KEY.encode() in data or PROMPT.encode() in data or data.startswith(ANSWER)


def _open(path: Path, home: Path) -> bool:
    folders = [one for one in path.parents if home in one.parents]
    return bool(path.stat().st_mode & OTHERS) and all(one.stat().st_mode & 0o011 for one in folders)
