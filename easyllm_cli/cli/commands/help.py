"""`easyllm help`: prints a help topic, a command's help, or the list of topics."""

from typing import Annotated

import typer

from ...errors import UsageError
from ..help_topics import TOPICS, format_table, join_paragraphs

COMPLETION_COMMANDS = (
    ("bash", 'eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"'),
    ("zsh", 'eval "$(_EASYLLM_COMPLETE=source_zsh easyllm)"'),
    ("fish", "_EASYLLM_COMPLETE=source_fish easyllm | source"),
)
TopicName = Annotated[
    str | None,
    typer.Argument(
        metavar="[" + "|".join(TOPICS) + "]", help="A topic, or a command.", show_default=False,
        autocompletion=lambda: list(TOPICS),
    ),
]  # fmt: skip


def help(topic: TopicName = None) -> int:
    """Explain exit codes, profiles and keys, what is read from stdin, or what --json prints.

    easyllm help exit-codes
    """
    from ...errors import suggest_name
    from ...render.options import is_terminal
    from ...render.output import OutputStream
    from ..app import COMMAND_HELP, load_command

    if topic in COMMAND_HELP and topic not in TOPICS:
        load_command(topic).main(["-h"], prog_name=f"easyllm {topic}", standalone_mode=False)
        return 0
    if topic is not None and topic not in TOPICS:
        raise UsageError(
            f'no help on "{topic}"', hint=suggest_name(topic, [*TOPICS, *COMMAND_HELP])
        )
    text = TOPICS[topic].build_text() if topic else overview()
    OutputStream(1, terminal=is_terminal(1)).write(text + "\n")
    return 0


def overview() -> str:
    """The list of topics, and how to enable shell completion."""
    topics = format_table((f"easyllm help {name}", topic.summary) for name, topic in TOPICS.items())
    return join_paragraphs(
        topics,
        "easyllm -h lists the commands, easyllm COMMAND -h a command's options.",
        "A line in the shell's start-up file enables completion of commands, profiles and models:",
        format_table(COMPLETION_COMMANDS),
    )
