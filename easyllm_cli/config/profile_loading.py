"""Loads profiles by name for the library, and turns configs into Profiles with their fallbacks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from .profile import Profile, TrustedConfig
from .profiles_file import read_profiles

# What LLMService takes as a config: a Profile, a dict of settings, or a profile's name.
Config = Profile | Mapping[str, Any] | str


def load_profile(
    name: str, model: str | None = None, path: str | os.PathLike[str] | None = None
) -> Profile:
    """Load a profile of the user's profiles file, or a built-in provider's name, as `-p` does.

    `name`: a profile's name, or NAME:MODEL. `extends` is resolved. Never pass a name that comes
    from somebody else: the profile is used with your key.
    `model`: the model's own name; replaces the profile's model.
    `path`: the profiles file, which must exist; default: the file that EASYLLM_PROFILES names, else
    `easyllm/profiles.toml` in the platform's config folder. The current folder is never searched.
    The file is read in the caller's thread at every call, but parsed only if it has changed.

    Raises:
        ConfigError: no such profile or file, the profile is not valid, or others can write the
            file.
    """
    if not isinstance(name, str):
        raise ConfigError(
            f"a profile's name must be text, not {type(name).__name__}", hint='load_profile("mine")'
        )
    profiles = read_profiles(None if path is None else os.fspath(path))
    return profiles.resolve_selector(name, model)


def resolve_configs(
    config: Config, fallbacks: Sequence[Config] | None, trusted: bool = False
) -> list[Profile]:
    """The Profile of a config, followed by its fallback Profiles in the order to ask them.

    `fallbacks`: the caller's fallback configs; None = those of the config's own `fallback`. Names
    in the `fallback` of a Profile from a profiles file are looked up in that file, other names in
    the user's. The `fallback` of a fallback is not followed.
    `trusted`: config dicts may use TRUSTED_ONLY_SETTINGS; a dict in a dict's `fallback` is as
    trusted as the outer one.

    Raises:
        ConfigError: a config is not valid, names a profile that does not exist, or is an untrusted
            dict with a setting of TRUSTED_ONLY_SETTINGS.
    """
    if fallbacks is not None:
        return [_resolve_config(each, trusted)[0] for each in (config, *fallbacks)]
    profile, own_fallbacks = _resolve_config(config, trusted)
    if own_fallbacks:
        return [profile, *own_fallbacks]
    if profile.fallback:
        return [profile, *read_profiles(profile.profiles_path).resolve_fallbacks(profile)]
    return [profile]


def _resolve_config(config: Config, trusted: bool) -> tuple[Profile, list[Profile]]:
    """The Profile of a config, and the fallbacks of a dict whose `fallback` holds configs."""
    if isinstance(config, Profile):
        return config, []
    if isinstance(config, str):
        return load_profile(config), []
    entries = config.get("fallback") if isinstance(config, Mapping) else None
    if not isinstance(entries, list) or all(isinstance(entry, str) for entry in entries):
        return Profile.from_config(config, trusted), []
    trusted = trusted or isinstance(config, TrustedConfig)
    names = [entry for entry in entries if isinstance(entry, str)]
    # The names go through the check of the outer dict before any of them is looked up.
    profile = Profile.from_config({**config, "fallback": names}, trusted)
    return profile, [
        _resolve_nested_config(entry, trusted, f"fallback[{number}]")
        for number, entry in enumerate(entries)
    ]


def _resolve_nested_config(config: Config, trusted: bool, where: str) -> Profile:
    """The Profile of an entry of a dict's `fallback`.

    An entry has no fallbacks, so that a dict cannot be nested endlessly or contain itself.

    Raises:
        ConfigError: as `resolve_configs`, or it has a `fallback`.
    """
    if isinstance(config, str):
        return load_profile(config)
    if isinstance(config, Mapping) and config.get("fallback"):
        raise ConfigError(
            "a config in fallback has a fallback itself", code="fallback", where=where,
            hint="put all of them into the outer list",
        )  # fmt: skip
    try:
        return Profile.from_config(config, trusted)
    except ConfigError as error:
        error.where = error.where or where
        raise
