"""Which profile answers when none is named: the embedded model if it is there, else nobody.

The error then lists what was found, each with its exact -p; a paid provider is never chosen by
itself. Asked on this path only: nothing of it costs a call that names its profile.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from importlib.util import find_spec
from pathlib import Path

from ..config.endpoints import resolve_endpoint
from ..config.profile import Profile
from ..config.profiles_file import Profiles
from ..errors import ConfigError, EasyLLMError
from ..providers import provider_for
from ..providers.local.model_files import (
    DEMO_MODEL,
    installed_models,
    is_demo_installed,
    model_path,
)
from ..render.options import is_terminal
from ..render.output import print_notice
from ..vendors import VENDORS
from .demo_model import ENGINE_INSTALL_COMMAND, FETCH_QUESTION, confirm, fetch_demo_model

OLLAMA_TIMEOUT_SECONDS = 0.5
MAX_MODEL_FILES = 3
LOCAL = "local"


def default_profile(
    error: ConfigError, profiles: Profiles, model: str | None, offer_demo: bool
) -> Profile:
    """The profile `local`, where its engine and its file are there.

    `nobody`: the error that no profile is named. `offers`: on a terminal the demo model may be
    offered, and is then fetched.
    Raises:
        ConfigError: there is none; lists what could be named instead.
    """
    profile = local_profile(profiles).replace_set(model=model)
    has_engine = find_spec("xllamacpp") is not None
    if has_engine and model_path(profile.model or "").is_file():
        return profile
    found = candidates(has_engine)
    asks = offer_demo and has_engine and profile.model is None
    if asks and is_terminal(0) and is_terminal(2):
        print_notice(f"easyllm: {error.message}" + f"; found: {'; '.join(found)}" * bool(found))
        if confirm(FETCH_QUESTION):
            fetch_demo_model(quiet=False)
            return profile
    listed = f"{'; '.join(found)}; or " if found else "name one with -p, or "
    raise ConfigError(
        error.message, where=error.where, hint=listed + install_hint(has_engine),
        code=error.code,
    )  # fmt: skip


def install_hint(has_engine: bool) -> str:
    """The exact command after which the embedded model answers."""
    if has_engine:
        return "fetch a small demo model: easyllm pull --yes"
    if is_demo_installed():
        return f"install what runs the small demo model: {ENGINE_INSTALL_COMMAND}"
    return f"have a small demo model: {ENGINE_INSTALL_COMMAND} && easyllm pull --yes"


def local_profile(profiles: Profiles) -> Profile:
    """The file's own profile `local`, unless it names another provider."""
    named = profiles.resolve_profile(LOCAL)
    return named if named.provider == LOCAL else Profile(name=LOCAL, provider=LOCAL)


def candidates(has_engine: bool) -> list[str]:
    """Everything that could answer, with the exact -p for each."""
    found = []
    for name, vendor in VENDORS.items():
        variable = next((one for one in vendor.key_variables if os.environ.get(one)), None)
        if variable:
            found.append(f"{variable} is set: -p {name}:MODEL")
    found += find_ollama()
    engine = "" if has_engine else f" (first: {ENGINE_INSTALL_COMMAND})"
    found += [f"{path}: -p {shlex.quote(f'{LOCAL}:{path}')}{engine}" for path in gguf_files()]
    return found


def find_ollama() -> list[str]:
    """Whether an Ollama answers, and has a model; it is waited for half a second."""
    profile = Profile(name="ollama", provider="ollama")

    async def installed() -> list[str]:
        provider = provider_for(profile)
        provider.metadata_timeout = OLLAMA_TIMEOUT_SECONDS
        try:
            return await provider.list_models()
        finally:
            await provider.aclose()

    try:
        url = resolve_endpoint(profile).url
        # The loop is left open, as in running.run: closing it would wait for a name lookup.
        models = asyncio.Runner().run(installed())
    except EasyLLMError:
        return []
    if not models:
        return [f"Ollama answers at {url} and has no model: ollama pull llama3.2"]
    return [f"Ollama answers at {url}: -p ollama"]


def gguf_files() -> list[Path]:
    """Some model files: in our folder, in llama.cpp's, and in the current one."""
    cache = os.environ.get("LLAMA_CACHE") or os.path.expanduser("~/.cache/llama.cpp")
    found = (
        []
        if is_demo_installed()
        else [path for path in installed_models() if path.stem != DEMO_MODEL]
    )
    for folder in (Path(cache), Path(".")):
        found += [p for p in sorted(folder.glob("*.gguf")) if "mmproj" not in p.name]
    return found[:MAX_MODEL_FILES]
