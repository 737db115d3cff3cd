"""Finds and reads profiles.toml, resolves `extends`, and selects the profile to use."""

from __future__ import annotations

import os
import re
import stat
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..errors import ConfigError, suggest_name
from ..private_file import MAX_PRIVATE_FILE_BYTES, require_not_writable_by_others, require_private
from ..text_encoding import decode_text
from ..vendors import VENDORS
from .paths import config_folder
from .profile import Profile, profile_from_settings
from .settings import (
    AUTO_PROVIDER,
    KEY_SOURCES,
    TOP_LEVEL_SETTINGS,
    FileSettings,
    resolve_setting_alias,
)
from .toml_parsing import parse_toml

# Patterns for errors and edits: compiled when used, which takes 0.2 ms.
SECTION_HEADER = (
    r"""\s*\[\s*profiles\s*\.\s*(?:"([^"]+)"|'([^']+)'|([^\]"'.\s]+))\s*(?:\.[^\]]*)?\]"""
)
# A string, closed or not. Followed by = . or ] it is a quoted key, not a value.
TOML_STRING = r"""("(?:[^"\\]|\\.)*+"?|'[^']*+'?)(\s*[=.\]])?"""


def find_key_position(text: str, name: str | None, key: str) -> tuple[int, int]:
    """Return line and column (from 1) of a key in a profile's table, or of a top-level key.

    `name` None means the top level. When the key is not found, the result is the table's position.
    tomllib gives no positions for valid files, so this searches the lines again.
    """
    inside = name is None
    wanted = re.compile(rf"(^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*[=.\]]") if key else None
    position = (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        table = re.match(SECTION_HEADER, line)
        if table or line.lstrip().startswith("["):
            inside = name is not None and table is not None and name in table.groups()
            if inside and position == (1, 1):
                position = (number, 1)
        if inside and wanted and (match := wanted.search(_blank_values(line))):
            return number, match.end(1) + 1
    return position


def _blank_values(line: str) -> str:
    """Blank the strings of a line, except quoted keys, and cut off its comment."""

    def blanked(match: re.Match[str]) -> str:
        return match[0] if match[2] else " " * len(match[1])

    return re.sub(TOML_STRING, blanked, line).partition("#")[0]


PROFILES_FILE_NAME = "profiles.toml"
TOP_LEVEL_KEYS = (*TOP_LEVEL_SETTINGS, "profiles")
NO_FILE_SETTINGS = FileSettings()
NO_PROFILE_CODE = "none_named"  # error code: no profile is selected anywhere
MAX_PARSED_FILES = 16  # a program that reads many files keeps only some of them parsed
_parsed_files: dict[Path, Profiles] = {}  # the last content of each file that was read


class Profiles:
    """The profiles and settings of one profiles file, or of no file, plus the built-in names."""

    def __init__(
        self,
        path: Path | None,
        tables: dict[str, Any],
        text: str = "",
        settings: FileSettings = NO_FILE_SETTINGS,
    ) -> None:
        self.path = path
        self.tables = tables
        self.text = text
        self.settings = settings

    @property
    def default_profile(self) -> str:
        """NAME or NAME:MODEL of the profile without -p; "" = not set."""
        return self.settings.default_profile

    @property
    def names(self) -> list[str]:
        """Profiles of the file, then built-in names, then names of plugins."""
        return list(dict.fromkeys([*self.tables, *VENDORS, *_plugin_names()]))

    def resolve_profile(self, name: str, typed: str = "") -> Profile:
        """Build a profile by name, merged with the profiles that it extends.

        `typed`: the NAME:MODEL that the name was part of, for the hint of an error.
        Raises:
            ConfigError: no such profile, circular `extends`, unknown key or wrong type.
        """
        tables = self.resolve_extends_chain(name, typed)
        merged: dict[str, Any] = {}
        for table_name, table in reversed(tables):
            self._build_profile(table_name, table)
            if any(resolve_setting_alias(key) in KEY_SOURCES for key in table):
                merged = {key: value for key, value in merged.items() if key not in KEY_SOURCES}
            for key, value in self._copy_table(table_name, table).items():
                key = resolve_setting_alias(key)
                both = isinstance(value, dict) and isinstance(merged.get(key), dict)
                merged[key] = {**merged[key], **value} if both else value
        merged.setdefault("history", self.settings.history)
        profile = self._build_profile(name, merged)
        if profile.provider is None:
            raise self.error_at(
                f'profile "{name}" names no provider', name, "", 'add provider = "ollama"'
            )
        is_known = profile.provider in VENDORS or profile.provider == AUTO_PROVIDER
        if not is_known and profile.provider not in _plugin_names():
            hint = suggest_name(profile.provider, [*VENDORS, *_plugin_names()])
            raise self.error_at(f'no provider "{profile.provider}"', name, "provider", hint)
        if profile.api_key is not None or profile.api_key_cmd is not None:
            self._require_private("api_key" if profile.api_key is not None else "api_key_cmd")
        path = str(self.path.absolute()) if self.path else None
        return profile.replace_set(profiles_path=path, total_budget=self.settings.budget)

    def resolve_selector(self, selector: str, model: str | None = None) -> Profile:
        """Build the profile that NAME or NAME:MODEL means; `model` replaces its model.

        Raises:
            ConfigError: as `resolve_profile`.
        """
        name, _, own_model = selector.partition(":")
        return self.resolve_profile(name, selector).replace_set(model=model or own_model or None)

    def resolve_fallbacks(self, profile: Profile) -> list[Profile]:
        """Build the profiles that the profile's `fallback` names, in order.

        Their own `fallback` is not followed.

        Raises:
            ConfigError: as `resolve_profile`, or one of them is an auto profile.
        """
        fallbacks = [self.resolve_selector(selector) for selector in profile.fallback or []]
        for fallback in fallbacks:
            if fallback.provider == AUTO_PROVIDER:
                raise self.error_at(
                    f'fallback "{fallback.name}" is an auto profile, which answers none itself',
                    profile.name.partition(":")[0], "fallback", "name one of its candidates",
                )  # fmt: skip
        return fallbacks

    def resolve_extends_chain(self, name: str, typed: str = "") -> list[tuple[str, dict[str, Any]]]:
        """Return names and tables: the profile's own, then those it extends, nearest first."""
        chain: list[tuple[str, dict[str, Any]]] = []
        seen: set[str] = set()
        while True:
            if name in self.tables and name not in seen:
                table = self.tables[name]
            elif name in VENDORS or name in _plugin_names():
                # A profile with a provider's name may extend that provider.
                return [*chain, (name, {"provider": name})]
            elif chain:
                is_circular = name in self.tables
                why = "which makes a circle" if is_circular else "which does not exist"
                raise self.error_at(
                    f'profile "{chain[-1][0]}" extends "{name}", {why}', chain[-1][0], "extends",
                    "remove one extends" if is_circular else suggest_name(name, self.names),
                )  # fmt: skip
            else:
                from .model_names import unknown_profile_hint

                raise ConfigError(
                    f'no profile "{name}"',
                    where=str(self.path) if self.path else "no profiles file",
                    hint=unknown_profile_hint(typed or name, self.tables, self.names),
                )
            chain.append((name, table))
            seen.add(name)
            parent = table.get("extends") if isinstance(table, dict) else None
            if not isinstance(parent, str):
                # A profile without `extends` names its provider, which adds no settings.
                return chain
            name = parent

    def _build_profile(self, name: str, table: dict[str, Any]) -> Profile:
        """Build a Profile; errors get the file's line and column."""
        if not isinstance(table, dict):
            raise self.error_at(f"profiles.{name} must be a table", name, "", f"[profiles.{name}]")
        try:
            return profile_from_settings(table, name)
        except ConfigError as error:
            raise self.error_at(error.message, name, error.code or "", error.hint) from None

    def _copy_table(self, name: str, table: dict[str, Any]) -> dict[str, Any]:
        """Copy a table: a list that a program changes in a Profile must not be in the next one."""
        try:
            return deepcopy(table)
        except RecursionError:
            raise self.error_at(f'profile "{name}" is nested too deeply', name, "", "") from None

    def error_at(self, message: str, name: str, key: str, hint: str) -> ConfigError:
        """An error about a key of a profile, with its line and column."""
        where = str(self.path) if self.path else ""
        if self.path:
            line, column = find_key_position(self.text, name, key)
            where = f"{self.path}:{line}:{column}"
        return ConfigError(message, where=where, hint=hint)

    def _require_private(self, setting: str) -> None:
        if self.path is not None:
            require_private(self.path, setting)


def _plugin_names() -> list[str]:
    """Names of plugin providers; takes 9 ms, so it is used only after the built-in names."""
    from ..plugins import plugin_names

    return plugin_names()


def read_profiles(file: str | None = None) -> Profiles:
    """Read the profiles from `file`, EASYLLM_PROFILES or the platform's config folder.

    A file given by `file` or the variable must exist; the default file need not. The current folder
    is never searched. The file is read at every call, but parsed only if its content has changed.

    Raises:
        ConfigError: the file is missing, unreadable, too large, or not valid TOML.
    """
    explicit_path = file or os.environ.get("EASYLLM_PROFILES")
    try:
        path = profiles_path(file)
    except ConfigError:
        if not explicit_path:
            return Profiles(None, {})
        raise
    text = read_profiles_text(path)
    if text is not None:
        return _parse_if_changed(path, text)
    if explicit_path:
        hint = "check the path; the built-in names need no file, e.g. -p ollama"
        raise ConfigError("no such profiles file", where=str(path), hint=hint)
    return Profiles(None, {})


def _parse_if_changed(path: Path, text: str) -> Profiles:
    """Parse a file's text, or return the Profiles of the last call if the text is the same."""
    profiles = _parsed_files.get(path)
    if profiles is None or profiles.text != text:
        if len(_parsed_files) >= MAX_PARSED_FILES:
            _parsed_files.clear()
        profiles = _parsed_files[path] = parse_profiles(path, text)
    return profiles


def profiles_path(file: str | None = None) -> Path:
    """Path of the profiles file, existing or not: `file`, EASYLLM_PROFILES or the config folder.

    Raises:
        ConfigError: the home folder is unknown.
    """
    explicit_path = file or os.environ.get("EASYLLM_PROFILES")
    try:
        return (
            Path(os.path.expanduser(explicit_path))
            if explicit_path
            else config_folder() / PROFILES_FILE_NAME
        )
    except RuntimeError as error:
        raise ConfigError(f"no such profiles file: {error}", where=explicit_path or "") from None


def read_profiles_text(path: Path) -> str | None:
    """Read a profiles file's text without its byte order mark; None = there is no such file.

    Raises:
        ConfigError: as `read_profiles_bytes`, or the file is not UTF-8.
    """
    data = read_profiles_bytes(path)
    return None if data is None else decode_profiles_text(path, data)


def decode_profiles_text(path: Path, data: bytes) -> str:
    """Decode a profiles file's bytes. Raises ConfigError if they are not UTF-8."""
    return decode_text(data, "the profiles file", str(path), ConfigError)


def read_profiles_bytes(path: Path, skip_permission_check: bool = False) -> bytes | None:
    """Read a profiles file's bytes; None = there is no such file.

    Raises:
        ConfigError: the file is unreadable, larger than 1 MiB, not a regular file, or writable by
            others (not checked with `skip_permission_check`).
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise ConfigError("the profiles file is not a regular file", where=str(path))
        if not skip_permission_check:
            require_not_writable_by_others(path, "the profiles file")
        if state.st_size > MAX_PRIVATE_FILE_BYTES:
            raise ConfigError("the profiles file is larger than 1 MiB", where=str(path))
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"the profiles file cannot be read: {error.strerror}", where=str(path)
        ) from None


def default_profiles_location() -> str:
    """Path of the default profiles file, existing or not."""
    try:
        return str(config_folder() / PROFILES_FILE_NAME)
    except RuntimeError:  # the home folder is unknown
        return PROFILES_FILE_NAME


def parse_profiles(path: Path, text: str) -> Profiles:
    """Parse a file's text; each profile is checked only when it is resolved.

    Raises:
        ConfigError: not valid TOML, or a wrong key or type at the top level.
    """
    document = parse_toml(path, text)
    tables = document.pop("profiles", {})
    try:
        settings = file_settings_from_table(document)
    except ConfigError as error:
        line, column = find_key_position(text, None, error.code or "")
        where = f"{path}:{line}:{column}"
        raise ConfigError(error.message, where=where, hint=error.hint) from None
    if not isinstance(tables, dict):
        raise ConfigError("profiles must be tables", where=str(path), hint="[profiles.mine]")
    return Profiles(path, tables, text, settings)


def file_settings_from_table(table: dict[str, Any]) -> FileSettings:
    """Check the top level of a profiles file, without the tables of the profiles.

    Raises:
        ConfigError: unknown setting or invalid value. Its `code` is the setting.
    """
    for key in table:
        if key not in TOP_LEVEL_SETTINGS:
            hint = suggest_name(key, TOP_LEVEL_KEYS)
            raise ConfigError(f'unknown key "{key}"', code=key, hint=hint)
    values = {key: TOP_LEVEL_SETTINGS[key].validate(value) for key, value in table.items()}
    return FileSettings(**values)


def profile_from_selector(profiles: Profiles, selector: str | None, model: str | None) -> Profile:
    """Return the selected profile with its model.

    `selector` is NAME or NAME:MODEL from the command line. None selects EASYLLM_PROFILE (with
    EASYLLM_MODEL), then the file's `default_profile`.

    Raises:
        ConfigError: no profile is selected anywhere, or it does not exist.
    """
    chosen = selector
    if chosen is None:
        chosen = os.environ.get("EASYLLM_PROFILE") or profiles.default_profile
        model = model or os.environ.get("EASYLLM_MODEL") or None
    if not chosen:
        raise ConfigError(
            "no profile is chosen",
            code=NO_PROFILE_CODE,
            where=str(profiles.path) if profiles.path else "no profiles file",
            hint="name one with -p, e.g. -p ollama or -p openai, or set EASYLLM_PROFILE",
        )
    return profiles.resolve_selector(chosen, model)
