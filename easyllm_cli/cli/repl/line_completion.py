"""What TAB offers in a line of the repl: commands, profiles, models, efforts and paths."""

from __future__ import annotations

import glob
import os
import shlex

from ..completion import model_names, profile_names
from ..option_types import EFFORT_CHOICES
from .commands import COMMANDS
from .session import Session

TAKE_PATHS = ("/file", "/image", "/save", "/code")


def complete_line(session: Session, line: str, word: str) -> list[str]:
    """The words that could stand at the end of the line, where `word` has been typed of them."""
    first, blank, _ = line.partition(" ")
    if not line.startswith("/"):
        return []
    if not blank:
        found = [f"/{name} " for name in COMMANDS]
    elif first in TAKE_PATHS:
        return _paths(word)
    else:
        found = _arguments(session, first, word)
    return [each for each in found if each.startswith(word)]


def _arguments(session: Session, command: str, word: str) -> list[str]:
    options = session.request.model
    if command in ("/profile", "/again"):
        found = profile_names(options.profiles, word)
    elif command == "/model":
        found = model_names(options.profiles, options.profile or session.profile.name)
    else:
        found = list(EFFORT_CHOICES) if command == "/think" else []
    return [each for each in found if each.isprintable()]


def _paths(word: str) -> list[str]:
    """Files and folders that begin with the word; quoted where the name needs it."""
    start = os.path.expanduser(word)
    paths = sorted(glob.glob(glob.escape(start) + "*"))
    found = [path + os.sep * os.path.isdir(path) for path in paths if path.isprintable()]
    return [word + path[len(start) :] if path == shlex.quote(path) else shlex.quote(path)
            for path in found]  # fmt: skip
