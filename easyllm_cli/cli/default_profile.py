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

from ..config.endpoints import endpoint_of
from ..config.profile import Profile
from ..config.profiles_file import Profiles
from ..errors import ConfigError, EasyLLMError
from ..providers import provider_for
from ..providers.local.model_files import DEMO, demo_is_there, kept, path_of
from ..render.options import is_terminal
from ..render.output import complain
from ..vendors import VENDORS
from .demo_model import ENGINE, QUESTION, agreed, fetched

OLLAMA_SECONDS = 0.5
MOST_FILES = 3
LOCAL = "local"


def embedded_or(
    nobody: ConfigError, profiles: Profiles, model: str | None, offers: bool
) -> Profile:
    """The profile `local`, where its engine and its file are there.

    `nobody`: the error that no profile is named. `offers`: on a terminal the demo model may be
    offered, and is then fetched.
    Raises:
        ConfigError: there is none; lists what could be named instead.
    """
    profile = embedded(profiles).with_(model=model)
    has_engine = find_spec("xllamacpp") is not None
    if has_engine and path_of(profile.model or "").is_file():
        return profile
    found = what_is_there(has_engine)
    asks = offers and has_engine and profile.model is None
    if asks and is_terminal(0) and is_terminal(2):
        complain(f"easyllm: {nobody.message}" + f"; found: {'; '.join(found)}" * bool(found))
        if agreed(QUESTION):
            fetched(quiet=False)
            return profile
    listed = f"{'; '.join(found)}; or " if found else "name one with -p, or "
    raise ConfigError(
        nobody.message, where=nobody.where, hint=listed + how_to_have_one(has_engine),
        code=nobody.code,
    )  # fmt: skip


def how_to_have_one(has_engine: bool) -> str:
    """The exact command after which the embedded model answers."""
    if has_engine:
        return "fetch a small demo model: easyllm pull --yes"
    if demo_is_there():
        return f"install what runs the small demo model: {ENGINE}"
    return f"have a small demo model: {ENGINE} && easyllm pull --yes"


def embedded(profiles: Profiles) -> Profile:
    """The file's own profile `local`, unless it names another provider."""
    named = profiles.named(LOCAL)
    return named if named.provider == LOCAL else Profile(name=LOCAL, provider=LOCAL)


def what_is_there(has_engine: bool) -> list[str]:
    """Everything that could answer, with the exact -p for each."""
    found = []
    for name, vendor in VENDORS.items():
        variable = next((one for one in vendor.key_variables if os.environ.get(one)), None)
        if variable:
            found.append(f"{variable} is set: -p {name}:MODEL")
    found += ollama()
    engine = "" if has_engine else f" (first: {ENGINE})"
    found += [f"{path}: -p {shlex.quote(f'{LOCAL}:{path}')}{engine}" for path in ggufs()]
    return found


def ollama() -> list[str]:
    """Whether an Ollama answers, and has a model; it is waited for half a second."""
    profile = Profile(name="ollama", provider="ollama")

    async def installed() -> list[str]:
        provider = provider_for(profile)
        provider.look_seconds = OLLAMA_SECONDS
        try:
            return await provider.list_models()
        finally:
            await provider.aclose()

    try:
        url = endpoint_of(profile).url
        # The loop is left open, as in running.run: closing it would wait for a name lookup.
        models = asyncio.Runner().run(installed())
    except EasyLLMError:
        return []
    if not models:
        return [f"Ollama answers at {url} and has no model: ollama pull llama3.2"]
    return [f"Ollama answers at {url}: -p ollama"]


def ggufs() -> list[Path]:
    """Some model files: in our folder, in llama.cpp's, and in the current one."""
    cache = os.environ.get("LLAMA_CACHE") or os.path.expanduser("~/.cache/llama.cpp")
    found = [] if demo_is_there() else [path for path in kept() if path.stem != DEMO]
    for folder in (Path(cache), Path(".")):
        found += [p for p in sorted(folder.glob("*.gguf")) if "mmproj" not in p.name]
    return found[:MOST_FILES]
