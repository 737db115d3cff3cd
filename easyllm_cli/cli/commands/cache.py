"""`easyllm cache`: clears the answers that --cache keeps, and shows where they are."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

import typer

from ..options.common import DebugOption, ListFormat
from ..options.groups import expand_option_groups

Older = Annotated[
    str | None,
    typer.Option("--older", help="Only those of this age, e.g. 7d.", metavar="TIME"),
]


@expand_option_groups
def clear_answers(debug_option: DebugOption, older: Older = None) -> int:
    """Delete the answers in the cache; with --older only the old ones."""
    from ...durations import DURATION_HINT, parse_duration
    from ...errors import UsageError
    from ...recordings.store import clear_cache
    from ...render.options import is_terminal
    from ...render.output import print_notice
    from ..prompt_notes import format_bytes

    min_age = parse_duration(older) if older is not None else 0.0
    if min_age is None:
        raise UsageError(f'--older "{(older or "")[:40]}" is no length of time', hint=DURATION_HINT)
    count, size = clear_cache(min_age)
    if count or is_terminal(2):
        answers = "1 answer" if count == 1 else f"{count} answers"
        print_notice(f"easyllm: {answers} deleted ({format_bytes(size)})")
    return 0


@expand_option_groups
def print_cache_path(debug_option: DebugOption, list_format: ListFormat) -> int:
    """Print the folder of the cache, even if it does not exist."""
    from ...recordings.store import answers_folder
    from ..results import print_path

    return print_path(answers_folder(), json=list_format.json)


# Subcommand: its function, and its line in `easyllm cache -h`.
SUBCOMMANDS = {
    "clear": (clear_answers, "Delete all answers, or with --older the old ones."),
    "path": (print_cache_path, "Print the folder of the answers (the same as no command)."),
}
DEFAULT_COMMAND = "path"
EXAMPLES = "easyllm cache path\neasyllm cache path --json"
