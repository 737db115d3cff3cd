"""Parses and checks `KEY VALUE` and `KEY=VALUE` arguments that change a profile."""

from __future__ import annotations

import json
from typing import Any

from ..errors import ConfigError, UsageError, suggest_name
from .settings import SETTINGS, resolve_setting_alias
from .toml_document import parse_toml_value


def parse_assignment(key: str, text: str) -> tuple[tuple[str, ...], Any]:
    """Parse an assignment into the key's path in the profile's table and the value.

    The value None removes the key. The text is read as JSON, then as TOML, then as plain text; the
    first reading whose type fits the setting is used.

    Raises:
        ConfigError: unknown setting, or a value that it does not accept.
        UsageError: the setting is `api_key`, which must not be given on a command line.
    """
    first, dot, rest = key.partition(".")
    first = resolve_setting_alias(first)
    setting = SETTINGS.get(first)
    if setting is None or (dot and not (setting.is_table and rest)):
        dotted_keys = [each for known in SETTINGS.values() for each in known.dotted_keys]
        raise ConfigError(f'unknown key "{key}"', hint=suggest_name(key, [*SETTINGS, *dotted_keys]))
    if setting.is_secret:
        raise UsageError(
            "every user of this machine can see an API key on the command line",
            hint="easyllm keys set NAME stores it, then set keyring NAME; or set api_key_env",
        )
    subkeys = rest.split(".") if setting.has_nested_tables else [rest]
    path = (first, *(subkeys if dot else ()))
    return path, _parse_value(path, text)


def _parse_value(path: tuple[str, ...], text: str) -> Any:
    """Return the first reading of the text whose type fits the setting."""
    first_error: ConfigError | None = None
    for read in (_parse_json, parse_toml_value, str):
        try:
            value = read(text)
            if value is not None:
                SETTINGS[path[0]].validate(_nest_value(path[1:], value))
            return value
        except ConfigError as error:
            first_error = first_error or error
        except (ValueError, RecursionError):
            continue
    raise first_error or ConfigError(f"{'.'.join(path)} cannot hold {text[:80]!r}")


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_constant=str)  # NaN and Infinity are not JSON


def _nest_value(path: tuple[str, ...], value: Any) -> Any:
    """Wrap the value in one dict per path part, as `Setting.validate` expects it."""
    for key in reversed(path):
        value = {key: value}
    return value
