"""Keys that `easyllm keys` has stored: in the system keyring, or in keys.json where there is none.

keys.json says where each name's key is: `{"openai": {"keyring": true}, "work": {"key": "…"}}`. So
the keyring, which cannot be asked for its names and whose import is slow, is asked only for a key
that is there. The file is the user's alone (0600), and one that is wrong is never written over.
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
# An entry holds exactly one of these.
KEYRING_ENTRY = {"keyring": True}
KEYRING_LOCATION = "system keyring"
KEY_MISSING_MESSAGE = "it is not there any more"
MIN_KEYRING_PRIORITY = 1  # keyring's own bound
KEYRING_SERVICE = "easyllm"  # under which our keys stand in it; the user name is the key's name


@dataclass(frozen=True)
class StoredKey:
    """A key in a list: `ends` is its end behind a mask, `problem` why there is none."""

    name: str
    where: str
    ends: str | None
    problem: str | None = None


def has_stored_key(name: str) -> bool:
    """Whether a key was stored under the name; the key itself is not looked at.

    Raises:
        ConfigError: keys.json is wrong.
    """
    return name in read_entries()


def load_key(name: str, search_keyring: bool = False) -> str | None:
    """The key of a name, or None. `anywhere`: in the keyring, too, where others may have put it.

    Raises:
        ConfigError: keys.json is wrong, or the package keyring is missing.
        AuthError: the system keyring cannot be read.
    """
    entry = read_entries().get(name)
    if entry is not None and "key" in entry:
        return str(entry["key"])
    if entry is None and not (search_keyring and has_keyring()):
        return None
    found: str | None = get_from_keyring(name)
    return found


def store_key(name: str, key: Secret) -> str:
    """Keep a key, in the place of an older one of that name; gives where it is.

    Raises:
        ConfigError: keys.json is wrong, and left as it is. OutputError: it cannot be written.
    """
    in_keyring = has_keyring()

    def edit(entries: Entries) -> None:
        if in_keyring:
            put_in_keyring(name, key)
        entries[name] = dict(KEYRING_ENTRY) if in_keyring else {"key": key.reveal()}

    path = edit_entries(edit)
    return KEYRING_LOCATION if in_keyring else str(path)


def delete_key(name: str) -> None:
    """Forget a key.

    Raises:
        ConfigError: there is none of that name, or keys.json is wrong.
        OutputError: keys.json cannot be written, or the keyring keeps it.
    """

    def edit(entries: Entries) -> None:
        if name not in entries:
            raise ConfigError(f'no key is stored as "{name}"', hint="easyllm keys lists them")
        if "keyring" in entries.pop(name):
            remove_from_keyring(name)

    edit_entries(edit)


def list_stored_keys() -> list[StoredKey]:
    """Every stored key, by name, masked; one that cannot be read says why.

    Raises:
        ConfigError: keys.json is wrong.
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
    """Every key that was stored, by name; none where there is no file.

    Raises:
        ConfigError: the file is open to others, unreadable, too large or not ours.
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
        raise ConfigError("the key file is no regular file of at most 1 MiB", where=str(path))
    where = str(path)
    try:
        found = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        found, where = None, f"{path}:{error.lineno}:{error.colno}"
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(map(_is_entry, found.values())):
        hint = f"mend it, or move it away and store the keys again: mv {path.name} keys.bad"
        raise ConfigError("the key file is damaged; it is left as it is", where=where, hint=hint)
    return found


def _is_entry(entry: Any) -> bool:
    """Whether it is `{"keyring": true}` or `{"key": "…"}`."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return False
    return entry == KEYRING_ENTRY or isinstance(entry.get("key"), str)


def edit_entries(edit: Callable[[Entries], None]) -> Path:
    """Edit the entries, one writer at a time; gives the file's path.

    Raises:
        ConfigError: the file is wrong, and left as it is. OutputError: it cannot be written.
    """
    try:
        path = keys_file()
    except RuntimeError as error:
        raise OutputError(f"there is no place for keys: {error}") from None
    with lock_file(path) as real:
        found = read_entries()
        edit(found)
        replace_file(real, (json.dumps(found, indent=2, sort_keys=True) + "\n").encode())
    return path


def has_keyring() -> bool:
    """Whether this machine has a keyring; one without a desktop usually has none.

    One of lower priority than keyring itself recommends (a plain file, for instance) counts only
    where the user names it.
    """
    least = 0 if os.environ.get("PYTHON_KEYRING_BACKEND") else MIN_KEYRING_PRIORITY
    try:
        priority = _backend().priority
        return bool(priority > 0 and priority >= least)
    except Exception:  # no package, or one that cannot be set up
        return False


def put_in_keyring(name: str, key: Secret) -> None:
    """Store a key.

    Raises:
        OutputError: the keyring does not take it (it is locked, or somebody said no).
    """
    try:
        _backend().set_password(KEYRING_SERVICE, name, key.reveal())
    except Exception as error:  # a backend raises what it likes
        raise OutputError(
            f"the system keyring does not take the key: {_format_error(error)}",
            hint="unlock it, or set PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring "
            "to use a file",
        ) from None


def get_from_keyring(name: str) -> str | None:
    """A key, or None where the keyring has none of that name.

    Raises:
        ConfigError: the package is not installed. AuthError: the keyring cannot be read.
    """
    try:
        found = _backend().get_password(KEYRING_SERVICE, name)
    except Exception as error:
        missing = missing_package_error(error) if isinstance(error, ImportError) else None
        raise missing or AuthError(
            f"the system keyring cannot be read: {_format_error(error)}",
            hint="unlock it, and try again",
        ) from None
    return None if found is None else str(found)


def remove_from_keyring(name: str) -> None:
    """Take a key out; one that is not there is no error.

    Raises:
        ConfigError: the package is not installed. OutputError: the keyring does not let it go.
    """
    if get_from_keyring(name) is None:
        return
    try:
        _backend().delete_password(KEYRING_SERVICE, name)
    except Exception as error:
        raise OutputError(f"the system keyring keeps the key: {_format_error(error)}") from None


def _backend() -> Any:
    import keyring

    return keyring.get_keyring()


def _format_error(error: Exception) -> str:
    return redact(str(error).strip() or type(error).__name__)[:200]
