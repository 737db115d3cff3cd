"""Finds the source of each value of a profile: a file line, a variable or a default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from typing import Any

from ..errors import EasyLLMError
from ..secret import MASK, SENSITIVE_NAME, Secret, mask_key
from . import key_store
from .credentials import describe_missing_key, find_key_source, has_key_source
from .endpoints import Endpoint, resolve_endpoint, runs_in_process
from .profile import Profile
from .profiles_file import Profiles, find_key_position
from .settings import AUTO_PROVIDER, SETTINGS, Timeout, resolve_setting_alias

DEFAULT_SOURCE = "default"
BUILT_IN_SOURCE = "built in"


@dataclass(frozen=True)
class EffectiveSetting:
    """One effective value and its source, keys masked; table keys have a dot: `timeout.idle`."""

    key: str
    value: Any
    source: str


def resolve_settings(profiles: Profiles, name: str) -> list[EffectiveSetting]:
    """List a profile's effective values, including extended profiles and defaults.

    The last setting, `key`, is the API key that would be sent; an auto profile has none. Finding it
    runs no `api_key_cmd` and reads no `api_key_file`.

    Raises:
        ConfigError: the profile does not exist or is invalid.
    """
    profile = profiles.resolve_profile(name)
    settings: list[EffectiveSetting] = []
    for key, setting in SETTINGS.items():
        value = getattr(profile, key)
        if value is None:
            continue
        parts: dict[str, Any] = _dict_from_table(value) if setting.is_table else {"": value}
        for part, item in parts.items():
            dotted = f"{key}.{part}" if part else key
            source = _find_source(profiles, name, key, part)
            settings.append(EffectiveSetting(dotted, mask_value(key, part, item), source))
    if profile.provider == AUTO_PROVIDER:
        return settings  # its candidates have the endpoints and the keys
    endpoint = resolve_endpoint(profile)
    # LiteLLM knows each vendor's URL, and a local model runs in this process.
    if profile.endpoint is None and endpoint.url and not runs_in_process(profile.provider):
        source = endpoint.variable or BUILT_IN_SOURCE
        settings.insert(1, EffectiveSetting("endpoint", endpoint.url, source))
    return [*settings, _resolve_key_setting(profile, endpoint)]


def _dict_from_table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Timeout):
        return dict(value)
    seconds = {item.name: getattr(value, item.name) for item in fields(value)}
    return {key: number for key, number in seconds.items() if number is not None}


def mask_value(key: str, subkey: str, value: Any) -> Any:
    """Mask keys and the user name and password of a proxy URL."""
    if isinstance(value, Secret):
        return mask_key(value.reveal())
    if key == "proxy":
        before, at, host = value.rpartition("@")
        return before.partition("://")[0] + "://***@" + host if at else value
    is_variable = key == "headers" and value.startswith("env:")
    if subkey and re.search(SENSITIVE_NAME, subkey) and isinstance(value, str) and not is_variable:
        return mask_key(value)
    return value


def _find_source(profiles: Profiles, name: str, key: str, subkey: str) -> str:
    """Return `FILE:LINE` of the nearest table that sets the key; names an extended profile.

    Else the line at the top level, for a setting that may stand there, too.
    """
    for table_name, table in profiles.resolve_extends_chain(name):
        for written, value in table.items():
            if resolve_setting_alias(written) != key or (subkey and subkey not in value):
                continue
            if table is not profiles.tables.get(table_name):
                return BUILT_IN_SOURCE
            line, _ = find_key_position(profiles.text, table_name, subkey or written)
            other = f" (profile {table_name})" if table_name != name else ""
            return f"{profiles.path}:{line}{other}"
    if getattr(profiles.settings, key, None) is not None:
        line, _ = find_key_position(profiles.text, None, key)
        return f"{profiles.path}:{line}"
    return DEFAULT_SOURCE


def _resolve_key_setting(profile: Profile, endpoint: Endpoint) -> EffectiveSetting:
    """The masked API key that would be sent and its source; the value None = there is no key."""
    source = ""
    try:
        source = find_key_source(profile, endpoint) if has_key_source(profile, endpoint) else ""
        key = _read_masked_key(profile, source)
        origin = source if key else describe_missing_key(profile, endpoint)
        return EffectiveSetting("key", key, origin)
    except EasyLLMError as error:
        reason = f"{source}: {error.message}" if source else error.message
        return EffectiveSetting("key", None, reason)


def _read_masked_key(profile: Profile, source: str) -> str | None:
    """The masked key; only the mask for `api_key_cmd` and `api_key_file`, which are not read."""
    if profile.api_key_file is not None or profile.api_key_cmd is not None:
        return MASK
    key: str | None = os.environ.get(source, "").strip()
    if isinstance(profile.api_key, list) or isinstance(profile.api_key_env, list):
        return MASK  # litellm chooses one of several keys for each answer
    if profile.api_key is not None:
        key = profile.api_key.reveal()
    elif profile.keyring is not None or source.startswith("easyllm keys"):
        key = key_store.load_key(profile.keyring or profile.provider or "", search_keyring=True)
    return mask_key(key) if key else None
