"""The commands of the repl: their names, what follows them, their help lines and functions."""

from __future__ import annotations

import re
from collections.abc import Callable

from ...errors import UsageError, suggest_name
from ...frozen_dataclass import FrozenDataclass
from ...render.options import terminal_size
from ..help_text import two_columns
from . import input_commands, model_commands, output_commands, turn_commands
from .printing import print_text
from .session import Session

# A path such as /etc/hosts, or the beginning of a comment, is text.
COMMAND_LINE = re.compile(r"/(?P<name>[A-Za-z]+)(?:\s+(?P<argument>.*))?\s*", re.DOTALL)
NAME_WIDTH = 24


class ReplCommand(FrozenDataclass):
    """A command: what may follow its name, its help line, and its function."""

    words: str
    line: str
    run: Callable[[Session, str], None]


def show_help(session: Session, argument: str) -> None:
    """Print all commands."""
    rows = [(f"/{name} {each.words}".rstrip(), each.line) for name, each in COMMANDS.items()]
    rows += [("//TEXT", "Ask a text that begins with a slash")]
    rows += [('""" … """', "Several lines as one question; a paste is one anyway")]
    print_text(two_columns(rows, terminal_size(1)[0], NAME_WIDTH))


def leave(session: Session, argument: str) -> None:
    """End the repl."""
    session.exit_code = 0


COMMANDS = {
    "help": ReplCommand("", "Show this", show_help),
    "profile": ReplCommand(
        "[NAME[:MODEL]]", "Ask another profile, or list them", model_commands.profile
    ),
    "model": ReplCommand("[MODEL]", "Ask another model, or list them", model_commands.model),
    "system": ReplCommand(
        "[TEXT|-]", "Set, remove or show the system prompt", model_commands.system
    ),
    "file": ReplCommand("FILE…", "Add text files to the next question", input_commands.file),
    "image": ReplCommand("FILE…", "Add images to the next question", input_commands.image),
    "think": ReplCommand("[EFFORT]", "Ask for reasoning; off ends that", model_commands.think),
    "edit": ReplCommand("[last]", "Write a question in $VISUAL, or the last", input_commands.edit),
    "again": ReplCommand("[PROFILE]", "Ask the last question anew", turn_commands.again),
    "undo": ReplCommand("", "Drop what was added, or the last turn", turn_commands.undo),
    "fork": ReplCommand("", "Go on in a new conversation", turn_commands.fork),
    "save": ReplCommand("FILE", "Write the conversation as Markdown", output_commands.save),
    "code": ReplCommand("[N] [> FILE]", "Print or write a code block", output_commands.code),
    "usage": ReplCommand("", "Show tokens and cost so far", output_commands.usage),
    "quit": ReplCommand("", "Leave, as Ctrl-D does", leave),
}


def handle(session: Session, text: str) -> None:
    """Run the command that the text is, or ask the text.

    Raises:
        UsageError: there is no such command. EasyLLMError: as its function, or `Session.ask`.
    """
    match = COMMAND_LINE.fullmatch(text)
    if match is None:
        session.ask_text(text.removeprefix("/") if text.startswith("//") else text)
        return
    command = COMMANDS.get(match["name"])
    if command is None:
        names = [f"/{name}" for name in COMMANDS]
        raise UsageError(
            f"no command /{match['name'][:40]}",
            hint=f"{suggest_name('/' + match['name'], names)} // asks it as text",
        )
    argument = (match["argument"] or "").strip()
    if argument and not command.words:
        raise UsageError(f"/{match['name']} takes nothing", hint="// asks it as text")
    command.run(session, argument)
