"""Edits of profiles.toml: comments and order stay, edits at once both stay, nothing wrong is kept.

A file that is wrong, or would be, is left byte for byte as it was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import ConfigError, OutputError, suggest_name
from ..private_file import lock_file, replace_file, require_not_writable_by_others, write_new_file
from ..vendors import VENDORS
from .assignment import parse_assignment
from .profiles_file import Profiles, decode_profiles_text, parse_profiles, read_profiles_bytes
from .toml_document import (  # fmt: skip
    assign_setting,
    edit_toml_file,
    format_section,
    join_sections,
    not_editable_error,
    problem_with,
    remove_section,
    with_default_profile,
    with_tomlkit,
)


def write_setting(path: Path, name: str, key: str, text: str) -> None:
    """Set one key of a profile that stands in the file; the text `null` takes it away.

    Raises:
        ConfigError: no such profile or key, a value that does not fit, or a wrong file.
        UsageError: a key itself. OutputError: the file cannot be written.
    """
    keys, value = parse_assignment(key, text)

    def change(document: Any) -> None:
        _require_profile(path, document, name)
        assign_setting(document, name, keys, value)

    edit_toml_file(path, with_tomlkit(change), change)


def insert_profile(path: Path, name: str, base_reference: str, assignments: list[str]) -> None:
    """A new profile: `start` is PROVIDER[:MODEL] or the profile to extend, each pair KEY=VALUE.

    Raises:
        ConfigError: the name is taken or cannot be one, or a key or value is wrong.
    """
    require_valid_profile_name(name)
    base, _, model = base_reference.partition(":")
    table: dict[str, Any] = {"model": model} if model else {}
    for pair in assignments:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f'"{pair}" is no KEY=VALUE', hint="e.g. temperature=0.2")
        keys, item = parse_assignment(key, value)
        if item is not None:
            _set_nested(table, keys, item)

    def want(wanted: dict[str, Any]) -> None:
        if name in wanted["profiles"]:
            raise ConfigError(
                f'there is a profile "{name}" already', where=str(path),
                hint="easyllm profiles set changes it, remove takes it away",
            )  # fmt: skip
        known = Profiles(None, wanted["profiles"], "", "").names
        if base not in known:
            hint = suggest_name(base, known)
            raise ConfigError(f'no provider and no profile "{base}"', hint=hint)
        new = {"extends" if base in wanted["profiles"] else "provider": base, **table}
        wanted["profiles"][name] = new
        sections.append(format_section(name, new))

    sections: list[str] = []
    edit_toml_file(path, lambda old: join_sections(old, sections[0]), want)


def _set_nested(table: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value


def delete_profile(path: Path, name: str) -> bool:
    """Take a profile out; gives whether it was the default, which then is none.

    Raises:
        ConfigError: there is none of that name, or another one needs it.
    """
    was_default: list[bool] = []

    def want(wanted: dict[str, Any]) -> None:
        _require_profile(path, wanted, name)
        del wanted["profiles"][name]
        named = wanted.get("default_profile", "").partition(":")[0]
        was_default.append(named == name and name not in VENDORS)
        if was_default[-1]:
            del wanted["default_profile"]

    def change(document: Any) -> None:
        document.get("profiles", {}).pop(name, None)
        if was_default[-1]:
            del document["default_profile"]

    edit_toml_file(path, lambda old: with_tomlkit(change)(remove_section(old, name)), want)
    return was_default[-1]


def write_default_profile(path: Path, name: str) -> None:
    """Name the profile (or NAME:MODEL) that is asked when no other is.

    Raises:
        ConfigError: there is no such profile.
    """

    def change(document: Any) -> None:
        tables = document.get("profiles", {})
        Profiles(path, tables, "", "").resolve_profile(name.partition(":")[0])
        document["default_profile"] = name

    edit_toml_file(path, lambda old: with_default_profile(old, name), change)


def _require_profile(path: Path, document: Any, name: str) -> None:
    """Raise ConfigError unless the profile stands in the file."""
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
    """Raise ConfigError for a name that -p could not name."""
    if not name or ":" in name or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"{name[:80]!r} cannot be a profile's name", hint="letters, digits, - and _ are best"
        )


def create_profiles_file(path: Path, text: str) -> None:
    """Write a file that must not be there yet.

    Raises:
        ConfigError: it is there. OutputError: it cannot be written.
    """
    refuse_existing_file(path)
    with lock_file(path) as real:
        refuse_existing_file(path)
        parse_profiles(path, text)
        replace_file(real, text.encode())


def refuse_existing_file(path: Path) -> None:
    """Raise ConfigError where a profiles file is, or a link that leads nowhere."""
    if os.path.lexists(path):
        raise ConfigError(
            "there is a profiles file already; it is left as it is", where=str(path),
            hint="easyllm profiles edit",
        )  # fmt: skip


def create_edit_copy(path: Path) -> tuple[Path, bytes]:
    """A copy beside the file (0600) for an editor, and the bytes that it began with.

    Raises:
        ConfigError: others can write the file. OutputError: the copy cannot be made.
    """
    with lock_file(path) as real:
        try:
            if real.exists():  # an edit would close it, and what others wrote would be believed
                require_not_writable_by_others(path, "the profiles file")
            data = real.read_bytes() if real.exists() else b""
            for number in range(100):
                copy = real.with_name(f"{real.stem}.edit{number or ''}{real.suffix}")
                if not os.path.lexists(copy):
                    write_new_file(copy, data)
                    return copy, data
        except OSError as error:
            raise OutputError.from_os_error("cannot be copied", error, str(path)) from None
    raise OutputError("too many edits are kept beside it", where=str(path))


def apply_edited_copy(path: Path, copy: Path, original_bytes: bytes) -> bool:
    """Put the edited copy in the file's place, if it is right; gives whether anything changed.

    Raises:
        ConfigError: it is wrong, or the file has changed meanwhile; the copy stays beside it.
    """
    with lock_file(path) as real:
        try:
            # Written by the user's editor just now, with whatever mode that editor gives it.
            data = read_profiles_bytes(copy, skip_permission_check=True) or b""
            if data != original_bytes:
                require_valid_profiles(parse_profiles(copy, decode_profiles_text(copy, data)))
                if (real.read_bytes() if real.exists() else b"") != original_bytes:
                    raise ConfigError("the file has changed meanwhile", where=str(path))
                replace_file(real, data)
        except ConfigError as error:
            error.hint = f"the file is as it was; your edit is kept in {copy}" + (
                f" ({error.hint})" if error.hint else ""
            )
            raise
        copy.unlink(missing_ok=True)
    return data != original_bytes


def require_valid_profiles(profiles: Profiles) -> None:
    """Raise ConfigError for the first profile that is wrong, or a default that is none."""
    for name in profiles.tables:
        if error := problem_with(profiles, name):
            raise error
    if profiles.default_profile:
        profiles.resolve_profile(profiles.default_profile.partition(":")[0])
