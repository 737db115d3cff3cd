"""Finds what can answer without a profile: local model servers, API keys and model files.

A key's value is not used, only whether it is set.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..config.endpoints import is_loopback, resolve_endpoint
from ..config.key_store import read_entries
from ..config.profile import Profile
from ..errors import EasyLLMError
from ..providers import provider_for
from ..providers.local.model_files import (
    DEMO_MODEL,
    installed_models,
    is_demo_installed,
    is_engine_installed,
)
from ..vendors import VENDORS

LOCAL_SERVERS = {
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "llamacpp": "llama.cpp",
    "vllm": "vLLM",
}
SERVER_TIMEOUT_SECONDS = 0.5  # all servers are asked at once
MAX_MODEL_FILES = 3


@dataclass(frozen=True)
class DiscoveredProvider:
    """A usable provider: a server with its `endpoint` and the ids of its `models`, or a key.

    `key_variable`: the environment variable that holds the key; "" = stored with `easyllm keys`.
    """

    provider: str
    endpoint: str = ""
    models: tuple[str, ...] = ()
    key_variable: str = ""


def find_servers(
    names: Iterable[str] = LOCAL_SERVERS, loopback_only: bool = True
) -> list[DiscoveredProvider]:
    """The servers that answer with a model list, in the order of `names`.

    `loopback_only`: leave out a server whose variable names another machine.
    """

    async def find_all() -> list[DiscoveredProvider | None]:
        return await asyncio.gather(*(_find_server(name, loopback_only) for name in names))

    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    try:
        return [server for server in runner.run(find_all()) if server is not None]
    finally:
        runner.get_loop().close()  # Runner.close would wait for a name lookup in a thread


async def _find_server(name: str, loopback_only: bool) -> DiscoveredProvider | None:
    profile = Profile(name=name, provider=name)
    try:
        endpoint = resolve_endpoint(profile)
        if loopback_only and not is_loopback(endpoint.url):
            return None
        provider = provider_for(profile)
        try:
            async with asyncio.timeout(SERVER_TIMEOUT_SECONDS):
                models = await provider.list_models()
        finally:
            await provider.aclose()
    except (EasyLLMError, TimeoutError):
        return None
    return DiscoveredProvider(name, endpoint.url, tuple(models))


def find_keys() -> list[DiscoveredProvider]:
    """The providers whose key is in the environment or stored with `easyllm keys`.

    Raises:
        ConfigError: keys.json is invalid.
    """
    stored = read_entries()
    found = []
    for name, vendor in VENDORS.items():
        variables = [key for key in vendor.key_variables if os.environ.get(key, "").strip()]
        needs_key = vendor.key_required and name not in LOCAL_SERVERS
        if needs_key and (variables or name in stored):
            found.append(DiscoveredProvider(name, key_variable="".join(variables[:1])))
    return found


def find_embedded_model() -> list[DiscoveredProvider]:
    """The provider `local`, if the demo model of `easyllm pull` and its engine are installed."""
    is_usable = is_engine_installed() and is_demo_installed()
    return [DiscoveredProvider("local")] if is_usable else []


def find_model_files() -> list[Path]:
    """Up to three model files: of easyllm, in llama.cpp's cache and in the current folder."""
    cache = os.environ.get("LLAMA_CACHE") or os.path.expanduser("~/.cache/llama.cpp")
    installed = [] if is_demo_installed() else installed_models()
    paths = [path for path in installed if path.stem != DEMO_MODEL]
    for folder in (Path(cache), Path(".")):
        paths += [p for p in sorted(folder.glob("*.gguf")) if "mmproj" not in p.name]
    return paths[:MAX_MODEL_FILES]
