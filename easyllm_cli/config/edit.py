"""Edits profiles.toml: adds, changes and removes profiles, and applies an edited copy.

Comments and order stay, and a lock keeps simultaneous edits from overwriting each other. If the
file is or would become invalid, it is left unchanged.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError, suggest_name
from ..private_file import lock_file, replace_file, require_not_writable_by_others, write_new_file
from ..vendors import VENDORS
from .assignment import parse_assignment
from .model_names import unknown_profile_hint
from .profiles_file import Profiles, decode_profiles_text, parse_profiles, read_profiles_bytes
from .toml_document import (  # fmt: skip
    assign_setting,
    edit_toml_file,
    format_section,
    not_editable_error,
    problem_with,
    with_tomlkit,
    with_top_level,
)
from .toml_text import join_sections, remove_section, remove_top_level


def write_setting(path: Path, name: str, key: str, text: str) -> bool:
    """Set one key of a profile; the text `null` removes it. Returns whether the file changed.

    Raises:
        ConfigError: unknown profile or key, invalid value, or invalid file.
        UsageError: the key is `api_key`.
        OutputError: the file cannot be written.
    """
    keys, value = parse_assignment(key, text)

    def change(document: Any) -> None:
        _require_profile(path, document, name)
        assign_setting(document, name, keys, value)

    return edit_toml_file(path, with_tomlkit(change), change)


def insert_profile(path: Path, name: str, base_reference: str, assignments: list[str]) -> None:
    """Add a profile to the file.

    `base_reference` is PROVIDER[:MODEL] or a profile to extend; each assignment is KEY=VALUE.

    Raises:
        ConfigError: the name exists or is invalid, or a key or value is invalid.
        UsageError: a key is `api_key`.
        OutputError: the file cannot be written.
    """
    require_valid_profile_name(name)
    base, _, model = base_reference.partition(":")
    table: dict[str, Any] = {"model": model} if model else {}
    for pair in assignments:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f'"{pair}" is not KEY=VALUE', hint="e.g. temperature=0.2")
        keys, item = parse_assignment(key, value)
        if item is not None:
            _set_nested(table, keys, item)

    def edit_expected(expected: dict[str, Any]) -> None:
        if name in expected["profiles"]:
            raise ConfigError(
                f'there is a profile "{name}" already', where=str(path),
                hint="easyllm profiles set changes it, easyllm profiles remove deletes it",
            )  # fmt: skip
        known = Profiles(None, expected["profiles"]).names
        if base not in known:
            hint = unknown_profile_hint(base_reference, expected["profiles"], known)
            raise ConfigError(f'no provider and no profile "{base}"', hint=hint)
        new = {"extends" if base in expected["profiles"] else "provider": base, **table}
        expected["profiles"][name] = new
        sections.append(format_section(name, new))

    sections: list[str] = []
    edit_toml_file(path, lambda old: join_sections(old, sections[0]), edit_expected)


def _set_nested(table: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value


def delete_profile(path: Path, name: str) -> bool:
    """Remove a profile; returns whether it was the default, which is then unset.

    Raises:
        ConfigError: there is no such profile, or another profile extends it or falls back to it.
        OutputError: the file cannot be written.
    """
    was_default: list[bool] = []

    def edit_expected(expected: dict[str, Any]) -> None:
        _require_profile(path, expected, name)
        del expected["profiles"][name]
        default = expected.get("default_profile", "").partition(":")[0]
        was_default.append(default == name and name not in VENDORS)
        if was_default[-1]:
            del expected["default_profile"]

    def change(document: Any) -> None:
        document.get("profiles", {}).pop(name, None)

    def rewrite(old: str) -> str:
        text = with_tomlkit(change)(remove_section(old, name))
        return remove_top_level(text, "default_profile") if was_default[-1] else text

    edit_toml_file(path, rewrite, edit_expected)
    return was_default[-1]


def write_default_profile(path: Path, name: str) -> bool:
    """Set `default_profile` to a profile, or to NAME:MODEL; returns whether the file changed.

    Raises:
        ConfigError: there is no such profile.
        OutputError: the file cannot be written.
    """

    def change(document: Any) -> None:
        tables = document.get("profiles", {})
        Profiles(path, tables).resolve_profile(name.partition(":")[0])
        document["default_profile"] = name

    return edit_toml_file(path, lambda old: with_top_level(old, "default_profile", name), change)


def write_history_setting(path: Path, mode: str | None) -> bool:
    """Set `history` at the top level, or remove it with None; returns whether the file changed.

    Raises:
        ConfigError: the file is invalid. OutputError: it cannot be written.
    """

    was_set: list[bool] = []

    def edit_expected(expected: dict[str, Any]) -> None:
        was_set.append(expected.pop("history", None) is not None)
        if mode is not None:
            expected["history"] = mode

    def rewrite(old: str) -> str:
        if mode is not None:
            return with_top_level(old, "history", mode)
        return remove_top_level(old, "history") if was_set[0] else old

    return edit_toml_file(path, rewrite, edit_expected)


def _require_profile(path: Path, document: Any, name: str) -> None:
    """Raise ConfigError unless the file has a table for the profile."""
    known = list(document.get("profiles", {}))
    if name in known:
        if not isinstance(document["profiles"][name], dict):
            raise not_editable_error(path)
        return
    hint = suggest_name(name, known) if known else f"easyllm profiles add {name} PROVIDER"
    if name in VENDORS:
        hint = f"it is a built-in name: easyllm profiles add {name} {name} KEY=VALUE"
    raise ConfigError(f'no profile "{name}" in the file', where=str(path), hint=hint)


def require_valid_profile_name(name: str) -> None:
    """Raise ConfigError for a name that -p cannot select."""
    if not name or ":" in name or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"{name[:80]!r} cannot be a profile name", hint="use letters, digits, - and _"
        )


def create_profiles_file(path: Path, text: str) -> None:
    """Write a new profiles file.

    Raises:
        ConfigError: the file exists already, or the text is not valid TOML.
        OutputError: it cannot be written.
    """
    refuse_existing_file(path)
    with lock_file(path) as real:
        refuse_existing_file(path)
        parse_profiles(path, text)
        replace_file(real, text.encode())


def refuse_existing_file(path: Path) -> None:
    """Raise ConfigError if the path exists, even as a dangling symbolic link."""
    if os.path.lexists(path):
        raise ConfigError(
            "there is a profiles file already; it was not changed", where=str(path),
            hint="easyllm profiles edit",
        )  # fmt: skip


def create_edit_copy(path: Path) -> tuple[Path, bytes]:
    """Copy the file for an editor; returns the copy's path (same folder, 0600) and its bytes.

    Raises:
        ConfigError: others can write the file.
        OutputError: the copy cannot be written.
    """
    with lock_file(path) as real:
        try:
            if real.exists():  # an edit sets mode 0600, so others' text would become trusted
                require_not_writable_by_others(path, "the profiles file")
            data = real.read_bytes() if real.exists() else b""
            for number in range(100):
                copy = real.with_name(f"{real.stem}.edit{number or ''}{real.suffix}")
                if not os.path.lexists(copy):
                    write_new_file(copy, data)
                    return copy, data
        except OSError as error:
            raise OutputError.from_os_error("cannot be copied", error, str(path)) from None
    raise OutputError("too many unfinished edits are next to this file", where=str(path))


def apply_edited_copy(path: Path, copy: Path, original_bytes: bytes) -> bool:
    """Replace the file with the edited copy if it is valid; returns whether anything changed.

    Raises:
        ConfigError: the copy is invalid, or the file was changed meanwhile; the copy is kept.
        OutputError: the file cannot be written.
    """
    with lock_file(path) as real:
        try:
            # The user's editor has just written the copy and may have changed its mode.
            data = read_profiles_bytes(copy, skip_permission_check=True) or b""
            if data != original_bytes:
                require_valid_profiles(parse_profiles(copy, decode_profiles_text(copy, data)))
                if (real.read_bytes() if real.exists() else b"") != original_bytes:
                    raise ConfigError("the file was changed during your edit", where=str(path))
                replace_file(real, data)
        except ConfigError as error:
            error.hint = f"the file was not changed; your edit is kept in {copy}" + (
                f" ({error.hint})" if error.hint else ""
            )
            raise
        copy.unlink(missing_ok=True)
    return data != original_bytes


def require_valid_profiles(profiles: Profiles) -> None:
    """Raise ConfigError for the first invalid profile, or for a default that does not exist."""
    for name in profiles.tables:
        if error := problem_with(profiles, name):
            raise error
    if profiles.default_profile:
        profiles.resolve_profile(profiles.default_profile.partition(":")[0])
