"""Finds what `easyllm init` can use: local model servers, the demo model, and API keys.

Only loopback addresses are contacted. A key's value is not used, only whether it is set.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from importlib.util import find_spec

from ..config.endpoints import is_loopback, resolve_endpoint
from ..config.key_store import has_stored_key
from ..config.profile import Profile
from ..errors import EasyLLMError
from ..providers import provider_for
from ..providers.local.model_files import is_demo_installed
from ..vendors import VENDORS

LOCAL_SERVERS = {
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "llamacpp": "llama.cpp",
    "vllm": "vLLM",
}
EMBEDDED_MODELS = {"local": "A small demo model, run by easyllm itself"}
SERVER_TIMEOUT_SECONDS = 0.5  # for each server; all are asked at once


@dataclass(frozen=True)
class DiscoveredProvider:
    """A usable provider. `models`: ids of a server; `key_source`: where the key was found."""

    provider: str
    description: str
    models: tuple[str, ...] = ()
    key_source: str = ""


def find_running_servers() -> list[DiscoveredProvider]:
    """The local servers that answer, in the order of LOCAL_SERVERS."""

    async def find_all() -> list[DiscoveredProvider | None]:
        return await asyncio.gather(*map(_find_server, LOCAL_SERVERS))

    return [server for server in asyncio.run(find_all()) if server is not None]


async def _find_server(name: str) -> DiscoveredProvider | None:
    """The server, if it answers with a model list in time."""
    profile = Profile(name=name, provider=name)
    try:
        endpoint = resolve_endpoint(profile)
        if not is_loopback(endpoint.url):
            return None
        provider = provider_for(profile)
        try:
            async with asyncio.timeout(SERVER_TIMEOUT_SECONDS):
                models = await provider.list_models()
        finally:
            await provider.aclose()
    except (EasyLLMError, TimeoutError):
        return None
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    return DiscoveredProvider(
        name, f"{LOCAL_SERVERS[name]} at {endpoint.url}, {count}", tuple(models)
    )


def find_embedded_model() -> list[DiscoveredProvider]:
    """The demo model of `easyllm pull`, if it and its engine are installed."""
    if find_spec("xllamacpp") is None or not is_demo_installed():
        return []
    return [
        DiscoveredProvider(name, description[0].lower() + description[1:])
        for name, description in EMBEDDED_MODELS.items()
    ]


def find_keys() -> list[DiscoveredProvider]:
    """The providers whose key is in the environment or stored with `easyllm keys`."""
    providers: list[DiscoveredProvider] = []
    for name, vendor in VENDORS.items():
        if not vendor.key_required or name in LOCAL_SERVERS:
            continue
        variable = next(
            (key for key in vendor.key_variables if os.environ.get(key, "").strip()), ""
        )
        if variable:
            providers.append(
                DiscoveredProvider(name, f"a key for {name} in {variable}", key_source=variable)
            )
        elif has_stored_key(name):
            providers.append(
                DiscoveredProvider(
                    name, f"a stored key for {name}", key_source=f"easyllm keys ({name})"
                )
            )
    return providers
