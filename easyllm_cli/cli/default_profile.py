"""Without a profile: takes `local`, or offers the demo model, or lists what -p could name.

The error lists the usable providers, each with its exact -p option. A paid provider is never chosen
automatically. Only calls without a profile import this module.
"""

from __future__ import annotations

import shlex

from ..config.model_names import selector_from_model
from ..config.profile import Profile
from ..config.profiles_file import Profiles
from ..errors import ConfigError
from ..providers.local.model_files import is_demo_installed, is_engine_installed, model_path
from ..render.options import is_terminal
from ..render.output import print_notice
from .demo_model import FETCH_QUESTION, confirm, fetch_demo_model, format_engine_install_command
from .discovery import find_keys, find_model_files, find_servers

NO_OLLAMA_MODEL = "has no model: ollama pull llama3.2"
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
    has_engine = is_engine_installed()
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
    for key in find_keys():
        found = f"{key.key_variable} is set" if key.key_variable else "a key is stored"
        lines.append(f"{found}: -p {key.provider}:MODEL")
    for server in find_servers(["ollama"], loopback_only=False):
        found = f"Ollama answers at {server.endpoint}"
        lines.append(f"{found}: -p ollama" if server.models else f"{found} and {NO_OLLAMA_MODEL}")
    engine = "" if has_engine else f" (first: {format_engine_install_command()})"
    paths = find_model_files()
    return lines + [f"{path}: -p {shlex.quote(f'{LOCAL}:{path}')}{engine}" for path in paths]
