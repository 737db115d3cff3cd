"""What `KEY VALUE` and `KEY=VALUE` say about a profile: a key that there is, a value that fits."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ConfigError, UsageError, suggest_name
from .profile import SETTING_FIELDS, resolve_setting_alias, validate_setting
from .toml_document import parse_toml_value

TABLE_KEYS = ("timeout", "headers", "options")  # their own keys are reached with a dot


def parse_assignment(key: str, text: str) -> tuple[tuple[str, ...], Any]:
    """The key's path in the profile's table, and the value; None takes the key away.

    The value is read as JSON or TOML where that fits the key, else it is text.
    Raises:
        ConfigError: no such key, or a value that it cannot hold.
        UsageError: a key itself, which must not stand on a command line.
    """
    first, dot, rest = key.partition(".")
    first = resolve_setting_alias(first)
    if first not in SETTING_FIELDS or (dot and (first not in TABLE_KEYS or not rest)):
        raise ConfigError(
            f'unknown key "{key}"', hint=suggest_name(key, [*SETTING_FIELDS, *DOTTED_TIMEOUT_KEYS])
        )
    if first == "api_key":
        raise UsageError(
            "a key on the command line is seen by everybody on this machine",
            hint="easyllm keys set NAME, and here keyring NAME; or api_key_env VARIABLE",
        )
    path = (first, *((rest.split(".") if first == "options" else [rest]) if dot else []))
    return path, _parse_value(path, text)


DOTTED_TIMEOUT_KEYS = ("timeout.connect", "timeout.first_token", "timeout.idle", "timeout.total")


def _parse_value(path: tuple[str, ...], text: str) -> Any:
    """The first reading of the text that fits."""
    first_error: ConfigError | None = None
    for read in (_parse_json, parse_toml_value, str):
        try:
            value = read(text)
            if value is not None:
                validate_setting(path[0], _nest_value(path[1:], value))
            return value
        except ConfigError as error:
            first_error = first_error or error
        except (ValueError, RecursionError):
            continue
    raise first_error or ConfigError(f"{'.'.join(path)} cannot hold {text[:80]!r}")


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_constant=str)  # NaN is no JSON


def _nest_value(path: tuple[str, ...], value: Any) -> Any:
    """The value in the tables that the path names, for `checked`."""
    for key in reversed(path):
        value = {key: value}
    return value
