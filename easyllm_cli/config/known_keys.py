"""Collects the API keys on this machine that easyllm could use, to keep them out of recordings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..errors import EasyLLMError
from ..secret import SENSITIVE_NAME, WHOLE_KEY_CHARS, Secret
from ..vendors import VENDORS
from .credentials import parse_api_key, read_key_file
from .key_store import read_entries
from .paths import expand_home
from .profiles_file import read_profiles

KEY_VARIABLE = r"(API_KEY|_TOKEN|_SECRET|ACCESS_KEY)\d*$"  # in the name of a variable with a key


def keys_from_environment(min_chars: int = 1) -> list[Secret]:
    """The values of the vendors' variables, and of others that look like keys.

    A value is redacted while its Secret exists. `min_chars`: shorter values are left out.
    """
    names = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    key_names = re.compile(KEY_VARIABLE)
    return [
        Secret(value)
        for name, value in os.environ.items()
        if len(value) >= min_chars and (name in names or key_names.search(name))
    ]


def find_known_keys(profiles_path: str | None) -> list[Secret]:
    """The keys in variables, in all profiles of the file, in the files they name, and in keys.json.

    A key is known to `mask_whole_keys` and `redact` while its Secret exists. Keys that only a
    command prints or the system keyring holds are missing: finding them might take seconds or ask
    the user. What cannot be read is left out; the command that uses it reports that.
    `profiles_path`: the profiles file; None = the user's.
    """
    texts: list[str] = []
    with suppress(EasyLLMError):
        for table in read_profiles(profiles_path).tables.values():
            texts += _keys_of_table(table) if isinstance(table, dict) else ()
    with suppress(EasyLLMError):
        texts += [entry["key"] for entry in read_entries().values() if "key" in entry]
    # `redact` would mask shorter ones in ordinary words.
    keys = keys_from_environment(WHOLE_KEY_CHARS)
    for text in texts:
        if len(text) >= WHOLE_KEY_CHARS:
            with suppress(EasyLLMError):
                keys.append(parse_api_key(text, "the key is empty"))
    return keys


def _keys_of_table(table: Mapping[str, Any]) -> Iterator[str]:
    """The keys that a profile's table holds or names, as texts."""
    api_key, variables = table.get("api_key"), table.get("api_key_env")
    yield from _texts(api_key if isinstance(api_key, list) else [api_key])
    names = _texts(variables if isinstance(variables, list) else [variables])
    headers = table.get("headers")
    for header, value in headers.items() if isinstance(headers, dict) else ():
        if re.search(SENSITIVE_NAME, header) and isinstance(value, str):
            if value.startswith("env:"):
                names.append(value[4:])
            else:
                yield value
    yield from (os.environ.get(name, "") for name in names)
    if isinstance(path := table.get("api_key_file"), str):
        with suppress(EasyLLMError, OSError):
            file = expand_home(path)
            if file.is_file():  # reading a pipe would wait for its writer
                yield read_key_file(file).reveal()


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
