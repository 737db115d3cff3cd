"""Caches the 100 last used provider objects of each event loop, by the whole profile.

A provider holds connections that belong to an event loop. The cache key covers the whole profile:
two API keys, endpoints or temperatures never share a provider.
"""

from __future__ import annotations

import asyncio
import os

from ..config.profile import Profile
from ..vendors import get_endpoint_variable
from . import provider_for
from .base import BaseLLMProvider
from .request_key import profile_cache_key

MAX_PROVIDERS_PER_LOOP = (
    100  # bounds the open sockets of a service that has an API key for each user
)


class ProviderCache:
    """The most recently used providers of each event loop.

    A dropped provider is not closed, so that a running answer can finish.
    """

    def __init__(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, dict[str, BaseLLMProvider]] = {}
        # By the id of a Profile object: itself, the variable of its endpoint, and its cache key.
        self._keys: dict[int, tuple[Profile, str | None, str]] = {}

    def get(self, profile: Profile) -> BaseLLMProvider:
        """The provider for a profile in the running event loop, created at first use.

        Raises:
            ConfigError: the profile is not valid.
        """
        self._drop_closed_loops()
        providers = self._loops.setdefault(asyncio.get_running_loop(), {})
        identity = self._cache_key(profile)
        provider = providers.pop(identity, None) or provider_for(profile)
        providers[identity] = provider  # moves it to the end: the most recently used
        if len(providers) > MAX_PROVIDERS_PER_LOOP:
            providers.pop(next(iter(providers)))
        return provider

    def _cache_key(self, profile: Profile) -> str:
        """The cache key of the profile, which takes a fifth of a request's time to make.

        Many requests come with the same Profile object. Raises as `profile_cache_key`.
        """
        endpoint = None
        if profile.endpoint is None:
            endpoint = os.environ.get(get_endpoint_variable(profile.provider or ""))
        known = self._keys.get(id(profile))
        if known is None or known[0] is not profile or known[1] != endpoint:
            if len(self._keys) >= MAX_PROVIDERS_PER_LOOP:
                self._keys.clear()
            known = self._keys[id(profile)] = profile, endpoint, profile_cache_key(profile)
        return known[2]

    def clear(self) -> None:
        """Drop the providers of all event loops without closing them."""
        self._loops.clear()
        self._keys.clear()

    async def aclose(self) -> None:
        """Close and drop the providers of the running event loop.

        Raises the first error of a provider that could not be closed, after closing the others.
        """
        self._drop_closed_loops()
        first_error: Exception | None = None
        for provider in self._loops.pop(asyncio.get_running_loop(), {}).values():
            try:
                await provider.aclose()
            except Exception as error:
                first_error = first_error or provider.plugin_error(error) or error
        if first_error is not None:
            raise first_error

    def _drop_closed_loops(self) -> None:
        """Drop closed loops. Weak keys would not work: a client keeps a reference to its loop."""
        for loop in [loop for loop in list(self._loops) if loop.is_closed()]:
            self._loops.pop(loop, None)
