"""Loads profiles by name for the library."""

from __future__ import annotations

import os

from ..errors import ConfigError
from .profile import Profile
from .profiles_file import read_profiles


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
