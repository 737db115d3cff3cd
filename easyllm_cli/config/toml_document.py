"""The file itself: read, changed, compared with what was wanted, and put back whole.

tomlkit keeps comments and order, but there are forms of TOML that it changes for the worse
without a word (tables in pieces). So what it makes is read again before it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Table

from ..errors import ConfigError
from ..private_file import lock_file, replace_file, require_private
from ..text_encoding import UTF8_BOM
from .profile import resolve_setting_alias
from .profiles_file import (
    SECTION_HEADER,
    Profiles,
    decode_profiles_text,
    parse_profiles,
    read_profiles_bytes,
)

PRIVATE_FILE_KEYS = {"api_key", "api_key_cmd"}  # need a file that is closed to others (DESIGN §6)


def edit_toml_file(
    path: Path, rewrite_text: Callable[[str], str], edit_expected: Callable[[dict[str, Any]], None]
) -> Profiles:
    """Change the file: `write` makes the new text, `want` the same change to plain dicts.

    Raises:
        ConfigError: the file is wrong, or would be; its bytes are as they were.
        OutputError: it cannot be written.
    """
    with lock_file(path) as real:
        data = read_profiles_bytes(path) or b""
        old = decode_profiles_text(path, data)
        before = parse_profiles(path, old)
        require_private_if_needed(path, before)
        wanted: dict[str, Any] = {"profiles": deepcopy(before.tables)}
        if before.default_profile:
            wanted["default_profile"] = before.default_profile
        edit_expected(wanted)
        try:
            text = rewrite_text(old)
            after = parse_profiles(path, text)
        except (TOMLKitError, ConfigError, RecursionError):
            raise not_editable_error(path) from None
        if after.tables != wanted["profiles"] or after.default_profile != wanted.get(
            "default_profile", ""
        ):
            raise not_editable_error(path)
        refuse_new_problems(path, before, after)
        if text != old:
            mark = UTF8_BOM if data.startswith(UTF8_BOM) else b""
            replace_file(real, mark + text.encode())
    return after


def not_editable_error(path: Path) -> ConfigError:
    """For a form of TOML that would come out wrong; nothing was written."""
    return ConfigError(
        "this file is written in a form that only an editor can change", where=str(path),
        hint="easyllm profiles edit",
    )  # fmt: skip


def require_private_if_needed(path: Path, profiles: Profiles) -> None:
    """An edit would close a file that others may have written to, and so make it trusted."""
    tables = [table for table in profiles.tables.values() if isinstance(table, dict)]
    found = sorted(PRIVATE_FILE_KEYS & {key for table in tables for key in table})
    if found:
        require_private(path, found[0])


def problem_with(profiles: Profiles, name: str) -> ConfigError | None:
    """What is wrong with a profile, the profiles that it falls back to included."""
    try:
        for other in profiles.resolve_profile(name).fallback or []:
            profiles.resolve_profile(other.partition(":")[0])
    except ConfigError as error:
        return error
    return None


def refuse_new_problems(path: Path, before: Profiles, after: Profiles) -> None:
    """A profile that was right stays right; one that is wrong already may be mended in steps."""
    old, new = (Profiles(None, one.tables, "", one.default_profile) for one in (before, after))
    for name in new.tables:
        error = problem_with(new, name)
        if error and (name not in old.tables or not problem_with(old, name)):
            said = f'profile "{name}" would be wrong: {error.message}'
            raise ConfigError(said, where=str(path), hint=error.hint)


def with_tomlkit(change: Callable[[Any], None]) -> Callable[[str], str]:
    """A `write` that changes tomlkit's document."""

    def write(old: str) -> str:
        document = tomlkit.parse(old)
        change(document)
        return tomlkit.dumps(document)

    return write


def assign_setting(document: Any, name: str, keys: tuple[str, ...], value: Any) -> None:
    """Set a profile's key, or with None take it away; works on tomlkit's and plain tables."""
    table = document["profiles"][name]
    spelt = [key for key in table if resolve_setting_alias(key) == keys[0]]
    keys = (spelt[0] if spelt else keys[0], *keys[1:])
    for key in keys[:-1]:
        if key not in table:
            if value is None:
                return
            set_table_key(table, key, {})
        table = table[key]
        if not isinstance(table, dict):
            raise ConfigError(f"{key} is no table: {'.'.join(keys)} has no place in it")
    if value is None:
        table.pop(keys[-1], None)
    else:
        set_table_key(table, keys[-1], value)


def set_table_key(table: Any, key: str, value: Any) -> None:
    """Set a key; a new one stands behind the last one, before the next table's comment."""
    if isinstance(table, AbstractTable):
        value = to_inline_table(value)
    if isinstance(table.get(key), Table):
        del table[key]  # [profiles.x.options], which becomes options = { … }
    if key in table or not isinstance(table, Table):
        table[key] = value
        return
    body = table.value.body
    behind: list[Any] = []
    while body and body[-1][0] is None:  # blank lines and comments
        behind.insert(0, body.pop())
    table.append(key, value)
    body.extend(behind)


def to_inline_table(value: Any) -> Any:
    """A table as `{ … }`: a new [section] would not stand where it belongs."""
    if not isinstance(value, dict):
        return value
    made = tomlkit.inline_table()
    made.update({key: to_inline_table(item) for key, item in value.items()})
    return made


def format_section(name: str, table: dict[str, Any]) -> str:
    """A new profile's text: `[profiles.NAME]` and its keys."""
    made, above, document = tomlkit.table(), tomlkit.table(is_super_table=True), tomlkit.document()
    for key, value in table.items():
        made.append(key, to_inline_table(value))
    above.append(name, made)
    document.append("profiles", above)
    return tomlkit.dumps(document)


def with_default_profile(old: str, name: str) -> str:
    """The text with `default_profile = "NAME"`; where there was none, as its first line."""
    document = tomlkit.parse(old)
    if "default_profile" in document:
        document["default_profile"] = name
        return tomlkit.dumps(document)
    return join_sections(f"default_profile = {format_toml_string(name)}\n", old)


def join_sections(old: str, new: str) -> str:
    """Two pieces of a file, a blank line between."""
    if not old or not new:
        return old + new
    return old + ("" if old.endswith("\n\n") else "\n" if old.endswith("\n") else "\n\n") + new


def format_toml_string(text: str) -> str:
    """A text as it stands in TOML, in quotes; JSON's form is another one beyond ASCII."""
    return tomlkit.item(text).as_string()


def parse_toml_value(text: str) -> Any:
    """A value as it may stand in TOML.

    Raises:
        ValueError: it is none.
    """
    try:
        return tomlkit.value(text).unwrap()
    except TOMLKitError as error:
        raise ValueError(str(error)) from None


def remove_section(text: str, name: str) -> str:
    """The text without the profile's `[profiles.NAME]` and `[profiles.NAME.…]`.

    Comments behind the last key stay if a blank line is between: they are about what follows. A
    profile in another form stays; whoever asks looks at what came out.
    """
    kept: list[str] = []
    section: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            kept += find_trailing_comments(section) if inside else section
            section = []
            header = SECTION_HEADER.match(line)
            inside = header is not None and name in header.groups()
        section.append(line)
    return "".join(kept + (find_trailing_comments(section) if inside else section))


def find_trailing_comments(section: list[str]) -> list[str]:
    """The blank lines and comments behind a section's last key, from the first blank line on."""
    last = max(
        (number for number, line in enumerate(section) if line.partition("#")[0].strip()),
        default=-1,
    )
    tail = section[last + 1 :]
    blank = next((number for number, line in enumerate(tail) if not line.strip()), 0)
    return tail[blank:]
