"""ProviderCache: one provider for one configuration in one event loop.

A provider holds connections, which belong to the loop that made them. It is kept by everything
its profile says: two keys, two endpoints or two temperatures never share one.
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
    100  # providers of one loop: a service with a key for each user must not hoard sockets
)


class ProviderCache:
    """{event loop: {identity of a profile: provider}}, of each loop the last used.

    A provider that falls out of it ends with the last answer that uses it: nobody is cut off.
    """

    def __init__(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, dict[str, BaseLLMProvider]] = {}

    def get(self, profile: Profile) -> BaseLLMProvider:
        """The running loop's provider for a profile, made at its first use.

        Raises:
            ConfigError: no provider can be made of the profile.
        """
        self._drop_closed_loops()
        known = self._loops.setdefault(asyncio.get_running_loop(), {})
        identity = profile_cache_key(profile)
        provider = known.pop(identity, None) or provider_for(profile)
        known[identity] = provider  # the last one is the one used last
        if len(known) > MAX_PROVIDERS_PER_LOOP:
            known.pop(next(iter(known)))
        return provider

    def clear(self) -> None:
        """Forget every provider, of every loop."""
        self._loops.clear()

    async def aclose(self) -> None:
        """Close and forget the providers of the running loop."""
        self._drop_closed_loops()
        for provider in self._loops.pop(asyncio.get_running_loop(), {}).values():
            await provider.aclose()

    def _drop_closed_loops(self) -> None:
        """Let go of loops that are closed; weak keys would not, since a client holds its loop."""
        for loop in [one for one in list(self._loops) if one.is_closed()]:
            self._loops.pop(loop, None)


def profile_cache_key(profile: Profile) -> str:
    """Canonical JSON of all that a profile says, secrets by their SHA-256, and of the address
    that the environment names for it.

    Raises:
        ConfigError: the profile holds what is no JSON.
    """
    said = dict(vars(profile))
    if profile.endpoint is None:
        said["endpoint"] = [os.environ.get(get_endpoint_variable(profile.provider or ""))]
    try:
        text = json.dumps(said, default=_to_json)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the profile cannot be sent as JSON: {error}") from None
    return json.dumps(json.loads(text), sort_keys=True)  # sorting needs every key a string


def _to_json(value: Any) -> Any:
    if isinstance(value, Secret):
        from hashlib import sha256  # OpenSSL's, 1 ms, and only a key in a profile needs it

        return ["secret", sha256(value.reveal().encode("utf-8", "surrogatepass")).hexdigest()]
    if isinstance(value, Timeout):
        return vars(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"it holds {type(value).__name__}")
