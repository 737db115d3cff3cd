"""The commands of the repl: their names, what follows them, their help lines and files."""

from __future__ import annotations

import re
from importlib import import_module

from ...errors import UsageError, suggest_name
from ...frozen_dataclass import FrozenDataclass
from .session import Session

# A path such as /etc/hosts, or the beginning of a comment, is text.
COMMAND_LINE = re.compile(r"/(?P<name>[A-Za-z]+)(?:\s+(?P<argument>.*))?\s*", re.DOTALL)
# What looks like a command, or like a text for which a slash was added.
SLASHES_AND_LETTER = re.compile(r"/+[A-Za-z]")


class ReplCommand(FrozenDataclass):
    """A command: what may follow its name, its help line, and its file here.

    The file has a function of the command's name, and is imported when the command runs.
    """

    words: str
    line: str
    file: str


COMMANDS = {
    "help": ReplCommand("", "Show this", "help_commands"),
    "profile": ReplCommand("[NAME[:MODEL]]", "Ask another profile, or list them", "model_commands"),
    "model": ReplCommand("[MODEL]", "Ask another model, or list them", "model_commands"),
    "system": ReplCommand("[TEXT|-]", "Set, remove or show the system prompt", "model_commands"),
    "file": ReplCommand("FILE…", "Add text files to the next question", "input_commands"),
    "image": ReplCommand("FILE…", "Add images to the next question", "input_commands"),
    "think": ReplCommand("[EFFORT]", "Ask for reasoning; off ends that", "model_commands"),
    "edit": ReplCommand("[last]", "Write a question in $VISUAL, or the last", "input_commands"),
    "again": ReplCommand("[PROFILE]", "Ask the last question anew", "turn_commands"),
    "undo": ReplCommand("", "Drop what was added, or the last turn", "turn_commands"),
    "fork": ReplCommand("", "Go on in a new conversation", "turn_commands"),
    "save": ReplCommand("FILE", "Write the conversation as Markdown", "output_commands"),
    "code": ReplCommand("[N] [> FILE]", "Print or write a code block", "output_commands"),
    "usage": ReplCommand("", "Show tokens and cost so far", "output_commands"),
    "quit": ReplCommand("", "Leave, as Ctrl-D does", "help_commands"),
}


def handle(session: Session, text: str) -> None:
    """Run the command that the text is, or ask the text.

    Raises:
        UsageError: there is no such command. EasyLLMError: as its function, or `Session.ask`.
    """
    match = COMMAND_LINE.fullmatch(text)
    if match is None:
        session.ask_text(unescape_command(text))
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
    module = import_module(f".{command.file}", __package__)
    getattr(module, match["name"])(session, argument)


def escape_command(text: str) -> str:
    """The line that asks this text, also where it looks like a command: `//help`."""
    return f"/{text}" if SLASHES_AND_LETTER.match(text) else text


def unescape_command(line: str) -> str:
    """The text that a line asks: `//help` asks `/help`, but a comment (`// text`) is unchanged."""
    is_escaped = line.startswith("//") and SLASHES_AND_LETTER.match(line)
    return line[1:] if is_escaped else line
