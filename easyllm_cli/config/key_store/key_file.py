"""keys.json: which keys `easyllm keys` has stored, and those that no system keyring holds.

`{"openai": {"keyring": true}, "work": {"key": "…"}}`: a keyring cannot be asked for its names, so
they stand here. The file is the user's alone (0600), and one that is wrong is never written over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import ConfigError, OutputError
from ...private_file import MAX_FILE_BYTES, locked, refuse_if_open, replace
from ..paths import keys_file

Entries = dict[str, dict[str, Any]]
# An entry holds exactly one of these.
KEYRING = {"keyring": True}


def entries() -> Entries:
    """Every key that was stored, by name; none where there is no file.

    Raises:
        ConfigError: the file is open to others, unreadable, too large or not ours.
    """
    try:
        path = keys_file()
        return _read(path)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return {}
    except OSError as error:
        raise ConfigError(
            f"the key file cannot be read: {error.strerror}", where=str(path)
        ) from None


def _read(path: Path) -> Entries:
    refuse_if_open(path, "a file of keys")
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
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
    return entry == KEYRING or isinstance(entry.get("key"), str)


def change(edit: Callable[[Entries], None]) -> Path:
    """Edit the entries, one writer at a time; gives the file's path.

    Raises:
        ConfigError: the file is wrong, and left as it is. OutputError: it cannot be written.
    """
    try:
        path = keys_file()
    except RuntimeError as error:
        raise OutputError(f"there is no place for keys: {error}") from None
    with locked(path) as real:
        found = entries()
        edit(found)
        replace(real, (json.dumps(found, indent=2, sort_keys=True) + "\n").encode())
    return path
