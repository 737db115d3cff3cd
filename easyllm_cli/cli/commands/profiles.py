"""`easyllm profiles`: list, show and edit the profiles file."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated, Any

import typer

from ..option_types import own_profiles
from ..options.groups import options
from ..options.output import Form
from ..options.run import File

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A profile.", show_default=False, autocompletion=own_profiles
    ),
]
DefaultName = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A profile, or NAME:MODEL.", show_default=False),
]
Start = Annotated[
    str,
    typer.Argument(metavar="PROVIDER[:MODEL]", help="Or a profile to extend.", show_default=False),
]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="JSON, TOML or text; docs/profiles.md lists the keys.",
        show_default=False,
    ),
]  # fmt: skip
Key = Annotated[
    str,
    typer.Argument(metavar="KEY", help="E.g. model, timeout.idle, options.x.", show_default=False),
]
Value = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="JSON, TOML or text; null: none.", show_default=False),
]


@options
def list_profiles(file: File, form: Form) -> int:
    """List the profiles of the file: a table on a terminal, one name a line in a pipe.

    Built-in names (easyllm models -p NAME) need no file and are not listed.
    """
    from ...config.profiles_file import profiles_path, read_profiles
    from ..results import print_list

    profiles = read_profiles(file.profiles)
    named = profiles.default.partition(":")[0]
    rows = [row(profiles, name, name == named) for name in profiles.tables]
    empty = f"no profiles yet ({profiles_path(file.profiles)}): easyllm init, or profiles add"
    return print_list("profiles", rows, empty, json=form.json, color=form.color)


def row(profiles: Any, name: str, default: bool) -> dict[str, Any]:
    """One profile; one that is wrong says so, and the others are listed all the same."""
    from ...config.toml_document import mistake
    from ...errors import ConfigError

    made = {"name": name, "default": default, "provider": None, "model": None, "endpoint": None}
    problem = mistake(profiles, name)
    try:
        one = profiles.named(name)
        made |= {"provider": one.provider, "model": one.model, "endpoint": one.endpoint}
    except ConfigError:
        pass
    return {**made, "problem": str(problem) if problem else None}


@options
def show_profile(file: File, form: Form, name: Name) -> int:
    """Show every value of a profile that counts, and where it comes from; keys are masked."""
    import json

    from ...config.profiles_file import read_profiles
    from ...config.value_sources import settings
    from ...render.options import is_terminal
    from ...render.output import Stream
    from ..results import Outcome, finish

    profiles = read_profiles(file.profiles)
    found = settings(profiles, name)
    if form.json:
        values = [vars(one) for one in found]
        listing = {"profile": name, "values": values}
        return finish(Outcome(listing=listing), json=True, jsonl=False, debug=False)
    shown = [(one.key, json.dumps(one.value, ensure_ascii=False), one.source) for one in found]
    widest = max(len(key) for key, _, _ in shown)
    broad = min(max(len(value) for _, value, _ in shown), 40)
    lines = [f"{key:{widest}}  {value:{broad}}  {source}\n" for key, value, source in shown]
    Stream(1, terminal=is_terminal(1)).write("".join(lines))
    return 0


@options
def add_profile(file: File, name: Name, start: Start, pairs: Pairs = None) -> int:
    """Add a profile; the file is made if there is none.

    easyllm profiles add r1 openrouter:deepseek/deepseek-r1 reasoning=high timeout.idle=120
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path
    from ...render.output import complain

    path = profiles_path(file.profiles)
    edit.add(path, name, start, pairs or [])
    complain(f"easyllm: added {name} ({path}); ask it with -p {name}")
    return 0


@options
def set_setting(file: File, name: Name, key: Key, value: Value) -> int:
    """Set one key of a profile; comments and order stay, and null takes the key away.

    easyllm profiles set r1 timeout.idle 120
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path

    edit.set_key(profiles_path(file.profiles), name, key, value)
    return 0


@options
def remove_profile(file: File, name: Name) -> int:
    """Take a profile out of the file; one that others extend or fall back to stays."""
    from ...config import edit
    from ...config.profiles_file import profiles_path
    from ...render.output import complain

    path = profiles_path(file.profiles)
    if edit.remove(path, name):
        complain(f"easyllm: {name} was the default; now there is none ({path})")
    return 0


@options
def default_profile(file: File, name: DefaultName = None) -> int:
    """Say which profile is asked when none is named; without NAME: print it."""
    from ...config import edit
    from ...config.profiles_file import profiles_path, read_profiles
    from ...errors import ConfigError
    from ...render.output import Stream

    path = profiles_path(file.profiles)
    if name is not None:
        edit.set_default(path, name)
        return 0
    known = read_profiles(file.profiles).default
    if not known:
        raise ConfigError(
            "there is no default profile", where=str(path), hint="easyllm profiles default NAME"
        )
    Stream(1, terminal=False).write(f"{known}\n")
    return 0


@options
def print_path(file: File, form: Form) -> int:
    """Print where the profiles file is, or would be."""
    from ...config.profiles_file import profiles_path
    from ...render.output import Stream
    from ..results import Outcome, finish

    found = profiles_path(file.profiles)
    if form.json:
        listing = {"path": str(found), "exists": found.exists()}
        return finish(Outcome(listing=listing), json=True, jsonl=False, debug=False)
    Stream(1, terminal=False).write(f"{found}\n")
    return 0


@options
def edit_file(file: File) -> int:
    """Open the profiles file in $VISUAL or $EDITOR; it is checked before it counts.

    A copy is edited. One that is wrong is kept beside the file, which stays as it was.
    """
    from ...config.edit import copy_to_edit, keep_edited
    from ...config.profiles_file import profiles_path
    from ...render.output import complain
    from ..editor import open_editor

    path = profiles_path(file.profiles)
    copy, began_with = copy_to_edit(path)
    open_editor(copy, began_with)
    if not keep_edited(path, copy, began_with):
        complain(f"easyllm: nothing was changed ({path})")
    return 0


# The name of each command, what runs it, and its line in `easyllm profiles -h`.
COMMANDS = {
    "list": (list_profiles, "List the profiles of the file (the same as no command)."),
    "show": (show_profile, "Show every value of a profile, and where it comes from."),
    "add": (add_profile, "Add a profile: NAME PROVIDER[:MODEL] KEY=VALUE…"),
    "set": (set_setting, "Set one key of a profile; null takes it away."),
    "remove": (remove_profile, "Take a profile out of the file."),
    "default": (default_profile, "Say or show which profile is asked when none is named."),
    "path": (print_path, "Print where the profiles file is."),
    "edit": (edit_file, "Open the file in $EDITOR; it is checked before it counts."),
}
DEFAULT_COMMAND = "list"
EXAMPLE = "easyllm profiles set r1 timeout.idle 120"
