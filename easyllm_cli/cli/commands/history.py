"""`easyllm history`: lists, shows, searches, exports and deletes past answers."""

# No `from __future__ import annotations`: Typer needs the real types.
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ..history_reading import open_history, parse_time_option
from ..option_types import CODE_CHOICES, choice, complete_profiles
from ..options.common import DebugOption, ListFormat, ProfilesFileOption
from ..options.groups import OptionGroup, expand_option_groups

if TYPE_CHECKING:
    from pathlib import Path

    from ...history.calls import CallFilter

FORMAT_CHOICES = ("md", "jsonl")
NOTHING_KEPT = "no answers are kept yet"
AGE_METAVAR = "AGE|DATE|month"
CallId = Annotated[
    str,
    typer.Argument(
        metavar="[ID]", help="An id, its beginning, or last.", show_default=False
    ),
]  # fmt: skip
CallIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Ids, or their beginnings.", show_default=False),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORD...", help="Words of prompt or answer.", show_default=False),
]
Limit = Annotated[
    int,
    typer.Option("-n", "--limit", help="How many, the newest first.", min=1, metavar="N"),
]
ConversationId = Annotated[
    str | None,
    typer.Option(
        "--conversation", help="A conversation: id, name or last.", metavar="ID",
        show_default=False,
    ),
]  # fmt: skip
ExportFormat = Annotated[
    str, typer.Option("--format", help="Markdown or JSON lines.", **choice(FORMAT_CHOICES))
]
WholeConversation = Annotated[
    bool, typer.Option("-a", "--all", help="Show the whole conversation.")
]
WithReasoning = Annotated[bool, typer.Option("--reasoning", help="Show the reasoning, too.")]
OnlyCode = Annotated[
    str | None,
    typer.Option(
        "-x", "--code", help="Only the first code block, or =all.", show_default=False,
        **{**choice(CODE_CHOICES), "metavar": "[=all]"},
    ),
]  # fmt: skip
OlderThan = Annotated[
    str | None,
    typer.Option(
        "--older", help="All before that, e.g. 90d.", metavar=AGE_METAVAR, show_default=False
    ),
]
DeleteAll = Annotated[bool, typer.Option("--all", help="The whole history, damaged files too.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]


class FilterOptions(OptionGroup):
    """Which calls are listed, found or exported; EASYLLM_PROFILE and EASYLLM_MODEL do not count."""

    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Not older, e.g. 7d or 2026-01-31.", metavar=AGE_METAVAR,
            show_default=False,
        ),
    ] = None  # fmt: skip
    of_model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", help="Part of the model's name.", metavar="TEXT", show_default=False
        ),
    ] = None
    of_profile: Annotated[
        str | None,
        typer.Option(
            "-p", "--profile", help="The profile that answered.", metavar="NAME",
            show_default=False, autocompletion=complete_profiles,
        ),
    ] = None  # fmt: skip
    failed: Annotated[bool, typer.Option("--failed", help="Only with an exit code above 0.")] = (
        False
    )

    def call_filter(self) -> "CallFilter":
        """Raises UsageError if --since is no time."""
        from ...history.calls import CallFilter

        since = parse_time_option("--since", self.since) if self.since else None
        return CallFilter(since, self.of_model, self.of_profile, self.failed)


@expand_option_groups
def list_calls(
    debug_option: DebugOption,
    list_format: ListFormat,
    filters: FilterOptions,
    limit: Limit = 20,
) -> int:
    """List the newest answers: a table on a terminal, one a line in a pipe, id first.

    easyllm history --failed --since 7d
    """
    from ...history.calls import newest_calls
    from ..history_output import print_calls

    wanted = filters.call_filter()
    with open_history() as store:
        rows = newest_calls(store, wanted, limit) if store else []
        return print_calls(
            store, rows, list_format, NOTHING_KEPT if not store else "no such answer"
        )


@expand_option_groups
def search(
    debug_option: DebugOption,
    list_format: ListFormat,
    filters: FilterOptions,
    words: Words = None,
    limit: Limit = 20,
) -> int:
    """List the answers that hold every word, in the prompt or in the answer.

    easyllm history search haiku snow
    """
    from ...history.search import search_calls
    from ..history_output import print_calls

    wanted = filters.call_filter()
    with open_history() as store:
        rows = search_calls(store, words or [], wanted, limit) if store else []
        empty = f"no answer holds {' and '.join(words or [])}" if store else NOTHING_KEPT
        return print_calls(store, rows, list_format, empty, words)


@expand_option_groups
def show(
    debug_option: DebugOption,
    list_format: ListFormat,
    id: CallId = "last",
    conversation: WholeConversation = False,
    reasoning: WithReasoning = False,
    code: OnlyCode = None,
) -> int:
    """Show an answer with its prompt, by default the newest one, as Markdown.

    easyllm history show -x > script.py
    """
    from ...errors import ConfigError, UsageError
    from ...history.calls import conversation_calls, find_call
    from ..history_output import print_calls_json, print_code, print_markdown

    if code and list_format.json:
        raise UsageError("-x and --json do not go together", hint="choose one")
    with open_history() as store:
        if store is None:
            raise ConfigError(NOTHING_KEPT, hint='easyllm "PROMPT" keeps the first one')
        rows = [find_call(store, id)]
        if conversation and rows[0]["conversation"]:
            rows = conversation_calls(store, rows[0]["conversation"])
        if list_format.json:
            return print_calls_json(store, rows)
    if code:
        return print_code(rows, code)
    return print_markdown(rows, reasoning, list_format.color or "auto")


@expand_option_groups
def export(
    debug_option: DebugOption,
    filters: FilterOptions,
    conversation: ConversationId = None,
    format: ExportFormat = "md",
) -> int:
    """Write answers to stdout, the oldest first.

    easyllm history export --conversation last > talk.md
    easyllm history export --format jsonl --since 30d > answers.jsonl
    """
    from ...errors import ConfigError
    from ...history.calls import find_conversation, iterate_calls
    from ..history_output import write_export

    wanted = filters.call_filter()
    with open_history() as store:
        if store is None:
            if conversation:
                raise ConfigError(f'no conversation "{conversation}"', hint=NOTHING_KEPT)
            return 0
        if conversation:
            wanted.conversation = find_conversation(store, conversation)["id"]
        write_export(store, iterate_calls(store, wanted), format)
    return 0


@expand_option_groups
def delete(
    debug_option: DebugOption,
    ids: CallIds = None,
    conversation: ConversationId = None,
    older: OlderThan = None,
    everything: DeleteAll = False,
    yes: Yes = False,
) -> int:
    """Delete answers for good: their texts are overwritten in the file.

    easyllm history delete --older 90d
    """
    from ...errors import UsageError
    from ..history_deletion import delete_from_history

    chosen = [bool(ids), conversation is not None, older is not None, everything]
    if sum(chosen) != 1:
        raise UsageError(
            "say what to delete: ids, --conversation, --older or --all" if not any(chosen)
            else "ids, --conversation, --older and --all do not go together",
            hint="easyllm history lists the ids",
        )  # fmt: skip
    before = parse_time_option("--older", older) if older is not None else None
    return delete_from_history(ids or [], conversation, before, everything, yes)


@expand_option_groups
def print_history_path(debug_option: DebugOption, list_format: ListFormat) -> int:
    """Print the path of the history's file, even if it does not exist."""
    from ...history import history_path
    from ..results import print_path

    return print_path(history_path(), json=list_format.json)


@expand_option_groups
def turn_on(profiles_file: ProfilesFileOption) -> int:
    """Keep answers again: remove the line of `history off`.

    Texts are kept where stderr is a terminal, else numbers only.
    """
    from ...config.edit import write_history_setting
    from ...config.profiles_file import profiles_path

    path = profiles_path(profiles_file.profiles)
    is_changed = write_history_setting(path, None)
    print_change(
        "answers are kept again" if is_changed else "answers were kept before", path,
        describe_overrides(path, kept=False),
    )  # fmt: skip
    return 0


@expand_option_groups
def turn_off(profiles_file: ProfilesFileOption) -> int:
    """Keep nothing from now on: write history = "off" at the top of the profiles file."""
    from ...config.edit import write_history_setting
    from ...config.profiles_file import profiles_path

    path = profiles_path(profiles_file.profiles)
    write_history_setting(path, "off")
    overrides = describe_overrides(path, kept=True)
    then = overrides or "; history delete --all deletes the old"
    print_change("no answers are kept from now on", path, then)
    return 0


def describe_overrides(path: "Path", *, kept: bool) -> str:
    """`; but EASYLLM_HISTORY is "full"`: what else decides whether answers are kept; "" = nothing.

    `kept`: name what still keeps answers; else what still keeps none.
    """
    import os

    from ...config.profiles_file import read_profiles
    from ...config.settings import HISTORY_MODES
    from ...errors import EasyLLMError

    modes = [mode for mode in HISTORY_MODES if (mode != "off") == kept]
    variable = os.environ.get("EASYLLM_HISTORY")
    if variable:  # it comes before every profile
        return f'; but EASYLLM_HISTORY is "{variable}"' if variable in modes else ""
    profiles, names = read_profiles(str(path)), []
    for name in profiles.tables:
        with suppress(EasyLLMError):  # the commands that use the profile report it
            if profiles.resolve_profile(name).history in modes:
                names.append(name)
    if not names:
        return ""
    return f"; but not of these profiles, which set history themselves: {', '.join(names)}"


def print_change(done: str, path: "Path", then: str = "") -> None:
    """Say on stderr what was changed in the profiles file."""
    from ...render.output import print_notice

    print_notice(f"easyllm: {done} ({path}){then}")


# Subcommand: its function, and its line in `easyllm history -h`.
SUBCOMMANDS = {
    "list": (list_calls, "List the newest answers (the same as no command)."),
    "show": (show, "Show an answer with its prompt, or a whole conversation."),
    "search": (search, "List the answers that hold every word."),
    "export": (export, "Write answers to stdout, as Markdown or JSON lines."),
    "delete": (delete, "Delete answers for good."),
    "on": (turn_on, "Keep answers again."),
    "off": (turn_off, "Keep no answers from now on."),
    "path": (print_history_path, "Print the path of the history's file."),
}
DEFAULT_COMMAND = "list"
EXAMPLES = "easyllm history search haiku\neasyllm history export > answers.md"
