"""Builds the HTTP headers of a profile: its `headers`, and OpenAI's organization and project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ..config.credentials import refuse_key_over_http
from ..config.endpoints import Endpoint
from ..config.header_values import validate_header
from ..config.profile import Profile
from ..errors import ConfigError
from ..secret import SENSITIVE_NAME, Secret

# Headers that carry a key, in lower case.
KEY_HEADER_NAMES = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


def extra_headers(profile: Profile, endpoint: Endpoint, dry_run: bool) -> dict[str, str | Secret]:
    """The profile's `headers`. A value `env:NAME` is read from that variable and kept secret.

    `dry_run`: the variables need not be set.
    Raises:
        ConfigError: a variable is not set, a name or value is not valid in HTTP, or a secret value
            would be sent over http:// to another machine.
    """
    headers: dict[str, str | Secret] = {}
    for name, value in (profile.headers or {}).items():
        if value.startswith("env:"):
            variable_value = os.environ.get(value[4:], "not set" if dry_run else None)
            if variable_value is None:
                raise ConfigError(
                    f"header {name}: {value[4:]} is not set", hint=f"export {value[4:]}=…"
                )
            value = variable_value
        value = validate_header(name, value)
        sensitive = re.search(SENSITIVE_NAME, name)
        secret = sensitive or (profile.headers or {})[name].startswith("env:")
        headers[name] = Secret(value) if secret else value
        if secret and not dry_run:
            refuse_key_over_http(profile, endpoint, name)
    return headers


def has_key_header(headers: Mapping[str, str | Secret]) -> bool:
    """Whether one of the headers carries a key."""
    return any(name.lower() in KEY_HEADER_NAMES for name in headers)


def with_key_header(
    name: str, key: Secret | None, headers: dict[str, str | Secret]
) -> dict[str, str | Secret]:
    """The profile's headers behind the header of the key.

    A header of the profile that carries a key replaces it: one request never has two keys.
    `name`: "Authorization" carries `Bearer KEY`, another header the key alone. `key`: None = none.
    """
    if key is None or has_key_header(headers):
        return headers
    value = key.as_bearer() if name == "Authorization" else key
    return {name: value, **headers}


def account_headers(profile: Profile) -> dict[str, str | Secret]:
    """OpenAI's headers for the profile's `organization` and `project`.

    Raises:
        ConfigError: a value contains characters that a header cannot contain.
    """
    if profile.organization is None and profile.project is None:  # most profiles
        return {}
    settings = {
        "OpenAI-Organization": ("organization", profile.organization),
        "OpenAI-Project": ("project", profile.project),
    }
    return {
        header: validate_header(header, value, setting)
        for header, (setting, value) in settings.items()
        if value
    }
