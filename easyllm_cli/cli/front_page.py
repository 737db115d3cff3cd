"""The commands in their groups, and the text of `easyllm` and `easyllm -h`, made without typer."""

from __future__ import annotations

import re
import sys

# Group: its commands, each with its line. A new command is one more line here.
COMMAND_GROUPS = {
    "Ask": {
        "chat": "Ask; into a pipe the answer is printed whole or not at all",
        "stream": "Print every token as it arrives, into a pipe too",
        "vision": "Ask about images",
        "cot": "Show the reasoning too (answer: stdout, reasoning: stderr)",
    },
    "Look": {
        "models": "List the models a profile's server offers",
    },
    "Set up": {
        "init": "Find servers and keys, write a first profiles file",
        "profiles": "List, show and edit profiles",
        "keys": "Store, list and remove API keys",
        "doctor": "Find out why a profile does not answer",
        "pull": "Download the small demo model",
        "help": "exit-codes, profiles, stdin, json",
    },
}
COMMAND_HELP = {
    name: line for commands in COMMAND_GROUPS.values() for name, line in commands.items()
}
HELP_OPTIONS = {"-h": "short_help", "--help": "full_help"}  # option: its parameter
HEAD = """\
easyllm: ask any language model; the answer is whole or the exit code says why

  easyllm "PROMPT"   (short for easyllm chat)        easyllm COMMAND -h
"""
EXAMPLE = '  git diff | easyllm chat -p ollama "Write a commit message"'
COLUMN = 10  # width of the column of groups, and of the column of commands
FULL_WIDTH = 80  # of the page; a narrower terminal gets shorter lines


def front_page(columns: int = FULL_WIDTH) -> str:
    """All commands on one screen of 24 x 80, without a final newline."""
    rows = [
        f"{'' if index else group:{COLUMN}}{name:{COLUMN}}{line}"
        for group, commands in COMMAND_GROUPS.items()
        for index, (name, line) in enumerate(commands.items())
    ]
    text = "\n".join([HEAD, *rows, "", EXAMPLE])
    return text if columns >= FULL_WIDTH else narrow_page(columns)


def narrow_page(columns: int) -> str:
    """The page for a terminal that is too narrow for it: the same words, wrapped."""
    from .help_text import wrap

    title, *usage = re.split(r"\n+ *| {8,}", HEAD.strip())
    blocks = [wrap(title, columns), "\n".join(wrap(line, columns, "  ", "    ") for line in usage)]
    for group, commands in COMMAND_GROUPS.items():
        lines = [wrap(f"{name:{COLUMN}}{line}", columns, "  ", " " * (COLUMN + 2))
                 for name, line in commands.items()]  # fmt: skip
        blocks.append("\n".join([f"{group}:", *lines]))
    return "\n\n".join([*blocks, EXAMPLE])


def print_front_page(asked: bool) -> int:
    """Print the page: on stdout if it was asked for, else on stderr with exit code 2."""
    descriptor, stream = (1, sys.stdout) if asked else (2, sys.stderr)
    if stream.isatty():
        from ..render.options import terminal_size
        from .help_text import bold_headings

        text = bold_headings(front_page(terminal_size(descriptor)[0]), descriptor)
    else:
        text = front_page()
    print(text, file=stream)
    return 0 if asked else 2
