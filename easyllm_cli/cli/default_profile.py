"""Without a profile: takes `local`, or offers the demo model, or lists what -p could name.

The error lists the usable providers, each with its exact -p option. A paid provider is never chosen
automatically. Only calls without a profile import this module.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from importlib.util import find_spec
from pathlib import Path

from ..config.endpoints import resolve_endpoint
from ..config.model_names import selector_from_model
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
from .demo_model import FETCH_QUESTION, confirm, fetch_demo_model, format_engine_install_command

OLLAMA_TIMEOUT_SECONDS = 0.5
MAX_MODEL_FILES = 3
LOCAL = "local"


def default_profile(
    error: ConfigError, profiles: Profiles, model: str | None, offer_demo: bool
) -> Profile:
    """The profile `local`, if its engine and its model file are installed.

    `error`: the error for no profile. `offer_demo`: offer on a terminal to fetch the demo model.
    Raises:
        ConfigError: `error` with a hint that lists the profiles that could be named.
    """
    profile = local_profile(profiles).replace_set(model=model)
    has_engine = find_spec("xllamacpp") is not None
    if has_engine and model_path(profile.model or "").is_file():
        return profile
    usable = candidates(has_engine)
    may_ask = offer_demo and has_engine and profile.model is None
    if may_ask and is_terminal(0) and is_terminal(2):
        print_notice(f"easyllm: {error.message}" + f"; found: {'; '.join(usable)}" * bool(usable))
        if confirm(FETCH_QUESTION):
            fetch_demo_model(quiet=False)
            return profile
    selector = selector_from_model(model or "")
    listed = f"{'; '.join(usable)}; or " if usable else "name one with -p, or "
    if selector:
        listed = f"-m names a model of a profile; e.g. -p {selector}; {listed}"
    raise ConfigError(
        error.message, where=error.where, hint=listed + install_hint(has_engine),
        code=error.code,
    )  # fmt: skip


def install_hint(has_engine: bool) -> str:
    """The command that makes the embedded model usable."""
    if has_engine:
        return "fetch a small demo model: easyllm pull --yes"
    if is_demo_installed():
        return f"install the engine of the demo model: {format_engine_install_command()}"
    return f"install the demo model: {format_engine_install_command()} && easyllm pull --yes"


def local_profile(profiles: Profiles) -> Profile:
    """The file's profile `local`, unless it has another provider."""
    named = profiles.resolve_profile(LOCAL)
    return named if named.provider == LOCAL else Profile(name=LOCAL, provider=LOCAL)


def candidates(has_engine: bool) -> list[str]:
    """Everything that could answer, each with its exact -p option."""
    lines = []
    for name, vendor in VENDORS.items():
        variable = next((key for key in vendor.key_variables if os.environ.get(key)), None)
        if variable:
            lines.append(f"{variable} is set: -p {name}:MODEL")
    lines += find_ollama()
    engine = "" if has_engine else f" (first: {format_engine_install_command()})"
    lines += [f"{path}: -p {shlex.quote(f'{LOCAL}:{path}')}{engine}" for path in gguf_files()]
    return lines


def find_ollama() -> list[str]:
    """A line about Ollama if it answers within half a second, else nothing."""
    profile = Profile(name="ollama", provider="ollama")

    async def list_models() -> list[str]:
        provider = provider_for(profile)
        provider.metadata_timeout = OLLAMA_TIMEOUT_SECONDS
        try:
            return await provider.list_models()
        finally:
            await provider.aclose()

    try:
        url = resolve_endpoint(profile).url
        # The loop stays open: closing it would wait for a name lookup in a thread.
        models = asyncio.Runner().run(list_models())
    except EasyLLMError:
        return []
    if not models:
        return [f"Ollama answers at {url} and has no model: ollama pull llama3.2"]
    return [f"Ollama answers at {url}: -p ollama"]


def gguf_files() -> list[Path]:
    """Up to three model files: of easyllm, in llama.cpp's cache and in the current folder."""
    cache = os.environ.get("LLAMA_CACHE") or os.path.expanduser("~/.cache/llama.cpp")
    paths = (
        []
        if is_demo_installed()
        else [path for path in installed_models() if path.stem != DEMO_MODEL]
    )
    for folder in (Path(cache), Path(".")):
        paths += [p for p in sorted(folder.glob("*.gguf")) if "mmproj" not in p.name]
    return paths[:MAX_MODEL_FILES]
