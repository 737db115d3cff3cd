"""Where each value of a profile comes from: a line of the file, a variable, or a default."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

from ..errors import EasyLLMError
from ..secret import MASK, SECRET_NAME, Secret, masked
from . import key_store
from .credentials import names_a_key, source_of
from .endpoints import Endpoint, endpoint_of
from .profile import KEYS, Profile, Timeout, canonical
from .profiles_file import Profiles, position

DEFAULT = "default"
BUILT_IN = "built in"
TABLES = ("headers", "options", "timeout")


@dataclass(frozen=True)
class Setting:
    """One value that counts, keys masked; `timeout.idle` is a key of a table."""

    key: str
    value: Any
    source: str


def settings(profiles: Profiles, name: str) -> list[Setting]:
    """Every value of a profile that counts, what it extends and the defaults included.

    The last one, `key`, is the key that would be sent: no command is run and no file of the user's
    is read for it.
    Raises:
        ConfigError: no such profile, or it is wrong.
    """
    profile = profiles.named(name)
    made: list[Setting] = []
    for key in KEYS:
        value = getattr(profile, key)
        if value is None:
            continue
        parts: dict[str, Any] = _parts(value) if key in TABLES else {"": value}
        for part, one in parts.items():
            dotted = f"{key}.{part}" if part else key
            made.append(Setting(dotted, shown(key, part, one), _origin(profiles, name, key, part)))
    endpoint = endpoint_of(profile)
    if profile.endpoint is None:
        source = endpoint.variable or BUILT_IN
        made.insert(1, Setting("endpoint", endpoint.url, source))
    return [*made, _key(profile, endpoint)]


def _parts(value: Any) -> dict[str, Any]:
    if not isinstance(value, Timeout):
        return dict(value)
    seconds = {item.name: getattr(value, item.name) for item in fields(value)}
    return {key: one for key, one in seconds.items() if one is not None}


def shown(key: str, part: str, value: Any) -> Any:
    """The value as it may be seen: no key, no password of a proxy."""
    if isinstance(value, Secret):
        return masked(value.reveal())
    if key == "proxy":
        before, at, host = value.rpartition("@")
        return before.partition("://")[0] + "://***@" + host if at else value
    named = key == "headers" and value.startswith("env:")
    if part and SECRET_NAME.search(part) and isinstance(value, str) and not named:
        return masked(value)
    return value


def _origin(profiles: Profiles, name: str, key: str, part: str) -> str:
    """The nearest table that says it: `FILE:LINE`, with the profile where it is another one."""
    for table_name, table in profiles.chain(name):
        for written, value in table.items():
            if canonical(written) != key or (part and part not in value):
                continue
            if table is not profiles.tables.get(table_name):
                return BUILT_IN
            line, _ = position(profiles.text, table_name, part or written)
            other = f" (profile {table_name})" if table_name != name else ""
            return f"{profiles.path}:{line}{other}"
    return DEFAULT


def _key(profile: Profile, endpoint: Endpoint) -> Setting:
    """The key that would be sent, and from where; None = it is not there."""
    source = ""
    try:
        source = source_of(profile, endpoint) if names_a_key(profile, endpoint) else ""
        return Setting("key", _looked_up(profile, source), source or "none is named")
    except EasyLLMError as error:
        return Setting("key", None, f"{source}: {error.message}" if source else error.message)


def _looked_up(profile: Profile, source: str) -> str | None:
    """The masked key; of a command or a file of the user's only the mask."""
    if profile.api_key_file is not None or profile.api_key_cmd is not None:
        return MASK
    found: str | None = os.environ.get(source, "").strip()
    if isinstance(profile.api_key, list) or isinstance(profile.api_key_env, list):
        return MASK  # litellm's, of which one is chosen for each answer
    if profile.api_key is not None:
        found = profile.api_key.reveal()
    elif profile.keyring is not None or source.startswith("easyllm keys"):
        found = key_store.stored(profile.keyring or profile.provider or "", anywhere=True)
    return masked(found) if found else None
