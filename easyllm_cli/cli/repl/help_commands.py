"""Commands about the repl itself: /help and /quit."""

from __future__ import annotations

from ...render.options import terminal_size
from ..help_text import two_columns
from .commands import COMMANDS
from .printing import print_text
from .session import Session

NAME_WIDTH = 24  # of the column of commands


def help(session: Session, argument: str) -> None:
    """Print all commands."""
    rows = [(f"/{name} {each.words}".rstrip(), each.line) for name, each in COMMANDS.items()]
    rows += [("//TEXT", "Ask a text that begins with a slash")]
    rows += [('""" … """', "Several lines as one question; a paste is one anyway")]
    print_text(two_columns(rows, terminal_size(1)[0], NAME_WIDTH))


def quit(session: Session, argument: str) -> None:
    """End the repl."""
    session.exit_code = 0
