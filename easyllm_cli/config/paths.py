"""Where the platform keeps our configuration, our data and our state."""

from __future__ import annotations

import os
import sys
from pathlib import Path

APP_FOLDER_NAME = "easyllm"


def config_folder() -> Path:
    """Where profiles.toml is: XDG_CONFIG_HOME, Application Support or APPDATA, and `easyllm`."""
    return _platform_folder("XDG_CONFIG_HOME", ".config")


def keys_file() -> Path:
    """What `easyllm keys` has stored, or says where it did.

    Raises:
        RuntimeError: nothing tells where home is.
    """
    return config_folder() / "keys.json"


def state_folder() -> Path:
    """Where partial answers and model lists are kept: XDG_STATE_HOME, Application Support or
    LOCALAPPDATA."""
    return _platform_folder("XDG_STATE_HOME", ".local/state")


def data_folder() -> Path:
    """Where embedded models are kept: XDG_DATA_HOME, Application Support or LOCALAPPDATA."""
    return _platform_folder("XDG_DATA_HOME", ".local/share")


def _platform_folder(variable: str, home_subfolder: str) -> Path:
    named = os.environ.get(variable, "")
    if os.path.isabs(named):  # the XDG specification: a relative path is ignored
        return Path(named) / APP_FOLDER_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APP_FOLDER_NAME
    if sys.platform == "win32":
        key = "APPDATA" if variable == "XDG_CONFIG_HOME" else "LOCALAPPDATA"
        return Path(os.environ.get(key) or Path.home()) / APP_FOLDER_NAME
    return Path.home() / home_subfolder / APP_FOLDER_NAME
