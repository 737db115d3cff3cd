"""Texts of `easyllm help`: plain, at most 80 columns, with lists generated from the code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ..errors import EXIT_CODES, EasyLLMError, error_classes

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
COMPLETION_COMMANDS = (
    ("bash", 'eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"'),
    ("zsh", 'eval "$(_EASYLLM_COMPLETE=source_zsh easyllm)"'),
    ("fish", "_EASYLLM_COMPLETE=source_fish easyllm | source"),
)


@dataclass(frozen=True)
class HelpTopic:
    """A help topic: its line in the overview, and the function that builds its text."""

    summary: str
    build_text: Callable[[], str]


def exit_codes_text() -> str:
    """`help exit-codes`: every exit code and its kinds of error."""
    kinds: dict[int, list[str]] = {}
    for error in error_classes():
        kinds.setdefault(error.exit_code, []).append(error.kind)
    return join_paragraphs(
        "The exit code tells a script how a command ended. An incomplete answer is never 0, except "
        "for a limit that you set yourself; --strict makes that 7, too.",
        format_table((f"{code:>4}", meaning) for code, meaning in EXIT_CODES.items()),
        "With --json the object's error.kind is more precise:",
        format_table((f"{code:>4}", " ".join(each)) for code, each in sorted(kinds.items())),
    )


def profiles_text() -> str:
    """`help profiles`: built-in names, the profiles file, its keys, and the variables."""
    from ..config.profiles_file import default_profiles_location
    from ..config.settings import SETTINGS
    from ..vendors import VENDORS, get_variables

    settings = (
        (name, ": ".join(filter(None, [each.help, " | ".join(each.choices)])))
        for name, each in SETTINGS.items()
    )
    return join_paragraphs(
        "A profile names a provider, a model and their settings: -p NAME, or -p NAME:MODEL. Each "
        "provider's name is a built-in profile that needs no file. Without -p, the profile is "
        "EASYLLM_PROFILE, else the file's default_profile, else the demo model of `easyllm pull`. "
        "`easyllm init` writes a first file, `easyllm profiles -h` explains how to change it, "
        "`easyllm keys -h` how to store a key, and `easyllm doctor -p NAME` finds out why a "
        "profile does not answer.",
        f"Your own profiles are tables in {default_profiles_location()}, or in the file named by "
        "--profiles FILE or EASYLLM_PROFILES:",
        PROFILE_EXAMPLE,
        "The keys of a profile:",
        format_table(settings),
        "Each provider's variables, for its key and for another endpoint. The key is sent only to "
        "the provider's own host or to that endpoint:",
        format_table((name, ", ".join(get_variables(name))) for name in VENDORS),
        "easyllm's own variables:",
        format_table(
            (name, description) for name, (_, description) in ENVIRONMENT_VARIABLES.items()
        ),
    )


def stdin_text() -> str:
    """`help stdin`: what is read from stdin, and when."""
    return join_paragraphs(
        "Text on stdin goes before the prompt, with a blank line between. Write {stdin} where the "
        "text should go; - as an argument means stdin. It must be UTF-8; only a byte order mark "
        "is removed.",
        STDIN_EXAMPLE,
        "A pipe or a file is read to its end. In a loop that reads from a pipe or a heredoc the "
        "first call would read all of it: use -n there, or EASYLLM_STDIN=never. A file that was "
        "already read in part, as in `while read -r line; do …; done < list`, is not read.",
        "If a pipe stays silent for two seconds, a note on stderr says so. Without a prompt and "
        "without stdin the command ends with exit code 2; it never hangs.",
        "An empty pipe or file next to a prompt causes a note on stderr; with --strict, or with "
        "{stdin} in the prompt, it causes exit code 2. /dev/null causes no note.",
    )


def json_text() -> str:
    """`help json`: the object of --json, its keys, and the lines of --jsonl."""
    from ..render.json import error_object, listing_object
    from .results import CommandResult, answer_object, empty_results

    return join_paragraphs(
        "--json always prints exactly one object on stdout, also for errors and Ctrl-C; the error "
        "line goes to stderr as well. All keys are always present:",
        indent_text(" ".join(answer_object(CommandResult()))),
        "error is null, or an object with:",
        indent_text(" ".join(error_object(EasyLLMError("")))),
        "error.kind is one of:",
        indent_text(" ".join(error.kind for error in error_classes())),
        "--jsonl prints one object per line as the answer arrives; its kind says what it is. The "
        "last line is done or error and has all the keys above; without such a line the output "
        "was cut.",
        JSON_EXAMPLE,
        "Other commands print an object of their own:",
        format_table(
            (f"{' '.join(command)} --json", " ".join(listing_object(listing, None)))
            for command, listing in empty_results().items()
        ),
    )


def wishes_text() -> str:
    """`help wishes`: what to type for what one wants."""
    from .help_wishes import SAME_OPTIONS, WISHES

    return join_paragraphs(f"  I want to …\n{format_table(WISHES)}", SAME_OPTIONS)


def join_paragraphs(*parts: str) -> str:
    """Join paragraphs with blank lines; wrap prose, leave indented parts as they are."""
    return "\n\n".join(
        part if part.startswith("  ") else textwrap.fill(part, WIDTH, break_on_hyphens=False)
        for part in parts
    )


def indent_text(text: str) -> str:
    """Wrap words as an indented block."""
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def format_table(rows: Iterable[tuple[str, str]]) -> str:
    """Format a table of two columns; the second one is wrapped."""
    row_list = list(rows)
    margin = max(len(name) for name, _ in row_list) + 4
    return "\n".join(
        textwrap.fill(
            description, WIDTH, initial_indent=f"  {name}".ljust(margin),
            subsequent_indent=" " * margin, break_on_hyphens=False,
        )
        for name, description in row_list
    )  # fmt: skip


TOPICS = {
    "exit-codes": HelpTopic("what each exit code means", exit_codes_text),
    "profiles": HelpTopic("which model answers: profiles and variables", profiles_text),
    "stdin": HelpTopic("what is read from stdin, and when", stdin_text),
    "json": HelpTopic("what --json and --jsonl print", json_text),
    "wishes": HelpTopic("I want to ...: what to type for it", wishes_text),
}


# variable: (the command parameter it replaces, its description)
ENVIRONMENT_VARIABLES = {
    "EASYLLM_PROFILE": ("profile", "the profile if there is no -p: NAME or NAME:MODEL"),
    "EASYLLM_MODEL": ("model", "the model if there is neither -p nor -m"),
    "EASYLLM_PROFILES": ("profiles", "the profiles file"),
    "EASYLLM_STDIN": ("no_stdin", "never: stdin is not read, as with -n"),
    "EASYLLM_CONVERSATION": ("continues", "the name of the conversation that -c continues"),
    "EASYLLM_HISTORY": ("history", "full, metadata or off, if there is no --history"),
    "EASYLLM_CACHE": ("cache", "how long answers are kept, or off, if there is no --cache"),
    "EASYLLM_RECORD": ("record", "the file that --record appends to"),
    "EASYLLM_REPLAY": ("replay", "the file that --replay answers from"),
    "NO_COLOR": ("color", "any value: no ANSI colours"),
}
PROVIDER_KEYS_NOTE = "and the provider's own, e.g. OPENAI_API_KEY (easyllm help profiles)"


def environment_note(parameters: Collection[str]) -> str:
    """The variables that replace a command's parameters, as one line; "" = none."""
    names = [
        name for name, (parameter, _) in ENVIRONMENT_VARIABLES.items() if parameter in parameters
    ]
    provider_keys = f", {PROVIDER_KEYS_NOTE}" if "profile" in parameters else ""
    return f"Environment: {', '.join(names)}{provider_keys}" if names else ""


def split_examples(text: str) -> tuple[str, list[str]]:
    """Split a command's help into its description and its examples.

    The last paragraph holds the examples if its lines are command lines.
    """
    description, _, last = text.strip().rpartition("\n\n")
    examples = last.splitlines()
    if all(line.startswith("easyllm ") or "| easyllm " in line for line in examples):
        return description, examples
    return text.strip(), []
