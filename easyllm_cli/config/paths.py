"""Paths of easyllm's configuration, data, state and cache folders on each platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import UsageError

APP_FOLDER_NAME = "easyllm"


def expand_home(path: str | os.PathLike[str]) -> Path:
    """A path that the user names; a leading `~` or `~name` is a home folder.

    Raises:
        UsageError: that home folder is unknown, or it is no path.
    """
    text = os.fspath(path)
    problem = "there is no such home folder"
    try:
        if "\0" not in text:
            return Path(text).expanduser()
        problem = "it holds a NUL byte"
    except RuntimeError:
        pass
    raise UsageError(f"not a usable path: {problem}", where=text[:200], hint="write the whole path")


def config_folder() -> Path:
    """Folder of profiles.toml: `easyllm` in XDG_CONFIG_HOME, Application Support or APPDATA.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return _platform_folder("XDG_CONFIG_HOME", ".config")


def templates_folder() -> Path:
    """Folder of prompt templates, beside profiles.toml. Raises RuntimeError as `config_folder`."""
    return config_folder() / "prompts"


def template_names() -> list[str]:
    """The names of all templates, sorted. Raises RuntimeError as `config_folder`."""
    return sorted(path.stem for path in templates_folder().glob("*.md") if path.is_file())


def keys_file() -> Path:
    """Path of keys.json, which lists the keys that `easyllm keys` has stored.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return config_folder() / "keys.json"


def state_folder() -> Path:
    """Folder of partial answers and model lists: `easyllm` in XDG_STATE_HOME, Application Support
    or LOCALAPPDATA.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return _platform_folder("XDG_STATE_HOME", ".local/state")


def data_folder() -> Path:
    """Folder of embedded models: `easyllm` in XDG_DATA_HOME, Application Support or LOCALAPPDATA.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    return _platform_folder("XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path:
    """Folder of what can be fetched again: `easyllm` in XDG_CACHE_HOME, Library/Caches or
    LOCALAPPDATA.

    Raises:
        RuntimeError: the home folder is unknown.
    """
    if sys.platform == "darwin" and not os.path.isabs(os.environ.get("XDG_CACHE_HOME", "")):
        return Path.home() / "Library" / "Caches" / APP_FOLDER_NAME
    return _platform_folder("XDG_CACHE_HOME", ".cache")


def _platform_folder(variable: str, home_subfolder: str) -> Path:
    folder = os.environ.get(variable, "")
    if os.path.isabs(folder):  # the XDG Base Directory Specification ignores a relative path
        return Path(folder) / APP_FOLDER_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP_FOLDER_NAME
    if sys.platform == "win32":
        key = "APPDATA" if variable == "XDG_CONFIG_HOME" else "LOCALAPPDATA"
        return Path(os.environ.get(key) or Path.home()) / APP_FOLDER_NAME
    return Path.home() / home_subfolder / APP_FOLDER_NAME
