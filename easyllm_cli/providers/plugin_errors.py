"""Loads provider plugins, and names the plugin in the errors of its code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any

from ..config.profile import Profile
from ..errors import ConfigError, EasyLLMError, suggest_name
from ..plugins import find_plugin, plugin_error, plugin_names
from ..vendors import VENDORS
from .base import BaseLLMProvider


def load_plugin_class(name: str) -> type[BaseLLMProvider]:
    """Load a plugin's provider class.

    Raises:
        ConfigError: no package offers the name, or its class is not a complete provider class.
    """
    return _load_class(_require_entry_point(name))


def create_plugin_provider(name: str, profile: Profile) -> BaseLLMProvider:
    """Create the provider object of a plugin, which remembers its entry point.

    Raises:
        ConfigError: as `load_plugin_class`, or the constructor failed.
    """
    entry = _require_entry_point(name)
    plugin = _load_class(entry)
    with name_plugin_in_errors(entry):
        provider = plugin(profile)
        provider.entry_point = entry
    return provider


def _require_entry_point(name: str) -> EntryPoint:
    entry = find_plugin(name)
    if entry is None:
        raise ConfigError(
            f'no provider "{name}"', hint=suggest_name(name.lower(), [*VENDORS, *plugin_names()])
        )
    return entry


def _load_class(entry: EntryPoint) -> type[BaseLLMProvider]:
    with name_plugin_in_errors(entry):
        plugin: Any = entry.load()
        if not (isinstance(plugin, type) and issubclass(plugin, BaseLLMProvider)):
            raise TypeError("it is not a subclass of BaseLLMProvider")
        missing = sorted(getattr(plugin, "__abstractmethods__", ()))
        if missing:
            raise TypeError(f"it does not define {' and '.join(missing)}")
    return plugin


@contextmanager
def name_plugin_in_errors(entry: EntryPoint | None) -> Iterator[None]:
    """Replace any exception but EasyLLMError by a ConfigError that names the plugin.

    The pipeline does this for answers; what else calls a plugin uses this block. None = built in.
    Raises:
        ConfigError: the block raised another exception.
        EasyLLMError: the block raised it; it passes through.
    """
    try:
        yield
    except EasyLLMError:
        raise
    except (Exception, SystemExit) as error:
        if entry is None:
            raise
        raise plugin_error(entry, error) from error
