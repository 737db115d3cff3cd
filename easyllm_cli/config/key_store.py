"""Stores API keys by name in the system keyring, or in keys.json if there is no keyring.

keys.json lists every name: `{"openai": {"keyring": true}, "work": {"key": "…"}}`. A keyring cannot
list its names and is slow to import, so it is used only for names listed there. The file has mode
0600; a damaged file is never overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AuthError, ConfigError, EasyLLMError, OutputError, missing_package_error
from ..private_file import MAX_PRIVATE_FILE_BYTES, lock_file, replace_file, require_private
from ..secret import Secret, mask_key, redact
from .paths import keys_file

Entries = dict[str, dict[str, Any]]
# The entry of a key in the system keyring; any other entry is {"key": "…"}.
KEYRING_ENTRY = {"keyring": True}
KEYRING_LOCATION = "system keyring"
KEY_MISSING_MESSAGE = "the key is no longer there"
MIN_KEYRING_PRIORITY = 1  # the minimum that the package keyring recommends
KEYRING_SERVICE = "easyllm"  # service name in the keyring; the user name is the key's name


@dataclass(frozen=True)
class StoredKey:
    """One stored key: `ends` is the masked key, `problem` the reason if it cannot be read."""

    name: str
    where: str
    ends: str | None
    problem: str | None = None


def has_stored_key(name: str) -> bool:
    """Return whether keys.json lists the name; the key itself is not read.

    Raises:
        ConfigError: keys.json is invalid.
    """
    return name in read_entries()


def load_key(name: str, search_keyring: bool = False) -> str | None:
    """Return the key of a name, or None.

    `search_keyring` also finds a key that another program put into the keyring.

    Raises:
        ConfigError: keys.json is invalid, or the package keyring is missing.
        AuthError: the system keyring cannot be read.
    """
    entry = read_entries().get(name)
    if entry is not None and "key" in entry:
        return str(entry["key"])
    if entry is None and not (search_keyring and has_keyring()):
        return None
    key: str | None = get_from_keyring(name)
    return key


def store_key(name: str, key: Secret) -> str:
    """Store a key, replacing an older one of that name; returns where it is stored.

    Raises:
        ConfigError: keys.json is invalid; it is left unchanged.
        OutputError: keys.json or the keyring cannot be written.
    """
    in_keyring = has_keyring()

    def edit(entries: Entries) -> None:
        if in_keyring:
            put_in_keyring(name, key)
        entries[name] = dict(KEYRING_ENTRY) if in_keyring else {"key": key.reveal()}

    path = edit_entries(edit)
    return KEYRING_LOCATION if in_keyring else str(path)


def delete_key(name: str) -> None:
    """Delete a stored key.

    Raises:
        ConfigError: there is no key of that name, or keys.json is invalid.
        AuthError: the system keyring cannot be read.
        OutputError: keys.json cannot be written, or the keyring cannot delete the key.
    """

    def edit(entries: Entries) -> None:
        if name not in entries:
            raise ConfigError(f'no key is stored as "{name}"', hint="easyllm keys lists them")
        if "keyring" in entries.pop(name):
            remove_from_keyring(name)

    edit_entries(edit)


def list_stored_keys() -> list[StoredKey]:
    """List the stored keys, sorted by name and masked.

    Raises:
        ConfigError: keys.json is invalid.
    """
    return [_stored_key_from_entry(name, entry) for name, entry in sorted(read_entries().items())]


def _stored_key_from_entry(name: str, entry: dict[str, Any]) -> StoredKey:
    where = KEYRING_LOCATION if "keyring" in entry else str(keys_file())
    try:
        key = load_key(name)
    except EasyLLMError as error:
        return StoredKey(name, where, None, error.message)
    return (
        StoredKey(name, where, mask_key(key))
        if key
        else StoredKey(name, where, None, KEY_MISSING_MESSAGE)
    )


def read_entries() -> Entries:
    """Read the entries of keys.json by name; an empty dict if there is no file.

    Raises:
        ConfigError: the file is readable by others, unreadable, too large or damaged.
    """
    try:
        path = keys_file()
        return _read_keys_file(path)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return {}
    except OSError as error:
        raise ConfigError(
            f"the key file cannot be read: {error.strerror}", where=str(path)
        ) from None


def _read_keys_file(path: Path) -> Entries:
    require_private(path, "a file of keys")
    if not path.is_file() or path.stat().st_size > MAX_PRIVATE_FILE_BYTES:
        raise ConfigError("the key file is not a regular file of at most 1 MiB", where=str(path))
    where = str(path)
    try:
        entries = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        entries, where = None, f"{path}:{error.lineno}:{error.colno}"
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict) or not all(map(_is_entry, entries.values())):
        hint = f"repair it, or move it away and store the keys again: mv {path.name} keys.bad"
        raise ConfigError("the key file is damaged; it was not changed", where=where, hint=hint)
    return entries


def _is_entry(entry: Any) -> bool:
    """Return whether it is `{"keyring": true}` or `{"key": "…"}`."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return False
    return entry == KEYRING_ENTRY or isinstance(entry.get("key"), str)


def edit_entries(edit: Callable[[Entries], None]) -> Path:
    """Edit the entries of keys.json under a lock; returns the file's path.

    Raises:
        ConfigError: the file is invalid; it is left unchanged.
        OutputError: it cannot be written.
    """
    try:
        path = keys_file()
    except RuntimeError as error:
        raise OutputError(f"there is no folder for keys.json: {error}") from None
    with lock_file(path) as real:
        entries = read_entries()
        edit(entries)
        replace_file(real, (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode())
    return path


def has_keyring() -> bool:
    """Return whether the system has a usable keyring; machines without a desktop usually have none.

    A backend below keyring's recommended priority, such as a plain file, counts only if the user
    sets PYTHON_KEYRING_BACKEND.
    """
    minimum = 0 if os.environ.get("PYTHON_KEYRING_BACKEND") else MIN_KEYRING_PRIORITY
    try:
        priority = _backend().priority
        return bool(priority > 0 and priority >= minimum)
    except Exception:  # the package is missing or its backend fails
        return False


def put_in_keyring(name: str, key: Secret) -> None:
    """Store a key in the system keyring.

    Raises:
        OutputError: the keyring refuses it (it is locked, or the user denied access).
    """
    try:
        _backend().set_password(KEYRING_SERVICE, name, key.reveal())
    except Exception as error:  # backends raise errors of any class
        raise OutputError(
            f"the system keyring did not accept the key: {_format_error(error)}",
            hint="unlock it, or set PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring "
            "to use a file",
        ) from None


def get_from_keyring(name: str) -> str | None:
    """Return a key from the system keyring, or None if it has no key of that name.

    Raises:
        ConfigError: the package keyring is not installed.
        AuthError: the keyring cannot be read.
    """
    try:
        key = _backend().get_password(KEYRING_SERVICE, name)
    except Exception as error:
        missing = missing_package_error(error) if isinstance(error, ImportError) else None
        raise missing or AuthError(
            f"the system keyring cannot be read: {_format_error(error)}",
            hint="unlock it and try again",
        ) from None
    return None if key is None else str(key)


def remove_from_keyring(name: str) -> None:
    """Delete a key from the system keyring; a missing key is not an error.

    Raises:
        ConfigError: the package keyring is not installed.
        AuthError: the keyring cannot be read.
        OutputError: the keyring cannot delete the key.
    """
    if get_from_keyring(name) is None:
        return
    try:
        _backend().delete_password(KEYRING_SERVICE, name)
    except Exception as error:
        raise OutputError(
            f"the system keyring did not delete the key: {_format_error(error)}"
        ) from None


def _backend() -> Any:
    import keyring

    return keyring.get_keyring()


def _format_error(error: Exception) -> str:
    return redact(str(error).strip() or type(error).__name__)[:200]
