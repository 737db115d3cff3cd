"""`easyllm help`: prints a help topic, a command's help, or the list of topics."""

from typing import Annotated

import typer

from ...errors import UsageError
from ..help_topics import (
    COMPLETION_COMMANDS,
    TOPICS,
    format_table,
    join_paragraphs,
)

TopicName = Annotated[
    str | None,
    typer.Argument(
        metavar="[TOPIC]", help=f"{', '.join(TOPICS)}, or a command.", show_default=False,
        autocompletion=lambda: list(TOPICS),
    ),
]  # fmt: skip


def help(topic: TopicName = None) -> int:
    """Explain exit codes, profiles, stdin, --json, or what to type for what you want.

    easyllm help wishes
    easyllm help chat
    """
    from ...errors import suggest_name
    from ...render.options import is_terminal
    from ...render.output import OutputStream
    from ..command_loader import load_command
    from ..front_page import COMMAND_HELP

    if topic in COMMAND_HELP and topic not in TOPICS:
        load_command(topic).main(["--help"], prog_name=f"easyllm {topic}", standalone_mode=False)
        return 0
    if topic is not None and topic not in TOPICS:
        raise UsageError(
            f'no help on "{topic}"', hint=suggest_name(topic, list(TOPICS | COMMAND_HELP))
        )
    text = TOPICS[topic].build_text() if topic else overview()
    OutputStream(1, terminal=is_terminal(1)).write(text + "\n")
    return 0


def overview() -> str:
    """The list of topics, and how to enable shell completion."""
    topics = format_table((f"easyllm help {name}", topic.summary) for name, topic in TOPICS.items())
    return join_paragraphs(
        topics,
        "easyllm COMMAND -h lists a command's main options, --help all of them.",
        f"  TAB completion, as a line of the shell's start-up file:\n"
        f"{format_table(COMPLETION_COMMANDS)}",
    )
