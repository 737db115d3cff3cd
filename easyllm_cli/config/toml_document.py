"""Rewrites profiles.toml with its comments and order, and verifies the result before writing.

tomlkit silently damages some forms of TOML, such as a table defined in several places. So its
output is parsed again and compared with the same edit of plain dicts.
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
from .profiles_file import Profiles, decode_profiles_text, parse_profiles, read_profiles_bytes
from .settings import (
    AUTO_PROVIDER,
    PRIVATE_FILE_SETTINGS,
    TOP_LEVEL_SETTINGS,
    FileSettings,
    resolve_setting_alias,
)
from .toml_text import insert_top_level


def edit_toml_file(
    path: Path, rewrite_text: Callable[[str], str], edit_expected: Callable[[dict[str, Any]], None]
) -> bool:
    """Edit the file; returns whether that changed it.

    `rewrite_text` returns the new text; `edit_expected` makes the same change to plain dicts, which
    the new text must match.

    Raises:
        ConfigError: the file is or would become invalid; it is left unchanged.
        OutputError: it cannot be written.
    """
    with lock_file(path) as real:
        data = read_profiles_bytes(path) or b""
        old = decode_profiles_text(path, data)
        before = parse_profiles(path, old)
        require_private_if_needed(path, before)
        expected: dict[str, Any] = {"profiles": deepcopy(before.tables)}
        expected |= {
            key: value
            for key, value in vars(before.settings).items()
            if value != TOP_LEVEL_SETTINGS[key].default
        }
        edit_expected(expected)
        try:
            text = rewrite_text(old)
            after = parse_profiles(path, text)
        except (TOMLKitError, ConfigError, RecursionError):
            raise not_editable_error(path) from None
        if after.tables != expected.pop("profiles") or after.settings != FileSettings(**expected):
            raise not_editable_error(path)
        refuse_new_problems(path, before, after)
        if text != old:
            mark = UTF8_BOM if data.startswith(UTF8_BOM) else b""
            replace_file(real, mark + text.encode())
    return text != old


def not_editable_error(path: Path) -> ConfigError:
    """The error for a form of TOML that tomlkit would damage; nothing was written."""
    return ConfigError(
        "this file is written in a form that only an editor can change", where=str(path),
        hint="easyllm profiles edit",
    )  # fmt: skip


def require_private_if_needed(path: Path, profiles: Profiles) -> None:
    """Raise ConfigError if the file sets a key or command and is not private.

    An edit sets mode 0600, so text that others wrote before would become trusted.
    """
    tables = [table for table in profiles.tables.values() if isinstance(table, dict)]
    private_keys = sorted({*PRIVATE_FILE_SETTINGS} & {key for table in tables for key in table})
    if private_keys:
        require_private(path, private_keys[0])


def problem_with(profiles: Profiles, name: str) -> ConfigError | None:
    """Return the first error in a profile, its fallbacks or its candidates; None = valid."""
    try:
        profile = profiles.resolve_profile(name)
        profiles.resolve_fallbacks(profile)
        if profile.provider == AUTO_PROVIDER:
            from .auto_profile import find_candidates

            find_candidates(profile, profiles)
    except ConfigError as error:
        return error
    return None


def refuse_new_problems(path: Path, before: Profiles, after: Profiles) -> None:
    """Raise ConfigError for a newly invalid profile; one that was invalid before may stay so."""
    old, new = (
        Profiles(None, profiles.tables, settings=profiles.settings) for profiles in (before, after)
    )
    for name in new.tables:
        error = problem_with(new, name)
        if error and (name not in old.tables or not problem_with(old, name)):
            message = f'profile "{name}" would be invalid: {error.message}'
            raise ConfigError(message, where=str(path), hint=error.hint)


def with_tomlkit(change: Callable[[Any], None]) -> Callable[[str], str]:
    """Turn a change of tomlkit's document into a function that rewrites text."""

    def rewrite(old: str) -> str:
        document = tomlkit.parse(old)
        change(document)
        return tomlkit.dumps(document)

    return rewrite


def assign_setting(document: Any, name: str, keys: tuple[str, ...], value: Any) -> None:
    """Set a profile's key, or remove it with None; works on tomlkit documents and plain dicts."""
    table = document["profiles"][name]
    spellings = [key for key in table if resolve_setting_alias(key) == keys[0]]
    keys = (spellings[0] if spellings else keys[0], *keys[1:])
    for key in keys[:-1]:
        if key not in table:
            if value is None:
                return
            set_table_key(table, key, {})
        table = table[key]
        if not isinstance(table, dict):
            raise ConfigError(f"{'.'.join(keys)} cannot be set, as {key} is not a table")
    if value is None:
        table.pop(keys[-1], None)
    else:
        set_table_key(table, keys[-1], value)


def set_table_key(table: Any, key: str, value: Any) -> None:
    """Set a key; a new key goes after the last key, before the comment of the next table."""
    if isinstance(table, AbstractTable):
        value = to_inline_table(value)
    if isinstance(table.get(key), Table):
        del table[key]  # [profiles.x.options] becomes options = { … }
    if key in table or not isinstance(table, Table):
        table[key] = value
        return
    body = table.value.body
    trailing: list[Any] = []
    while body and body[-1][0] is None:  # blank lines and comments
        trailing.insert(0, body.pop())
    table.append(key, value)
    body.extend(trailing)


def to_inline_table(value: Any) -> Any:
    """Convert a dict to `{ … }`: tomlkit would put a new [section] in the wrong place."""
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update({key: to_inline_table(item) for key, item in value.items()})
    return table


def format_section(name: str, table: dict[str, Any]) -> str:
    """Write a new profile as TOML: `[profiles.NAME]` and its keys."""
    document = tomlkit.document()
    parent, section = tomlkit.table(is_super_table=True), tomlkit.table()
    for key, value in table.items():
        section.append(key, to_inline_table(value))
    parent.append(name, section)
    document.append("profiles", parent)
    return tomlkit.dumps(document)


def with_top_level(old: str, key: str, value: str) -> str:
    """Set `KEY = "VALUE"` at the top level; a new key goes below the file's header."""
    document = tomlkit.parse(old)
    if key in document:
        document[key] = value
        return tomlkit.dumps(document)
    return insert_top_level(old, f"{key} = {format_toml_string(value)}\n")


def format_toml_string(text: str) -> str:
    """Quote a text as TOML; JSON's quoting differs outside ASCII."""
    return tomlkit.item(text).as_string()


def parse_toml_value(text: str) -> Any:
    """Parse one TOML value.

    Raises:
        ValueError: the text is not a TOML value.
    """
    try:
        return tomlkit.value(text).unwrap()
    except TOMLKitError as error:
        raise ValueError(str(error)) from None
