"""What is here to be used: model servers on this machine's usual ports, and keys.

Nothing but loopback addresses is contacted, and no key is read: only whether it is there.
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
SERVER_TIMEOUT_SECONDS = 0.5  # for each server, all at once


@dataclass(frozen=True)
class DiscoveredProvider:
    """A provider that can be used: `models` are a server's, `key` says where the key is."""

    provider: str
    description: str
    models: tuple[str, ...] = ()
    key_source: str = ""


def find_running_servers() -> list[DiscoveredProvider]:
    """The model servers that answer on this machine, in the order of SERVERS."""

    async def ask_all() -> list[DiscoveredProvider | None]:
        return await asyncio.gather(*map(_find_server, LOCAL_SERVERS))

    return [one for one in asyncio.run(ask_all()) if one is not None]


async def _find_server(name: str) -> DiscoveredProvider | None:
    """One server, if it answers with a list of models in time."""
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
    """The demo model of `easyllm pull`, where it and what runs it are there."""
    if find_spec("xllamacpp") is None or not is_demo_installed():
        return []
    return [
        DiscoveredProvider(name, says[0].lower() + says[1:])
        for name, says in EMBEDDED_MODELS.items()
    ]


def find_keys() -> list[DiscoveredProvider]:
    """The providers whose key is in the environment, or stored with `easyllm keys`."""
    found: list[DiscoveredProvider] = []
    for name, vendor in VENDORS.items():
        if not vendor.key_required or name in LOCAL_SERVERS:
            continue
        variable = next(
            (one for one in vendor.key_variables if os.environ.get(one, "").strip()), ""
        )
        if variable:
            found.append(
                DiscoveredProvider(name, f"a key for {name} in {variable}", key_source=variable)
            )
        elif has_stored_key(name):
            found.append(
                DiscoveredProvider(
                    name, f"a stored key for {name}", key_source=f"easyllm keys ({name})"
                )
            )
    return found
