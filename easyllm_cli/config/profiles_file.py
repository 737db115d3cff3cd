"""Finds profiles.toml, reads named profiles from it, and chooses the one to use."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from ..errors import ConfigError, suggest_name
from ..private_file import MAX_PRIVATE_FILE_BYTES, require_not_writable_by_others, require_private
from ..text_encoding import decode_text
from ..vendors import VENDORS
from .paths import config_folder
from .profile import KEY_SOURCES, Profile, profile_from_settings, resolve_setting_alias

SECTION_HEADER = re.compile(
    r"""\s*\[\s*profiles\s*\.\s*(?:"([^"]+)"|'([^']+)'|([^\]"'.\s]+))\s*(?:\.[^\]]*)?\]"""
)
# A string, or one that is never closed; with = . or ] behind it, it is a quoted key and no value.
TOML_STRING = re.compile(r"""("(?:[^"\\]|\\.)*+"?|'[^']*+'?)(\s*[=.\]])?""")
MAX_KEY_DOTS = 100  # in one key: tomllib's time grows with their square


def find_key_position(text: str, name: str | None, key: str) -> tuple[int, int]:
    """Line and column (from 1) of a key in a profile's table, or at the top level (name None).

    The table's own place when the key is not found. tomllib gives no positions for valid files,
    so this reads the lines again, on errors only.
    """
    inside = name is None
    wanted = re.compile(rf"(^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*[=.\]]") if key else None
    found = (1, 1)
    for number, line in enumerate(text.splitlines(), 1):
        table = SECTION_HEADER.match(line)
        if table or line.lstrip().startswith("["):
            inside = name is not None and table is not None and name in table.groups()
            if inside and found == (1, 1):
                found = (number, 1)
        if inside and wanted and (match := wanted.search(_blank_values(line))):
            return number, match.end(1) + 1
    return found


def _blank_values(line: str) -> str:
    """The line with its strings blanked (but for quoted keys) and its comment cut off."""

    def blanked(match: re.Match[str]) -> str:
        return match[0] if match[2] else " " * len(match[1])

    return TOML_STRING.sub(blanked, line).partition("#")[0]


def find_overlong_key(text: str) -> int:
    """The line of a key with more than MOST_DOTS dots, which nobody has waited for; 0 = none."""
    if not _has_too_many_dots(text.split("\n")):
        return 0
    # Such a line may be prose in a string or a comment: only what is left without those counts.
    text_or_comment = re.compile(
        r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*+|'''
        r"""'''(?:[^']|'(?!''))*+(?:''')?|'[^'\n]*+'?""",
        re.DOTALL,
    )
    bare = text_or_comment.sub(lambda match: "\n" * match[0].count("\n"), text)
    keys = (re.split(r"[=,\[\]{}]", line) for line in bare.split("\n"))
    return next((number for number, line in enumerate(keys, 1) if _has_too_many_dots(line)), 0)


def _has_too_many_dots(pieces: list[str]) -> bool:
    return any(piece.count(".") > MAX_KEY_DOTS for piece in pieces)


PROFILES_FILE_NAME = "profiles.toml"
TOP_LEVEL_KEYS = ("default_profile", "profiles")
NO_PROFILE_CODE = "none_named"  # the code of the error when nothing names a profile


class Profiles:
    """The profiles of one file (or of none), and the built-in names."""

    def __init__(
        self, path: Path | None, tables: dict[str, Any], text: str, default_profile: str
    ) -> None:
        self.path = path
        self.default_profile = default_profile
        self.tables = tables
        self.text = text

    @property
    def names(self) -> list[str]:
        """The file's profiles, then the built-in names, then those of plugins."""
        return list(dict.fromkeys([*self.tables, *VENDORS, *_plugin_names()]))

    def resolve_profile(self, name: str) -> Profile:
        """A profile by name, what it extends laid under it.

        Raises:
            ConfigError: no such profile, a circle of `extends`, an unknown key or a wrong type.
        """
        tables = self.resolve_extends_chain(name)
        merged: dict[str, Any] = {}
        for table_name, table in reversed(tables):
            self._build_profile(table_name, table)
            if any(resolve_setting_alias(key) in KEY_SOURCES for key in table):
                merged = {key: value for key, value in merged.items() if key not in KEY_SOURCES}
            for key, value in table.items():
                key = resolve_setting_alias(key)
                both = isinstance(value, dict) and isinstance(merged.get(key), dict)
                merged[key] = {**merged[key], **value} if both else value
        profile = self._build_profile(name, merged)
        if profile.provider is None:
            raise self._error_at(
                f'profile "{name}" names no provider', name, "", 'add provider = "ollama"'
            )
        if profile.provider not in VENDORS and profile.provider not in _plugin_names():
            hint = suggest_name(profile.provider, [*VENDORS, *_plugin_names()])
            raise self._error_at(f'no provider "{profile.provider}"', name, "provider", hint)
        if profile.api_key is not None or profile.api_key_cmd is not None:
            self._require_private("api_key" if profile.api_key is not None else "api_key_cmd")
        return profile

    def resolve_extends_chain(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """The profile's table and those it extends, nearest first."""
        chain: list[tuple[str, dict[str, Any]]] = []
        seen: set[str] = set()
        while True:
            if name in self.tables and name not in seen:
                table = self.tables[name]
            elif name in VENDORS or name in _plugin_names():
                # A profile of a provider's name may extend that provider.
                return [*chain, (name, {"provider": name})]
            elif chain:
                around = name in self.tables
                why = "a circle" if around else "which does not exist"
                raise self._error_at(
                    f'profile "{chain[-1][0]}" extends "{name}", {why}', chain[-1][0], "extends",
                    "leave one extends out" if around else suggest_name(name, self.names),
                )  # fmt: skip
            else:
                raise ConfigError(
                    f'no profile "{name}"',
                    where=str(self.path) if self.path else "no profiles file",
                    hint=suggest_name(name, self.names),
                )
            chain.append((name, table))
            seen.add(name)
            parent = table.get("extends") if isinstance(table, dict) else None
            if not isinstance(parent, str):
                # A provider that is a built-in name is under every profile: nothing to add.
                return chain
            name = parent

    def _build_profile(self, name: str, table: dict[str, Any]) -> Profile:
        """A Profile, its errors with the file's line and column."""
        if not isinstance(table, dict):
            raise self._error_at(f"profiles.{name} must be a table", name, "", f"[profiles.{name}]")
        try:
            return profile_from_settings(table, name)
        except ConfigError as error:
            raise self._error_at(error.message, name, error.code or "", error.hint) from None

    def _error_at(self, message: str, name: str, key: str, hint: str) -> ConfigError:
        where = str(self.path) if self.path else ""
        if self.path:
            line, column = find_key_position(self.text, name, key)
            where = f"{self.path}:{line}:{column}"
        return ConfigError(message, where=where, hint=hint)

    def _require_private(self, what: str) -> None:
        if self.path is not None:
            require_private(self.path, what)


def _plugin_names() -> list[str]:
    """The providers of other packages; asked only for a name that is not ours: 9 ms."""
    from ..plugins import plugin_names

    return plugin_names()


def read_profiles(file: str | None = None) -> Profiles:
    """The profiles of `file`, of EASYLLM_PROFILES, or of the platform's config folder.

    A file that is named must exist; the usual one need not. Never read from the current folder.
    Raises:
        ConfigError: it is missing, unreadable, too large, or not valid TOML.
    """
    named = file or os.environ.get("EASYLLM_PROFILES")
    try:
        path = profiles_path(file)
    except ConfigError:
        if not named:
            return Profiles(None, {}, "", "")
        raise
    text = read_profiles_text(path)
    if text is not None:
        return parse_profiles(path, text)
    if named:
        hint = "check the path; the built-in names need no file, e.g. -p ollama"
        raise ConfigError("no such profiles file", where=str(path), hint=hint)
    return Profiles(None, {}, "", "")


def profiles_path(file: str | None = None) -> Path:
    """Where the profiles are, or would be: `file`, EASYLLM_PROFILES, or the config folder.

    Raises:
        ConfigError: neither HOME nor a user's entry tells where home is.
    """
    named = file or os.environ.get("EASYLLM_PROFILES")
    try:
        return Path(named).expanduser() if named else config_folder() / PROFILES_FILE_NAME
    except RuntimeError as error:
        raise ConfigError(f"no such profiles file: {error}", where=named or "") from None


def read_profiles_text(path: Path) -> str | None:
    """A profiles file's text without a byte order mark; None = there is no such file.

    Raises:
        ConfigError: as `bytes_of`, or it is not UTF-8.
    """
    data = read_profiles_bytes(path)
    return None if data is None else decode_profiles_text(path, data)


def decode_profiles_text(path: Path, data: bytes) -> str:
    """The text of a profiles file's bytes. Raises ConfigError where they are not UTF-8."""
    return decode_text(data, "the profiles file", str(path), ConfigError)


def read_profiles_bytes(path: Path, skip_permission_check: bool = False) -> bytes | None:
    """A profiles file's bytes; None = there is no such file.

    Raises:
        ConfigError: it is unreadable, too large, no regular file, or others can write it
            (`trusted`: that is not looked at).
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
    """Where the usual profiles file is, or would be."""
    try:
        return str(config_folder() / PROFILES_FILE_NAME)
    except RuntimeError:  # neither HOME nor a user's entry tells where home is
        return PROFILES_FILE_NAME


def parse_profiles(path: Path, text: str) -> Profiles:
    """The profiles in a file's text; a profile's own mistakes come when it is asked for.

    Raises:
        ConfigError: not valid TOML, or the top level holds what it must not.
    """
    import tomllib

    if absurd := find_overlong_key(text):
        raise ConfigError(f"a key has more than {MAX_KEY_DOTS} dots", where=f"{path}:{absurd}")
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of 4300 digits
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        end = (text.count("\n") + 1, len(text.rpartition("\n")[2]) + 1)
        line, column = (at[1], at[2]) if at else end
        words = str(error).partition(" (at ")[0]
        raise ConfigError(f"not valid TOML: {words}", where=f"{path}:{line}:{column}") from None
    except RecursionError:
        raise ConfigError("not valid TOML: nested too deeply", where=str(path)) from None
    for key in document:
        if key not in TOP_LEVEL_KEYS:
            line, column = find_key_position(text, None, key)
            raise ConfigError(
                f'unknown key "{key}"',
                where=f"{path}:{line}:{column}",
                hint=suggest_name(key, TOP_LEVEL_KEYS),
            )
    tables = document.get("profiles", {})
    default = document.get("default_profile", "")
    if not isinstance(tables, dict) or not isinstance(default, str):
        raise ConfigError(
            "profiles must be tables and default_profile a name", where=str(path),
            hint='[profiles.mine] and default_profile = "mine"',
        )  # fmt: skip
    return Profiles(path, tables, text, default)


def profile_from_selector(profiles: Profiles, selector: str | None, model: str | None) -> Profile:
    """The profile that the flag, the variable or the file names, with its model.

    `named` may be NAME:MODEL; what follows the first colon is the model. Order: flag,
    EASYLLM_PROFILE and EASYLLM_MODEL, the file.
    Raises:
        ConfigError: none is named anywhere, or there is no such profile.
    """
    asked = selector
    if asked is None:
        asked = os.environ.get("EASYLLM_PROFILE") or profiles.default_profile
        model = model or os.environ.get("EASYLLM_MODEL") or None
    if not asked:
        raise ConfigError(
            "no profile is chosen",
            code=NO_PROFILE_CODE,
            where=str(profiles.path) if profiles.path else "no profiles file",
            hint="name one with -p, e.g. -p ollama or -p openai, or set EASYLLM_PROFILE",
        )
    name, _, own_model = asked.partition(":")
    return profiles.resolve_profile(name).replace_set(model=model or own_model or None)
