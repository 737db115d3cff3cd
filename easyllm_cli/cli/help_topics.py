"""The topics of `easyllm help`: plain text of at most 80 columns, with lists made from the code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ..errors import EXIT_CODES, EasyLLMError

WIDTH = 80
PROFILE_EXAMPLE = """\
    default_profile = "local-llama"

    [profiles.local-llama]
    provider = "ollama"
    model = "llama3.2"

    [profiles.r1]
    extends = "openrouter"
    model = "deepseek/deepseek-r1"
    reasoning = "high"
    fallback = ["local-llama"]"""
STDIN_EXAMPLE = """\
    git diff | easyllm chat "Write a commit message"
    easyllm chat "Summarise {stdin} in one line" < notes.txt
    cat list | while read -r line; do easyllm chat -n "Translate: $line"; done"""
JSON_EXAMPLE = """\
    easyllm chat --json "What is Python?" | jq -r .text
    easyllm stream --jsonl "Tell a story" > events.jsonl"""


@dataclass(frozen=True)
class HelpTopic:
    """One topic: its line in the overview, and what makes its text."""

    summary: str
    build_text: Callable[[], str]


def exit_codes_text() -> str:
    """Every exit code, and the kinds of error that end with it."""
    kinds: dict[int, list[str]] = {}
    for error in error_classes(EasyLLMError):
        kinds.setdefault(error.exit_code, []).append(error.kind)
    return join_paragraphs(
        "The exit code tells a script what became of a command. An answer that is not complete is "
        "never 0, but for a limit that you set yourself; --strict makes that 7, too.",
        format_table((f"{code:>4}", meaning) for code, meaning in EXIT_CODES.items()),
        "With --json the object's error.kind tells more:",
        format_table((f"{code:>4}", " ".join(each)) for code, each in sorted(kinds.items())),
    )


def error_classes(top: type[EasyLLMError]) -> Iterator[type[EasyLLMError]]:
    """A class of errors, and all below it."""
    yield top
    for below in top.__subclasses__():
        yield from error_classes(below)


def profiles_text() -> str:
    """Built-in names, the file, its keys, and the variables."""
    from ..config.profile import SETTING_FIELDS
    from ..config.profiles_file import default_profiles_location
    from ..vendors import VENDORS, get_endpoint_variable

    settings = (
        (
            name,
            ": ".join([field.metadata["description"], *_format_choices(field.metadata["choices"])]),
        )
        for name, field in SETTING_FIELDS.items()
    )
    vendors = [(name, [*vendor.key_variables, get_endpoint_variable(name)])
               for name, vendor in VENDORS.items()]  # fmt: skip
    return join_paragraphs(
        "A profile is a named way to a model: -p NAME, or -p NAME:MODEL. The providers' names are "
        "profiles by themselves and need no file. Without -p: EASYLLM_PROFILE, else the file's "
        "default_profile, else the demo model of `easyllm pull`. `easyllm init` writes a first "
        "file, `easyllm profiles -h` tells how to change it, `easyllm keys -h` how to store a "
        "key, and `easyllm doctor -p NAME` finds out why one does not answer.",
        f"Your own are tables in {default_profiles_location()}, which --profiles FILE and "
        "EASYLLM_PROFILES replace:",
        PROFILE_EXAMPLE,
        "The keys of a profile:",
        format_table(settings),
        "Each provider's variables, for its key and for another address. The key goes to the "
        "provider's own host or to that address, and nowhere else:",
        format_table((name, ", ".join(names)) for name, names in vendors),
        "Our own variables:",
        format_table((name, says) for name, (_, says) in ENVIRONMENT_VARIABLES.items()),
    )


def _format_choices(choices: tuple[str, ...]) -> list[str]:
    return [" | ".join(choices)] if choices else []


def stdin_text() -> str:
    """What is read, and when it is not."""
    return join_paragraphs(
        "Text on stdin goes before the prompt, a blank line between. {stdin} in the prompt places "
        "it, a - among the words names it. It is UTF-8, and nothing of it is trimmed but a byte "
        "order mark.",
        STDIN_EXAMPLE,
        "A pipe or a file is read to its end. In a loop that reads from a pipe or a heredoc the "
        "first call would eat the rest: use -n there, or EASYLLM_STDIN=never. A file that is read "
        "in part already, as in `while read -r line; do …; done < list`, is left alone.",
        "A pipe that stays silent for two seconds is announced on stderr. Without a prompt and "
        "without stdin the command ends with exit code 2; it never hangs.",
        "A pipe or file that is empty is told on stderr where there is a prompt beside it, and is "
        "exit code 2 with --strict, or where {stdin} is in the prompt. /dev/null is silent.",
    )


def json_text() -> str:
    """The object, its keys, and the lines of --jsonl."""
    from ..render.json import envelope, error_object, listing_object
    from .results import EMPTY_RESULTS

    return join_paragraphs(
        "--json prints exactly one object on stdout for every ending, errors and Ctrl-C included; "
        "the error line goes to stderr as well. All keys are always there:",
        indent_text(" ".join(envelope(None, None))),
        "error is null, or an object with:",
        indent_text(" ".join(error_object(EasyLLMError("")))),
        "error.kind is one of:",
        indent_text(" ".join(error.kind for error in error_classes(EasyLLMError))),
        "--jsonl prints one object a line as it comes, told apart by kind. The last line is done "
        "or error and has all the keys above; a stream whose last line is neither was cut.",
        JSON_EXAMPLE,
        "Other commands print an object of their own:",
        format_table(
            (f"{' '.join(command)} --json", " ".join(listing_object(found, None)))
            for command, found in EMPTY_RESULTS.items()
        ),
    )


def join_paragraphs(*parts: str) -> str:
    """Paragraphs with blank lines between; prose is wrapped, lists and samples stay."""
    return "\n\n".join(
        part if part.startswith("  ") else textwrap.fill(part, WIDTH, break_on_hyphens=False)
        for part in parts
    )


def indent_text(text: str) -> str:
    """Words, wrapped as a block."""
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def format_table(rows: Iterable[tuple[str, str]]) -> str:
    """Two columns; the second is wrapped beside the first."""
    listed = list(rows)
    margin = max(len(name) for name, _ in listed) + 4
    return "\n".join(
        textwrap.fill(
            says, WIDTH, initial_indent=f"  {name}".ljust(margin), subsequent_indent=" " * margin,
            break_on_hyphens=False,
        )
        for name, says in listed
    )  # fmt: skip


TOPICS = {
    "exit-codes": HelpTopic("what each exit code means", exit_codes_text),
    "profiles": HelpTopic("which model answers: profiles and variables", profiles_text),
    "stdin": HelpTopic("what is read from stdin, and when", stdin_text),
    "json": HelpTopic("what --json and --jsonl print", json_text),
}


# variable: (the parameter for which it stands, what it says)
ENVIRONMENT_VARIABLES = {
    "EASYLLM_PROFILE": ("profile", "the profile where there is no -p: NAME or NAME:MODEL"),
    "EASYLLM_MODEL": ("model", "the model where there is neither -p nor -m"),
    "EASYLLM_PROFILES": ("profiles", "the profiles file"),
    "EASYLLM_STDIN": ("no_stdin", "never: stdin is not read, as with -n"),
    "NO_COLOR": ("color", "anything: no ANSI colours"),
}
PROVIDER_KEYS_NOTE = "and the provider's own, e.g. OPENAI_API_KEY (easyllm help profiles)"


def help_with_environment(text: str, parameters: Collection[str]) -> tuple[str, str]:
    """A command's help without its last paragraph, the example; and what stands at the end.

    `parameters`: the names of the command's parameters.
    """
    says, _, example = text.rpartition("\n\n")
    if "easyllm " not in example:
        says, example = text, ""
    names = [
        name for name, (stands_for, _) in ENVIRONMENT_VARIABLES.items() if stands_for in parameters
    ]
    own = f", {PROVIDER_KEYS_NOTE}" if "profile" in parameters else ""
    end = [f"Environment: {', '.join(names)}{own}"] if names else []
    return says, "\n\n".join([*end, f"Example: {example}"] if example else end)
