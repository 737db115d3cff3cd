"""`easyllm profiles`: lists, shows and changes the profiles of the profiles file."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..option_types import (
    complete_file_profiles,
    complete_profiles,
    complete_setting_values,
    complete_settings,
)
from ..options.common import ListFormat, ProfilesFileOption
from ..options.groups import expand_option_groups

if TYPE_CHECKING:
    from pathlib import Path

    from ...config.value_sources import EffectiveSetting

NOTHING_CHANGED = "nothing was changed"
ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A profile.", show_default=False, autocompletion=complete_file_profiles
    ),
]
DefaultProfileName = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]", help="A profile, or NAME:MODEL.", show_default=False,
        autocompletion=complete_profiles,
    ),
]  # fmt: skip
ProfileBase = Annotated[
    str,
    typer.Argument(
        metavar="PROVIDER[:MODEL]", help="Provider, or a profile to extend.", show_default=False,
        autocompletion=complete_profiles,
    ),
]  # fmt: skip
SettingPairs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="JSON, TOML or text; docs/profiles.md lists the keys.",
        show_default=False,
    ),
]  # fmt: skip
SettingKey = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="E.g. model, timeout.idle, options.x.", show_default=False,
        autocompletion=complete_settings,
    ),
]  # fmt: skip
SettingValue = Annotated[
    str,
    typer.Argument(
        metavar="VALUE", help="JSON, TOML or text; null removes the key.", show_default=False,
        autocompletion=complete_setting_values,
    ),
]  # fmt: skip
AllSettings = Annotated[bool, typer.Option("-a", "--all", help="Show the defaults, too.")]


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
    """The row of one profile; `problem` says what is wrong with it."""
    from ...config.toml_document import problem_with
    from ...errors import ConfigError

    row = {"name": name, "default": is_default, "provider": None, "model": None, "endpoint": None}
    problem = problem_with(profiles, name)
    try:
        profile = profiles.resolve_profile(name)
        row |= {"provider": profile.provider, "model": profile.model, "endpoint": profile.endpoint}
    except ConfigError:
        pass
    return {**row, "problem": str(problem) if problem else None}


@expand_option_groups
def show_profile(
    profiles_file: ProfilesFileOption,
    list_format: ListFormat,
    name: ProfileName,
    everything: AllSettings = False,
) -> int:
    """Show the settings of a profile and where each value comes from; keys are masked.

    Defaults are shown with -a, with --json and in a pipe.
    """
    from ...config.profiles_file import read_profiles
    from ...config.value_sources import resolve_settings
    from ...render.options import takes_layout
    from ..results import CommandResult, print_result

    profiles = read_profiles(profiles_file.profiles)
    settings = resolve_settings(profiles, name)
    if list_format.json:
        values = [vars(setting) for setting in settings]
        listing = {"profile": name, "values": values}
        return print_result(CommandResult(listing=listing), json=True, jsonl=False, debug=False)
    path = str(profiles.path or "")
    color = list_format.color or "auto"
    if takes_layout(1, color):
        print_settings_table(settings, path, everything, color)
    else:
        print_setting_lines(settings)
    return 0


def print_settings_table(
    settings: "list[EffectiveSetting]", path: str, everything: bool, color: str
) -> None:
    """Print the settings for a terminal: the file's path once, defaults only if asked for."""
    from ...config.value_sources import DEFAULT_SOURCE
    from ...render.tables import print_settings

    rows = [
        {
            "key": each.key,
            "value": "none" if each.value is None else format_setting_value(each.value),
            "source": each.source.replace(f"{path}:", "line ", 1) if path else each.source,
        }
        for each in settings
        if everything or each.source != DEFAULT_SOURCE
    ]
    in_file = any(each.source.startswith(f"{path}:") for each in settings)
    print_settings(path if in_file else "", rows, len(settings) - len(rows), color)


def print_setting_lines(settings: "list[EffectiveSetting]") -> None:
    """Print every setting on a line of its own, for a pipe."""
    from ...render.output import OutputStream

    rows = [(each.key, format_setting_value(each.value), each.source) for each in settings]
    key_width = max(len(key) for key, _, _ in rows)
    value_width = min(max(len(value) for _, value, _ in rows), 40)
    lines = [f"{key:{key_width}}  {value:{value_width}}  {source}\n" for key, value, source in rows]
    OutputStream(1, terminal=False).write("".join(lines))


def format_setting_value(value: Any) -> str:
    """Format as JSON."""
    import json

    return json.dumps(value, ensure_ascii=False)


@expand_option_groups
def add_profile(
    profiles_file: ProfilesFileOption,
    name: ProfileName,
    start: ProfileBase,
    pairs: SettingPairs = None,
) -> int:
    """Add a profile; the file is created if there is none.

    easyllm profiles add r1 openrouter:deepseek/deepseek-r1 reasoning=high
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path

    path = profiles_path(profiles_file.profiles)
    edit.insert_profile(path, name, start, pairs or [])
    print_done(f"added {name}", path, f"; use it with -p {name}")
    return 0


@expand_option_groups
def set_setting(
    profiles_file: ProfilesFileOption, name: ProfileName, key: SettingKey, value: SettingValue
) -> int:
    """Set one key of a profile, or remove it with null; comments and order are kept.

    easyllm profiles set r1 timeout.idle 120
    """
    from ...config import edit
    from ...config.profiles_file import profiles_path

    path = profiles_path(profiles_file.profiles)
    is_changed = edit.write_setting(path, name, key, value)
    # Never the value: it may be a key, in headers or options.
    done = f"removed {key} from {name}" if value == "null" else f"set {key} of {name}"
    print_done(done if is_changed else NOTHING_CHANGED, path)
    return 0


def print_done(done: str, path: "Path", then: str = "") -> None:
    """Say on stderr what was done to the profiles file."""
    from ...render.output import print_notice

    print_notice(f"easyllm: {done} ({path}){then}")


@expand_option_groups
def remove_profile(profiles_file: ProfilesFileOption, name: ProfileName) -> int:
    """Remove a profile from the file, unless another one extends it or falls back to it."""
    from ...config import edit
    from ...config.profiles_file import profiles_path

    path = profiles_path(profiles_file.profiles)
    was_default = edit.delete_profile(path, name)
    print_done(f"removed {name}", path, "; it was the default, now there is none" * was_default)
    return 0


@expand_option_groups
def set_default_profile(profiles_file: ProfilesFileOption, name: DefaultProfileName = None) -> int:
    """Set the profile that is used without -p; without NAME, print it."""
    from ...config import edit
    from ...config.profiles_file import profiles_path, read_profiles
    from ...errors import ConfigError
    from ...render.output import OutputStream

    path = profiles_path(profiles_file.profiles)
    if name is not None:
        is_changed = edit.write_default_profile(path, name)
        print_done(f"{name} is {'now ' * is_changed}the default profile", path)
        return 0
    default = read_profiles(profiles_file.profiles).default_profile
    if not default:
        raise ConfigError(
            "there is no default profile", where=str(path), hint="easyllm profiles default NAME"
        )
    OutputStream(1, terminal=False).write(f"{default}\n")
    return 0


@expand_option_groups
def print_profiles_path(profiles_file: ProfilesFileOption, list_format: ListFormat) -> int:
    """Print the path of the profiles file, even if it does not exist."""
    from ...config.profiles_file import profiles_path
    from ..results import print_path

    return print_path(profiles_path(profiles_file.profiles), json=list_format.json)


@expand_option_groups
def edit_profiles(profiles_file: ProfilesFileOption) -> int:
    """Edit the profiles file in $VISUAL or $EDITOR; the result is checked before it is saved.

    You edit a copy. A copy with errors is kept next to the file, and the file stays unchanged.
    """
    from ...config.edit import apply_edited_copy, create_edit_copy
    from ...config.profiles_file import profiles_path
    from ..editor import open_editor

    path = profiles_path(profiles_file.profiles)
    copy, original = create_edit_copy(path)
    open_editor(copy, original)
    if not apply_edited_copy(path, copy, original):
        print_done(NOTHING_CHANGED, path)
    return 0


# Subcommand: its function, and its line in `easyllm profiles -h`.
SUBCOMMANDS = {
    "list": (list_profiles, "List the profiles of the file (the same as no command)."),
    "show": (show_profile, "Show every setting of a profile, and where its value comes from."),
    "add": (add_profile, "Add a profile: NAME PROVIDER[:MODEL] KEY=VALUE…"),
    "set": (set_setting, "Set one key of a profile; null removes it."),
    "remove": (remove_profile, "Remove a profile from the file."),
    "default": (set_default_profile, "Set or print the profile that is used without -p."),
    "path": (print_profiles_path, "Print the path of the profiles file."),
    "edit": (edit_profiles, "Edit the file in $EDITOR; it is checked before it is saved."),
}
DEFAULT_COMMAND = "list"
EXAMPLES = (
    "easyllm profiles add r1 openrouter:deepseek/deepseek-r1 reasoning=high\n"
    "easyllm profiles set r1 timeout.idle 120"
)
