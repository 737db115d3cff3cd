"""What decides the answers of a batch, as hashes: a run with others would mix two batches."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ..config.endpoints import resolve_endpoint
from ..config.profile import Profile
from ..errors import ConfigError
from ..providers.request_key import plain_request_key

# Settings that change how fast, how dear or by which way rows are asked, not what is answered.
NOT_DECIDING: dict[str, Any] = {
    "rpm": None, "tpm": None, "concurrency": None, "price": None, "budget": None, "max_cost": None,
    "total_budget": None, "transport": "http", "schema": None, "model": None, "endpoint": None,
}  # fmt: skip


def hash_settings(
    profile: Profile, template: str | None, form: str, shard: tuple[int, int], via: str = ""
) -> dict[str, str]:
    """The hashes by name, which error messages show.

    `via`: how the provider is asked; "" = the usual way. What one way has sent, the other does not
    know, and would send again.
    Raises:
        ConfigError: the profile cannot be written as JSON.
    """
    asked = plain_request_key(profile.__replace__(**NOT_DECIDING), [])["profile"]
    asked.pop("endpoint", None)
    values: dict[str, Any] = {
        "model": profile.model,
        "endpoint": _find_url(profile),
        "system prompt": profile.system,
        "template": template,
        "schema": profile.schema,
        "format": form,
        "shard": [*shard],
        "setting of the profile or option": {**asked, "strict": profile.strict},
    }
    if via:
        values["--via"] = via
    return {name: _hash(value) for name, value in values.items()}


def _find_url(profile: Profile) -> str | None:
    try:
        return resolve_endpoint(profile).url
    except ConfigError:  # a plugin has an endpoint of its own
        return profile.endpoint


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
