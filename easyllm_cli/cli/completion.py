"""Shell completion: the scripts of bash, zsh and fish, and the words that they ask for.

`eval "$(_EASYLLM_COMPLETE=source_bash easyllm)"` prints and runs a script. At a TAB it calls
`easyllm` with `complete_bash` and the line up to the cursor; no network, and nothing is said about
what goes wrong, which would stand in the middle of what is typed.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress

from ..config.model_list_cache import is_shell_safe, load_model_ids
from ..config.profiles_file import Profiles, read_profiles
from ..errors import EasyLLMError
from ..vendors import VENDORS

COMPLETE_VARIABLE = "_EASYLLM_COMPLETE"
WORD_BREAKS = ":="  # bash completes what is behind them as a word of its own
SCRIPTS = {
    "bash": """\
_easyllm_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $(_EASYLLM_COMPLETE=complete_bash _EASYLLM_LINE="${COMP_LINE:0:COMP_POINT}" \\
        _EASYLLM_WORD="${COMP_WORDS[COMP_CWORD]}" "$1" 2>/dev/null) )
}
complete -o default -F _easyllm_completion easyllm
""",
    "zsh": """\
#compdef easyllm
_easyllm_completion() {
    local -a found
    found=("${(@f)$(_EASYLLM_COMPLETE=complete_zsh _EASYLLM_LINE="${(j: :)words[1,CURRENT]}" \\
        "${words[1]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _easyllm_completion easyllm
""",
    "fish": """\
function __easyllm_completion
    set -l found (env _EASYLLM_COMPLETE=complete_fish _EASYLLM_LINE=(commandline -cp | \\
        string collect) easyllm 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command easyllm --no-files --arguments '(__easyllm_completion)'
""",
}


def complete(instruction: str) -> int:
    """`source_SHELL` prints the script, `complete_SHELL` the words; gives the exit code."""
    kind, _, shell = instruction.partition("_")
    if shell not in SCRIPTS or kind not in ("source", "complete"):
        known = ", ".join(f"source_{name}" for name in SCRIPTS)
        print(f"easyllm: {COMPLETE_VARIABLE} is none of {known}", file=sys.stderr)
        return 2
    if kind == "source":
        print(SCRIPTS[shell], end="")
        return 0
    before, begun = split_line(os.environ.get("_EASYLLM_LINE", ""))
    cut = bash_prefix_length(begun, os.environ.get("_EASYLLM_WORD", "")) if shell == "bash" else 0
    # `--effort=hi`: the values come without the option's name, which is part of the word.
    named = begun[: begun.find("=") + 1] if begun.startswith("-") else ""
    for word in list_completions(before, begun):
        whole = word if word.startswith("-") else named + word
        if is_shell_safe(whole):
            print(whole[cut:])
    return 0


def split_line(line: str) -> tuple[list[str], str]:
    """The words before the cursor, without the command itself, and the one that is begun."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)
    except ValueError:  # a quote that is still open
        return words[1:], lexer.token
    if not line or line[-1].isspace():
        words.append("")
    return words[1:-1], words[-1]


def bash_prefix_length(incomplete: str, bash_word: str) -> int:
    """How many characters of the begun word bash keeps: those before what it calls the word."""
    rest = (
        bash_word if bash_word.strip(WORD_BREAKS) else ""
    )  # `:` alone: the word is still to begin
    return len(incomplete) - len(rest) if bash_word and incomplete.endswith(rest) else 0


def list_completions(previous_words: list[str], incomplete: str) -> list[str]:
    """What may stand for the begun word, as Typer finds it."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    from .app import root_group

    completion_init()
    os.environ[COMPLETE_VARIABLE] = "complete_bash"  # its form is the plainest: a word a line
    os.environ["COMP_WORDS"] = shlex.join(["easyllm", *previous_words, incomplete])
    os.environ["COMP_CWORD"] = str(len(previous_words) + 1)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()), suppress(Exception, SystemExit):
        root_group().main([], prog_name="easyllm", standalone_mode=False)
    return printed.getvalue().splitlines()


def profile_names(file: str | None, incomplete: str) -> list[str]:
    """Profiles; behind a colon the models that the profile's server offered last."""
    name, colon, _ = incomplete.partition(":")
    if colon:
        return [f"{name}:{model}" for model in load_model_ids(name)]
    found = try_read_profiles(file)
    return found.names if found else list(VENDORS)


def names_in_file(file: str | None) -> list[str]:
    """The profiles of the file alone, without the built-in names."""
    found = try_read_profiles(file)
    return list(found.tables) if found else []


def built_in_names() -> list[str]:
    """The providers that need no file."""
    return list(VENDORS)


def model_names(file: str | None, profile: str | None) -> list[str]:
    """The models that the chosen profile's server offered when `models` was last run."""
    found = try_read_profiles(file)
    usual = os.environ.get("EASYLLM_PROFILE") or (found.default_profile if found else "")
    return load_model_ids((profile or usual).partition(":")[0])


def try_read_profiles(file: str | None) -> Profiles | None:
    """The profiles file; None = it cannot be read."""
    try:
        return read_profiles(file)
    except EasyLLMError:
        return None
