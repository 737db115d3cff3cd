"""`easyllm profiles`: list, show and edit the profiles file."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated, Any

import typer

from ..option_types import complete_file_profiles
from ..options.groups import expand_option_groups
from ..options.output import ListFormat
from ..options.run import ProfilesFileOption

ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A profile.", show_default=False, autocompletion=complete_file_profiles
    ),
]
DefaultProfileName = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A profile, or NAME:MODEL.", show_default=False),
]
ProfileBase = Annotated[
    str,
    typer.Argument(metavar="PROVIDER[:MODEL]", help="Or a profile to extend.", show_default=False),
]
SettingPairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="JSON, TOML or text; docs/profiles.md lists the keys.",
        show_default=False,
    ),
]  # fmt: skip
SettingKey = Annotated[
    str,
    typer.Argument(metavar="KEY", help="E.g. model, timeout.idle, options.x.", show_default=False),
]
SettingValue = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="JSON, TOML or text; null: none.", show_default=False),
]


@expand_option_groups
def list_profiles(profiles_file: ProfilesFileOption, list_format: ListFormat) -> int:
    """List the profiles of the file: a table on a terminal, one name a line in a pipe.

    Built-in names (easyllm models -p NAME) need no file and are not listed.
    """
    from ...config.profiles_file import profiles_path, read_profiles
    from ..results import print_list

    profiles = read_profiles(profiles_file.profiles)
    named = profiles.default_profile.partition(":")[0]
    rows = [row_from_profile(profiles, name, name == named) for name in profiles.tables]
    empty = (
        f"no profiles yet ({profiles_path(profiles_file.profiles)}): easyllm init, or profiles add"
    )
    return print_list("profiles", rows, empty, json=list_format.json, color=list_format.color)


def row_from_profile(profiles: Any, name: str, is_default: bool) -> dict[str, Any]:
    """One profile; one that is wrong says so, and the others are listed all the same."""
    from ...config.toml_document import problem_with
    from ...errors import ConfigError

    made = {"name": name, "default": is_default, "provider": None, "model": None, "endpoint": None}
    problem = problem_with(profiles, name)
    try:
        one = profiles.resolve_profile(name)
        made |= {"provider": one.provider, "model": one.model, "endpoint": one.endpoint}
    except ConfigError:
        pass
    return {**made, "problem": str(problem) if problem else None}


@expand_option_groups
def show_profile(
    profiles_file: ProfilesFileOption, list_format: ListFormat, name: ProfileName
) -> int:
    """Show every value of a profile that counts, and where it comes from; keys are masked."""
    import json

    from ...config.profiles_file import read_profiles
    from ...config.value_sources import resolve_settings
    from ...render.options import is_terminal
    from ...render.output import OutputStream
    from ..results import CommandResult, print_result

    profiles = read_profiles(profiles_file.profiles)
    found = resolve_settings(profiles, name)
    if list_format.json:
        values = [vars(one) for one in found]
        listing = {"profile": name, "values": values}
        return print_result(CommandResult(listing=listing), json=True, jsonl=False, debug=False)
    shown = [(one.key, json.dumps(one.value, ensure_ascii=False), one.source) for one in found]
    widest = max(len(key) for key, _, _ in shown)
    broad = min(max(len(value) for _, value, _ in shown), 40)
    lines = [f"{key:{widest}}  {value:{broad}}  {source}\n" for key, value, source in shown]
    OutputStream(1, terminal=is_terminal(1)).write("".join(lines))
    return 0


@expand_option_groups
def add_profile(
    profiles_file: ProfilesFileOption,
    name: ProfileName,
    start: ProfileBase,
    pairs: SettingPairs = None,
) -> int:
    """Add a profile; the file is made if there is none.

    easyllm profiles add r1 openrouter:deepseek/deepseek-r1 reasoning=high timeout.idle=120
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path
    from ...render.output import print_notice

    path = profiles_path(profiles_file.profiles)
    edit.insert_profile(path, name, start, pairs or [])
    print_notice(f"easyllm: added {name} ({path}); ask it with -p {name}")
    return 0


@expand_option_groups
def set_setting(
    profiles_file: ProfilesFileOption, name: ProfileName, key: SettingKey, value: SettingValue
) -> int:
    """Set one key of a profile; comments and order stay, and null takes the key away.

    easyllm profiles set r1 timeout.idle 120
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path

    edit.write_setting(profiles_path(profiles_file.profiles), name, key, value)
    return 0


@expand_option_groups
def remove_profile(profiles_file: ProfilesFileOption, name: ProfileName) -> int:
    """Take a profile out of the file; one that others extend or fall back to stays."""
    from ...config import edit
    from ...config.profiles_file import profiles_path
    from ...render.output import print_notice

    path = profiles_path(profiles_file.profiles)
    if edit.delete_profile(path, name):
        print_notice(f"easyllm: {name} was the default; now there is none ({path})")
    return 0


@expand_option_groups
def set_default_profile(profiles_file: ProfilesFileOption, name: DefaultProfileName = None) -> int:
    """Say which profile is asked when none is named; without NAME: print it."""
    from ...config import edit
    from ...config.profiles_file import profiles_path, read_profiles
    from ...errors import ConfigError
    from ...render.output import OutputStream

    path = profiles_path(profiles_file.profiles)
    if name is not None:
        edit.write_default_profile(path, name)
        return 0
    known = read_profiles(profiles_file.profiles).default_profile
    if not known:
        raise ConfigError(
            "there is no default profile", where=str(path), hint="easyllm profiles default NAME"
        )
    OutputStream(1, terminal=False).write(f"{known}\n")
    return 0


@expand_option_groups
def print_path(profiles_file: ProfilesFileOption, list_format: ListFormat) -> int:
    """Print where the profiles file is, or would be."""
    from ...config.profiles_file import profiles_path
    from ...render.output import OutputStream
    from ..results import CommandResult, print_result

    found = profiles_path(profiles_file.profiles)
    if list_format.json:
        listing = {"path": str(found), "exists": found.exists()}
        return print_result(CommandResult(listing=listing), json=True, jsonl=False, debug=False)
    OutputStream(1, terminal=False).write(f"{found}\n")
    return 0


@expand_option_groups
def edit_profiles(profiles_file: ProfilesFileOption) -> int:
    """Open the profiles file in $VISUAL or $EDITOR; it is checked before it counts.

    A copy is edited. One that is wrong is kept beside the file, which stays as it was.
    """
    from ...config.edit import apply_edited_copy, create_edit_copy
    from ...config.profiles_file import profiles_path
    from ...render.output import print_notice
    from ..editor import open_editor

    path = profiles_path(profiles_file.profiles)
    copy, began_with = create_edit_copy(path)
    open_editor(copy, began_with)
    if not apply_edited_copy(path, copy, began_with):
        print_notice(f"easyllm: nothing was changed ({path})")
    return 0


# The name of each command, what runs it, and its line in `easyllm profiles -h`.
SUBCOMMANDS = {
    "list": (list_profiles, "List the profiles of the file (the same as no command)."),
    "show": (show_profile, "Show every value of a profile, and where it comes from."),
    "add": (add_profile, "Add a profile: NAME PROVIDER[:MODEL] KEY=VALUE…"),
    "set": (set_setting, "Set one key of a profile; null takes it away."),
    "remove": (remove_profile, "Take a profile out of the file."),
    "default": (set_default_profile, "Say or show which profile is asked when none is named."),
    "path": (print_path, "Print where the profiles file is."),
    "edit": (edit_profiles, "Open the file in $EDITOR; it is checked before it counts."),
}
DEFAULT_COMMAND = "list"
EXAMPLE = "easyllm profiles set r1 timeout.idle 120"
