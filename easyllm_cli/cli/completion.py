"""Shell completion: prints the scripts for bash, zsh and fish, and the words they ask for.

`eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"` installs the script. At each TAB the script calls
`easyllm` with `_EASYLLM_COMPLETE=complete_bash` and the line up to the cursor. Completion uses no
network and prints no errors, which would appear within the line being typed.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from ..config.model_list_cache import is_shell_safe, load_model_ids
from ..config.paths import template_names
from ..config.profiles_file import Profiles, read_profiles
from ..config.settings import SETTINGS, resolve_setting_alias
from ..errors import EasyLLMError
from ..vendors import VENDORS

COMPLETE_VARIABLE = "_EASYLLM_COMPLETE"
WORD_BREAKS = ":="  # bash starts a new word after each of these
SCRIPTS = {  # shell: its file in the folder `completions`
    "bash": "easyllm.bash",
    "zsh": "_easyllm",
    "fish": "easyllm.fish",
}
SCRIPTS_FOLDER = Path(__file__).parent.parent / "completions"


def complete(instruction: str) -> int:
    """Print the script (`source_SHELL`) or words (`complete_SHELL`); return the exit code."""
    kind, _, shell = instruction.partition("_")
    if shell not in SCRIPTS or kind not in ("source", "complete"):
        known = ", ".join(f"source_{name}" for name in SCRIPTS)
        print(f"easyllm: {COMPLETE_VARIABLE} must be one of {known}", file=sys.stderr)
        return 2
    if kind == "source":
        print((SCRIPTS_FOLDER / SCRIPTS[shell]).read_text("utf-8"), end="")
        return 0
    previous, incomplete = split_line(os.environ.get("_EASYLLM_LINE", ""))
    bash_word = os.environ.get("_EASYLLM_WORD", "")
    skip = bash_prefix_length(incomplete, bash_word) if shell == "bash" else 0
    # `--effort=hi`: Typer returns the values without `--effort=`, which is part of the word.
    option = incomplete[: incomplete.find("=") + 1] if incomplete.startswith("-") else ""
    for word, description in completions_of_line(previous, incomplete):
        full_word = word if word.startswith("-") else option + word
        if is_shell_safe(full_word):
            shown = f"\t{description}" if shell == "fish" and description else ""
            print(full_word[skip:] + shown)
    return 0


def split_line(line: str) -> tuple[list[str], str]:
    """The complete words of the line, without the command, and the word being typed."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)
    except ValueError:  # an unclosed quote
        return words[1:], lexer.token
    if not line or line[-1].isspace():
        words.append("")
    return words[1:-1], words[-1]


def bash_prefix_length(incomplete: str, bash_word: str) -> int:
    """How many leading characters bash keeps because it splits a word at `:` and `=`."""
    rest = (
        bash_word if bash_word.strip(WORD_BREAKS) else ""
    )  # `:` or `=` alone: the new word is still empty
    return len(incomplete) - len(rest) if bash_word and incomplete.endswith(rest) else 0


def completions_of_line(previous_words: list[str], incomplete: str) -> list[tuple[str, str]]:
    """The completions of a word, also where options of `chat` stand without a command."""
    from .front_page import HELP_OPTIONS

    first = previous_words[0] if previous_words else incomplete
    implied = ["chat", *previous_words]
    if not first.startswith("-") or first in (*HELP_OPTIONS, "--version"):
        return list_completions(previous_words, incomplete)
    if previous_words:
        return list_completions(implied, incomplete)
    both = list_completions([], incomplete) + list_completions(implied, incomplete)
    return list(dict(both).items())


def list_completions(previous_words: list[str], incomplete: str) -> list[tuple[str, str]]:
    """Typer's completions for the word being typed, and a description of each or ""."""
    # Typer's own format with descriptions needs rich, which takes too long at a TAB.
    from typer import _completion_classes as typer_classes

    from .app import root_group

    class WordComplete(typer_classes.BashComplete):
        def format_completion(self, item: Any) -> str:
            return f"{item.value}\t{' '.join((item.help or '').split())}"

    typer_classes.completion_init()
    typer_classes.add_completion_class(WordComplete, "bash")  # type: ignore[attr-defined]
    os.environ[COMPLETE_VARIABLE] = "complete_bash"
    os.environ["COMP_WORDS"] = shlex.join(["easyllm", *previous_words, incomplete])
    os.environ["COMP_CWORD"] = str(len(previous_words) + 1)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()), suppress(Exception, SystemExit):
        root_group().main([], prog_name="easyllm", standalone_mode=False)
    rows = [line.partition("\t") for line in printed.getvalue().splitlines()]
    return [(word, description) for word, _, description in rows]


def profile_names(file: str | None, incomplete: str) -> list[str]:
    """Profile names; after a colon the models that `easyllm models` saved."""
    name, colon, _ = incomplete.partition(":")
    if colon:
        return [f"{name}:{model}" for model in load_model_ids(name)]
    profiles = try_read_profiles(file)
    return profiles.names if profiles else list(VENDORS)


def names_in_file(file: str | None) -> list[str]:
    """The profiles of the file, without the built-in names."""
    profiles = try_read_profiles(file)
    return list(profiles.tables) if profiles else []


def built_in_names() -> list[str]:
    """The built-in providers, which need no profiles file."""
    return list(VENDORS)


def saved_template_names() -> list[str]:
    """The templates in their folder."""
    try:
        return template_names()
    except RuntimeError:
        return []


def model_names(file: str | None, profile: str | None) -> list[str]:
    """The models that `easyllm models` saved for the selected profile."""
    profiles = try_read_profiles(file)
    default = os.environ.get("EASYLLM_PROFILE") or (profiles.default_profile if profiles else "")
    return load_model_ids((profile or default).partition(":")[0])


def setting_names() -> list[tuple[str, str]]:
    """The settings that `profiles set` takes, and their descriptions.

    An API key is no argument, as every user of the machine can see it.
    """
    names = [(name, each.help) for name, each in SETTINGS.items() if not each.is_secret]
    for each in SETTINGS.values():
        names += [(key, each.subkey_description) for key in each.dotted_keys]
    return names


def setting_values(file: str | None, key: str) -> list[str]:
    """The words that a setting takes; an empty list if it takes any text."""
    setting = SETTINGS.get(resolve_setting_alias(key))
    if setting is None or "list[" in setting.type:
        return []
    if setting.refers_to == "profiles":
        return profile_names(file, "")
    if setting.refers_to == "providers":
        return built_in_names()
    return ["true", "false"] if setting.type == "bool" else list(setting.choices)


def try_read_profiles(file: str | None) -> Profiles | None:
    """Read the profiles file; None if it cannot be read."""
    try:
        return read_profiles(file)
    except EasyLLMError:
        return None
