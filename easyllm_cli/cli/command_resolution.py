"""Resolves which command a command line means when its first word names none: usually `chat`.

`easyllm "What is Python?"` and `easyllm -p ollama hi` are `chat`; a word of another tool gets a
hint.
"""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from .command_loader import ClickError, load_command, rewrite_args
from .front_page import COMMAND_HELP, HELP_OPTIONS

CHAT = "chat"
MISTYPED_RATIO = 0.7  # of difflib: below it, a word is no mistyped command
MAX_SHOWN_CHARS = 30  # of a word that a hint repeats
ASK = 'easyllm chat "PROMPT" asks a model'
PAST_ANSWERS = "easyllm history lists, searches and shows past answers"
# A first word that is a command of another tool: what to type here.
OTHER_TOOLS_WORDS = {
    "run": ASK,
    "prompt": ASK,
    "bench": 'easyllm compare -r 5 -p ONE -p OTHER "PROMPT" measures speed and cost',
    "cost": "easyllm usage sums up calls, tokens and cost",
    "stats": "easyllm usage --speed measures answers",
    "version": "easyllm --version prints it",
    "log": PAST_ANSWERS,
    "logs": PAST_ANSWERS,
    "config": "easyllm profiles lists, shows and edits the settings",
}


def name_command(arguments: list[str]) -> list[str]:
    """The command line with its command first: `chat` where none is named.

    Raises:
        UsageError: the first word is no command, or a command stands behind options.
    """
    first = arguments[0] if arguments else ""
    if not arguments or first in COMMAND_HELP:
        return arguments
    if first in (*HELP_OPTIONS, "--version"):
        return [first]
    if first.startswith("-"):
        refuse_command_behind_options(arguments)
    elif first.split() == [first]:  # a prompt has white space
        raise UsageError(f'no command "{first}"', hint=command_hint(first))
    return [CHAT, *arguments]


def refuse_command_behind_options(arguments: list[str]) -> None:
    """Refuse `easyllm -p ollama models`.

    Raises:
        UsageError: the first word behind the options is a command's name.
    """
    words = words_behind_options(arguments)
    options = arguments[: len(arguments) - len(words)]
    if not words or words[0] not in COMMAND_HELP or "--" in options:
        return
    name = words[0]
    right = [name, *options, *words[1:]] if takes_options(words, options) else None
    raise UsageError(
        f'the command "{name}" stands behind options',
        hint="easyllm " + " ".join(map(shorten, right or [CHAT, *arguments]))
        + (f', if "{name}" is the prompt' if right is None else ""),
    )  # fmt: skip


def words_behind_options(arguments: list[str]) -> list[str]:
    """The words from the first one that is neither an option of `chat` nor an option's value."""
    parser = option_parser(load_command(CHAT))
    parser.allow_interspersed_args = False
    try:
        return list(parser.parse_args(rewrite_args(arguments))[0]["prompt"])
    except ClickError:
        return []  # `chat` will report it


def takes_options(words: list[str], options: list[str]) -> bool:
    """Whether the command takes these options of `chat`; of a group, its default command."""
    command = load_command(words[0])
    if getattr(command, "default_command", ""):
        command = command.loader(command.default_command)
    try:
        option_parser(command).parse_args(rewrite_args(options))
    except ClickError:
        return False
    return True


def option_parser(command: Any) -> Any:
    """The parser of a command's options; it runs nothing."""
    return command.make_parser(command.context_class(command))


def shorten(word: str) -> str:
    """A word as a shell takes it, the middle of a long one left out."""
    from shlex import quote

    text = " ".join(word.split()) if word.split() else word
    if len(text) > MAX_SHOWN_CHARS:
        text = f"{text[: MAX_SHOWN_CHARS - 1]}…"
    return quote(text)


def command_hint(word: str) -> str:
    """What to type instead of a word that is no command."""
    from difflib import get_close_matches

    from ..vendors import VENDORS

    if word in OTHER_TOOLS_WORDS:
        return OTHER_TOOLS_WORDS[word]
    if word in VENDORS:
        return f'easyllm chat -p {word} "PROMPT" asks {word}'
    if close := get_close_matches(word, list(COMMAND_HELP), cutoff=MISTYPED_RATIO):
        names = " or ".join(f'"{name}"' for name in close)
        return f"did you mean {names}? easyllm -h lists the commands"
    return f"easyllm chat {shorten(word)} asks a model; easyllm -h lists the commands"
