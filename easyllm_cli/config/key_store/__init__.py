"""Keys that `easyllm keys` has stored: in the system keyring, or in keys.json where there is none.

A name's key is in one place, which keys.json records: so the keyring, whose import is slow, is
asked only for a key that is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...errors import ConfigError, EasyLLMError
from ...secret import Secret, masked
from ..paths import keys_file
from . import key_file

IN_KEYRING = "system keyring"
GONE = "it is not there any more"


@dataclass(frozen=True)
class Stored:
    """A key in a list: `ends` is its end behind a mask, `problem` why there is none."""

    name: str
    where: str
    ends: str | None
    problem: str | None = None


def holds(name: str) -> bool:
    """Whether a key was stored under the name; the key itself is not looked at.

    Raises:
        ConfigError: keys.json is wrong.
    """
    return name in key_file.entries()


def stored(name: str, anywhere: bool = False) -> str | None:
    """The key of a name, or None. `anywhere`: in the keyring, too, where others may have put it.

    Raises:
        ConfigError: keys.json is wrong, or the package keyring is missing.
        AuthError: the system keyring cannot be read.
    """
    entry = key_file.entries().get(name)
    if entry is not None and "key" in entry:
        return str(entry["key"])
    if entry is None and not (anywhere and _keyring().is_there()):
        return None
    found: str | None = _keyring().get(name)
    return found


def store(name: str, key: Secret) -> str:
    """Keep a key, in the place of an older one of that name; gives where it is.

    Raises:
        ConfigError: keys.json is wrong, and left as it is. OutputError: it cannot be written.
    """
    in_keyring = _keyring().is_there()

    def edit(entries: key_file.Entries) -> None:
        if in_keyring:
            _keyring().put(name, key)
        entries[name] = dict(key_file.KEYRING) if in_keyring else {"key": key.reveal()}

    path = key_file.change(edit)
    return IN_KEYRING if in_keyring else str(path)


def remove(name: str) -> None:
    """Forget a key.

    Raises:
        ConfigError: there is none of that name, or keys.json is wrong.
        OutputError: keys.json cannot be written, or the keyring keeps it.
    """

    def edit(entries: key_file.Entries) -> None:
        if name not in entries:
            raise ConfigError(f'no key is stored as "{name}"', hint="easyllm keys lists them")
        if "keyring" in entries.pop(name):
            _keyring().remove(name)

    key_file.change(edit)


def listed() -> list[Stored]:
    """Every stored key, by name, masked; one that cannot be read says why.

    Raises:
        ConfigError: keys.json is wrong.
    """
    return [_listed(name, entry) for name, entry in sorted(key_file.entries().items())]


def _listed(name: str, entry: dict[str, Any]) -> Stored:
    where = IN_KEYRING if "keyring" in entry else str(keys_file())
    try:
        key = stored(name)
    except EasyLLMError as error:
        return Stored(name, where, None, error.message)
    return Stored(name, where, masked(key)) if key else Stored(name, where, None, GONE)


def _keyring() -> Any:
    """The system keyring, asked only where it is needed."""
    return import_module(".keyring_store", __name__)
