"""The commands in their groups, and the text of `easyllm` and `easyllm -h`, made without typer."""

from __future__ import annotations

import re
import sys

TYPE_CHECKING = False  # type checkers take it as True; importing typing costs 5 ms

if TYPE_CHECKING:
    from typing import Any

    JsonKeys = dict[str, Any]  # keys of a --json object, with empty values


class Command:
    """A command: its group and line on the front page, and its empty --json objects.

    `empty_result`: the keys that its --json object has of its own, without values; None for a
    command that prints an answer or no object. `subcommand_results`: the same by subcommand.
    """

    def __init__(
        self,
        group: str,
        line: str,
        empty_result: JsonKeys | None = None,
        subcommand_results: dict[str, JsonKeys] | None = None,
    ) -> None:
        self.group = group
        self.line = line
        self.empty_result = empty_result
        self.subcommand_results = subcommand_results or {}


# In the order of the front page, group by group. A new command is one more row here.
COMMANDS = {
    "chat": Command("Ask", "Ask; into a pipe the answer is printed whole or not at all"),
    "stream": Command("Ask", "Print every token as it arrives, into a pipe too"),
    "vision": Command("Ask", "Ask about images"),
    "cot": Command("Ask", "Show the reasoning too (answer: stdout, reasoning: stderr)"),
    "compare": Command(
        "Ask", "Ask several models: answers, speed and cost side by side", {"results": []}
    ),
    "batch": Command(
        "Ask",
        "Ask for each row of a file; goes on after a crash",
        {
            "rows": None,
            "done": 0,
            "failed": 0,
            "skipped": 0,
            "usage": None,
            "cost_usd": None,
            "seconds": 0.0,
            "errors": {},
            "resume": None,
        },
        {
            "status": {
                "rows": None,
                "done": 0,
                "failed": 0,
                "retryable": 0,
                "running": None,
                "input": None,
            },
            "merge": {"rows": 0, "done": 0, "failed": 0, "missing": []},
            "cancel": {"process": None},
        },
    ),
    "repl": Command("Ask", "Ask question after question in one conversation"),
    "models": Command("Look", "List the models a profile's server offers", {"models": []}),
    "history": Command(
        "Look",
        "List, search, show and delete past answers",
        {"calls": []},
        {"path": {"path": None, "exists": False}},
    ),
    "usage": Command("Look", "Sum up calls, tokens, cost and speed", {"rows": [], "budgets": []}),
    "cache": Command(
        "Look",
        "Show where --cache keeps answers, and clear them",
        None,
        {"path": {"path": None, "exists": False}},
    ),
    "init": Command("Set up", "Find servers and keys, write a first profiles file"),
    "profiles": Command(
        "Set up",
        "List, show and edit profiles",
        {"profiles": []},
        {"show": {"profile": None, "values": []}, "path": {"path": None, "exists": False}},
    ),
    "keys": Command("Set up", "Store, list and remove API keys", {"keys": []}),
    "doctor": Command(
        "Set up", "Find out why a profile does not answer", {"profile": None, "checks": []}
    ),
    "pull": Command("Set up", "Download the small demo model"),
    "help": Command("Set up", "wishes (I want to ...), exit-codes, profiles, stdin, json"),
}
COMMAND_HELP = {name: command.line for name, command in COMMANDS.items()}
COMMAND_GROUPS = {  # group: its commands, each with its line
    group: {name: each.line for name, each in COMMANDS.items() if each.group == group}
    for group in dict.fromkeys(command.group for command in COMMANDS.values())
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
