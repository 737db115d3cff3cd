"""Caches the 100 last used provider objects of each event loop, by the whole profile.

A provider holds connections that belong to an event loop. The cache key covers the whole profile:
two API keys, endpoints or temperatures never share a provider.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from typing import Any

from ..config.profile import Profile, Timeout
from ..errors import ConfigError
from ..secret import Secret
from ..vendors import get_endpoint_variable
from . import provider_for
from .base import BaseLLMProvider

MAX_PROVIDERS_PER_LOOP = (
    100  # bounds the open sockets of a service that has an API key for each user
)


class ProviderCache:
    """The most recently used providers of each event loop.

    A dropped provider is not closed, so that a running answer can finish.
    """

    def __init__(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, dict[str, BaseLLMProvider]] = {}

    def get(self, profile: Profile) -> BaseLLMProvider:
        """The provider for a profile in the running event loop, created at first use.

        Raises:
            ConfigError: the profile is not valid.
        """
        self._drop_closed_loops()
        providers = self._loops.setdefault(asyncio.get_running_loop(), {})
        identity = profile_cache_key(profile)
        provider = providers.pop(identity, None) or provider_for(profile)
        providers[identity] = provider  # moves it to the end: the most recently used
        if len(providers) > MAX_PROVIDERS_PER_LOOP:
            providers.pop(next(iter(providers)))
        return provider

    def clear(self) -> None:
        """Drop the providers of all event loops without closing them."""
        self._loops.clear()

    async def aclose(self) -> None:
        """Close and drop the providers of the running event loop."""
        self._drop_closed_loops()
        for provider in self._loops.pop(asyncio.get_running_loop(), {}).values():
            await provider.aclose()

    def _drop_closed_loops(self) -> None:
        """Drop closed loops. Weak keys would not work: a client keeps a reference to its loop."""
        for loop in [loop for loop in list(self._loops) if loop.is_closed()]:
            self._loops.pop(loop, None)


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
