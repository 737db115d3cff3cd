"""What is here to be used: model servers on this machine's usual ports, and keys.

Nothing but loopback addresses is contacted, and no key is read: only whether it is there.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from importlib.util import find_spec

from ..config.endpoints import endpoint_of, is_loopback
from ..config.key_store import holds
from ..config.profile import Profile
from ..errors import EasyLLMError
from ..providers import provider_for
from ..providers.local.model_files import demo_is_there
from ..vendors import VENDORS

SERVERS = {"ollama": "Ollama", "lmstudio": "LM Studio", "llamacpp": "llama.cpp", "vllm": "vLLM"}
EMBEDDED = {"local": "A small demo model, run by easyllm itself"}
SECONDS = 0.5  # for each server, all at once


@dataclass(frozen=True)
class Found:
    """A provider that can be used: `models` are a server's, `key` says where the key is."""

    provider: str
    says: str
    models: tuple[str, ...] = ()
    key: str = ""


def running_servers() -> list[Found]:
    """The model servers that answer on this machine, in the order of SERVERS."""

    async def ask_all() -> list[Found | None]:
        return await asyncio.gather(*map(_ask, SERVERS))

    return [one for one in asyncio.run(ask_all()) if one is not None]


async def _ask(name: str) -> Found | None:
    """One server, if it answers with a list of models in time."""
    profile = Profile(name=name, provider=name)
    try:
        endpoint = endpoint_of(profile)
        if not is_loopback(endpoint.url):
            return None
        provider = provider_for(profile)
        try:
            async with asyncio.timeout(SECONDS):
                models = await provider.list_models()
        finally:
            await provider.aclose()
    except (EasyLLMError, TimeoutError):
        return None
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    return Found(name, f"{SERVERS[name]} at {endpoint.url}, {count}", tuple(models))


def embedded_model() -> list[Found]:
    """The demo model of `easyllm pull`, where it and what runs it are there."""
    if find_spec("xllamacpp") is None or not demo_is_there():
        return []
    return [Found(name, says[0].lower() + says[1:]) for name, says in EMBEDDED.items()]


def known_keys() -> list[Found]:
    """The providers whose key is in the environment, or stored with `easyllm keys`."""
    found: list[Found] = []
    for name, vendor in VENDORS.items():
        if not vendor.key_required or name in SERVERS:
            continue
        variable = next(
            (one for one in vendor.key_variables if os.environ.get(one, "").strip()), ""
        )
        if variable:
            found.append(Found(name, f"a key for {name} in {variable}", key=variable))
        elif holds(name):
            found.append(Found(name, f"a stored key for {name}", key=f"easyllm keys ({name})"))
    return found
