"""Keys that tell two profiles, or two requests, apart: canonical JSON without any secret."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..config.profile import Profile
from ..config.settings import SETTINGS, Timeout
from ..errors import ConfigError
from ..messages import Message
from ..secret import Secret
from ..transport.base import Request
from ..vendors import get_endpoint_variable

STREAM_FIELDS = ("stream", "stream_options")  # body fields that do not change the answer
# Fields of a profile that do not change what a model is asked. All others are in the key, so that a
# new setting cannot be forgotten.
NOT_ASKED = (
    *(name for name, each in SETTINGS.items() if each.is_key_source or not each.affects_answer),
    "name", "choices", "elicit", "max_cost", "total_budget", "selected_by", "untrusted",
    "profiles_path",
)  # fmt: skip


def plain_request_key(profile: Profile, messages: list[Message]) -> dict[str, Any]:
    """The key of a request whose adapter does not show what it sends.

    Everything in the profile and the messages counts, but for NOT_ASKED. JSON values.
    """
    without_keys: dict[str, Any] = dict.fromkeys(NOT_ASKED)
    asked = json.loads(profile_cache_key(replace(profile, **without_keys)))
    return {
        "profile": {name: value for name, value in asked.items() if name not in NOT_ASKED},
        "messages": [
            {
                "role": message.role,
                "parts": [
                    part if isinstance(part, str) else {"image": part.as_url()}
                    for part in message.parts
                ],
                **message.fields,
            }
            for message in messages
        ],
    }


def request_to_key(request: Request) -> dict[str, Any]:
    """What is sent, but for the headers and the body's STREAM_FIELDS."""
    body = request.body or {}
    kept = {key: value for key, value in body.items() if key not in STREAM_FIELDS}
    return {"method": request.method, "url": request.url, "body": kept}


def profile_cache_key(profile: Profile) -> str:
    """Canonical JSON of a profile, with secrets as SHA-256.

    It includes the endpoint from the environment variable if the profile sets none.
    Raises:
        ConfigError: the profile contains a value that JSON cannot represent.
    """
    settings = dict(vars(profile))
    if profile.endpoint is None:
        settings["endpoint"] = [os.environ.get(get_endpoint_variable(profile.provider or ""))]
    try:
        text = json.dumps(settings, default=_to_json)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the profile cannot be sent as JSON: {error}") from None
    return json.dumps(
        json.loads(text), sort_keys=True
    )  # the round trip makes every key a string, which sorting needs


def _to_json(value: Any) -> Any:
    if isinstance(value, Secret):
        from hashlib import sha256  # loads OpenSSL (1 ms); only a key in a profile needs it

        return ["secret", sha256(value.reveal().encode("utf-8", "surrogatepass")).hexdigest()]
    if isinstance(value, Timeout):
        return vars(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it contains a {type(value).__name__}")
