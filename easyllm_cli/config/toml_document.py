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
from ..private_file import locked, refuse_if_open, replace
from ..text_encoding import UTF8_MARK
from .profile import canonical
from .profiles_file import HEADER, Profiles, as_text, bytes_of, parsed

TRUSTED = {"api_key", "api_key_cmd"}  # need a file that is closed to others (DESIGN §6)


def edited(
    path: Path, write: Callable[[str], str], want: Callable[[dict[str, Any]], None]
) -> Profiles:
    """Change the file: `write` makes the new text, `want` the same change to plain dicts.

    Raises:
        ConfigError: the file is wrong, or would be; its bytes are as they were.
        OutputError: it cannot be written.
    """
    with locked(path) as real:
        data = bytes_of(path) or b""
        old = as_text(path, data)
        before = parsed(path, old)
        refuse_if_untrusted(path, before)
        wanted: dict[str, Any] = {"profiles": deepcopy(before.tables)}
        if before.default:
            wanted["default_profile"] = before.default
        want(wanted)
        try:
            text = write(old)
            after = parsed(path, text)
        except (TOMLKitError, ConfigError, RecursionError):
            raise cannot_be_edited(path) from None
        if after.tables != wanted["profiles"] or after.default != wanted.get("default_profile", ""):
            raise cannot_be_edited(path)
        refuse_new_mistakes(path, before, after)
        if text != old:
            mark = UTF8_MARK if data.startswith(UTF8_MARK) else b""
            replace(real, mark + text.encode())
    return after


def cannot_be_edited(path: Path) -> ConfigError:
    """For a form of TOML that would come out wrong; nothing was written."""
    return ConfigError(
        "this file is written in a form that only an editor can change", where=str(path),
        hint="easyllm profiles edit",
    )  # fmt: skip


def refuse_if_untrusted(path: Path, profiles: Profiles) -> None:
    """An edit would close a file that others may have written to, and so make it trusted."""
    tables = [table for table in profiles.tables.values() if isinstance(table, dict)]
    found = sorted(TRUSTED & {key for table in tables for key in table})
    if found:
        refuse_if_open(path, found[0])


def mistake(profiles: Profiles, name: str) -> ConfigError | None:
    """What is wrong with a profile, the profiles that it falls back to included."""
    try:
        for other in profiles.named(name).fallback or []:
            profiles.named(other.partition(":")[0])
    except ConfigError as error:
        return error
    return None


def refuse_new_mistakes(path: Path, before: Profiles, after: Profiles) -> None:
    """A profile that was right stays right; one that is wrong already may be mended in steps."""
    old, new = (Profiles(None, one.tables, "", one.default) for one in (before, after))
    for name in new.tables:
        error = mistake(new, name)
        if error and (name not in old.tables or not mistake(old, name)):
            said = f'profile "{name}" would be wrong: {error.message}'
            raise ConfigError(said, where=str(path), hint=error.hint)


def by_toolkit(change: Callable[[Any], None]) -> Callable[[str], str]:
    """A `write` that changes tomlkit's document."""

    def write(old: str) -> str:
        document = tomlkit.parse(old)
        change(document)
        return tomlkit.dumps(document)

    return write


def assign(document: Any, name: str, keys: tuple[str, ...], value: Any) -> None:
    """Set a profile's key, or with None take it away; works on tomlkit's and plain tables."""
    table = document["profiles"][name]
    spelt = [key for key in table if canonical(key) == keys[0]]
    keys = (spelt[0] if spelt else keys[0], *keys[1:])
    for key in keys[:-1]:
        if key not in table:
            if value is None:
                return
            put(table, key, {})
        table = table[key]
        if not isinstance(table, dict):
            raise ConfigError(f"{key} is no table: {'.'.join(keys)} has no place in it")
    if value is None:
        table.pop(keys[-1], None)
    else:
        put(table, keys[-1], value)


def put(table: Any, key: str, value: Any) -> None:
    """Set a key; a new one stands behind the last one, before the next table's comment."""
    if isinstance(table, AbstractTable):
        value = inline(value)
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


def inline(value: Any) -> Any:
    """A table as `{ … }`: a new [section] would not stand where it belongs."""
    if not isinstance(value, dict):
        return value
    made = tomlkit.inline_table()
    made.update({key: inline(item) for key, item in value.items()})
    return made


def section(name: str, table: dict[str, Any]) -> str:
    """A new profile's text: `[profiles.NAME]` and its keys."""
    made, above, document = tomlkit.table(), tomlkit.table(is_super_table=True), tomlkit.document()
    for key, value in table.items():
        made.append(key, inline(value))
    above.append(name, made)
    document.append("profiles", above)
    return tomlkit.dumps(document)


def with_default(old: str, name: str) -> str:
    """The text with `default_profile = "NAME"`; where there was none, as its first line."""
    document = tomlkit.parse(old)
    if "default_profile" in document:
        document["default_profile"] = name
        return tomlkit.dumps(document)
    return joined(f"default_profile = {toml_string(name)}\n", old)


def joined(old: str, new: str) -> str:
    """Two pieces of a file, a blank line between."""
    if not old or not new:
        return old + new
    return old + ("" if old.endswith("\n\n") else "\n" if old.endswith("\n") else "\n\n") + new


def toml_string(text: str) -> str:
    """A text as it stands in TOML, in quotes; JSON's form is another one beyond ASCII."""
    return tomlkit.item(text).as_string()


def toml_value(text: str) -> Any:
    """A value as it may stand in TOML.

    Raises:
        ValueError: it is none.
    """
    try:
        return tomlkit.value(text).unwrap()
    except TOMLKitError as error:
        raise ValueError(str(error)) from None


def without(text: str, name: str) -> str:
    """The text without the profile's `[profiles.NAME]` and `[profiles.NAME.…]`.

    Comments behind the last key stay if a blank line is between: they are about what follows. A
    profile in another form stays; whoever asks looks at what came out.
    """
    kept: list[str] = []
    section: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            kept += behind(section) if inside else section
            section = []
            header = HEADER.match(line)
            inside = header is not None and name in header.groups()
        section.append(line)
    return "".join(kept + (behind(section) if inside else section))


def behind(section: list[str]) -> list[str]:
    """The blank lines and comments behind a section's last key, from the first blank line on."""
    last = max(
        (number for number, line in enumerate(section) if line.partition("#")[0].strip()),
        default=-1,
    )
    tail = section[last + 1 :]
    blank = next((number for number, line in enumerate(tail) if not line.strip()), 0)
    return tail[blank:]
