"""What `KEY VALUE` and `KEY=VALUE` say about a profile: a key that there is, a value that fits."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ConfigError, UsageError, nearest
from .profile import KEYS, canonical, checked
from .toml_document import toml_value

TABLES = ("timeout", "headers", "options")  # their own keys are reached with a dot


def assignment(key: str, text: str) -> tuple[tuple[str, ...], Any]:
    """The key's path in the profile's table, and the value; None takes the key away.

    The value is read as JSON or TOML where that fits the key, else it is text.
    Raises:
        ConfigError: no such key, or a value that it cannot hold.
        UsageError: a key itself, which must not stand on a command line.
    """
    first, dot, rest = key.partition(".")
    first = canonical(first)
    if first not in KEYS or (dot and (first not in TABLES or not rest)):
        raise ConfigError(f'unknown key "{key}"', hint=nearest(key, [*KEYS, *DOTTED]))
    if first == "api_key":
        raise UsageError(
            "a key on the command line is seen by everybody on this machine",
            hint="easyllm keys set NAME, and here keyring NAME; or api_key_env VARIABLE",
        )
    path = (first, *((rest.split(".") if first == "options" else [rest]) if dot else []))
    return path, _value(path, text)


DOTTED = ("timeout.connect", "timeout.first_token", "timeout.idle", "timeout.total")


def _value(path: tuple[str, ...], text: str) -> Any:
    """The first reading of the text that fits."""
    first_error: ConfigError | None = None
    for read in (_json, toml_value, str):
        try:
            value = read(text)
            if value is not None:
                checked(path[0], _nested(path[1:], value))
            return value
        except ConfigError as error:
            first_error = first_error or error
        except (ValueError, RecursionError):
            continue
    raise first_error or ConfigError(f"{'.'.join(path)} cannot hold {text[:80]!r}")


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=str)  # NaN is no JSON


def _nested(path: tuple[str, ...], value: Any) -> Any:
    """The value in the tables that the path names, for `checked`."""
    for key in reversed(path):
        value = {key: value}
    return value
