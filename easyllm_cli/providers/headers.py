"""The profile's own headers, their values from variables where it says so, and OpenAI's two."""

from __future__ import annotations

import os

from ..config.credentials import refuse_key_over_http
from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..config.settings import validate_header
from ..errors import ConfigError
from ..secret import SENSITIVE_NAME, Secret


def extra_headers(profile: Profile, endpoint: Endpoint, dry_run: bool) -> dict[str, str | Secret]:
    """`headers`; a value `env:NAME` is the variable's, and secret. `dry`: it need not be set.

    Raises:
        ConfigError: a variable is not set, a name or a value is none that HTTP can send, or a
            secret one would go over http:// to another machine.
    """
    made: dict[str, str | Secret] = {}
    for name, value in (profile.headers or {}).items():
        if value.startswith("env:"):
            found = os.environ.get(value[4:], "not set" if dry_run else None)
            if found is None:
                raise ConfigError(
                    f"header {name}: {value[4:]} is not set", hint=f"export {value[4:]}=…"
                )
            value = found
        value = validate_header(name, value)
        hidden = SENSITIVE_NAME.search(name)
        secret = hidden or (profile.headers or {})[name].startswith("env:")
        made[name] = Secret(value) if secret else value
        if secret and not dry_run:
            refuse_key_over_http(profile, endpoint, name)
    return made


def account_headers(profile: Profile) -> dict[str, str | Secret]:
    """OpenAI's headers for the profile's `organization` and `project`.

    Raises:
        ConfigError: one holds characters that no header can.
    """
    named = {
        "OpenAI-Organization": ("organization", profile.organization),
        "OpenAI-Project": ("project", profile.project),
    }
    return {
        header: validate_header(header, value, setting)
        for header, (setting, value) in named.items()
        if value
    }
