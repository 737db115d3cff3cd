"""Finds the providers that other packages offer by entry point (plugins)."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from .errors import ConfigError

ENTRY_POINT_GROUP = "easyllm_cli.providers"


def plugin_names() -> list[str]:
    """The names of all installed plugins, sorted; imports no plugin."""
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


def find_plugin(name: str) -> EntryPoint | None:
    """The entry point of a plugin, not loaded yet; None = no package offers the name.

    Raises:
        ConfigError: two packages offer the name.
    """
    entries = list(entry_points(group=ENTRY_POINT_GROUP, name=name))
    if len({entry.value for entry in entries}) > 1:
        raise ConfigError(
            f'two packages offer a provider "{name}": '
            + " and ".join(map(format_entry_point, entries)),
            hint="uninstall one of them",
        )
    return entries[0] if entries else None


def format_entry_point(entry: EntryPoint) -> str:
    """Package and entry point for an error line: `thing 1.0 (thing = module:Class)`."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return f"{package} ({entry.name} = {entry.value})"


def plugin_error(entry: EntryPoint, error: BaseException) -> ConfigError:
    """The error for an exception that a plugin's code raised; it names the plugin."""
    return ConfigError(
        f'the provider "{entry.name}" failed: {type(error).__name__}: {error}',
        where=format_entry_point(entry),
        hint="update or uninstall that package; --debug shows where it failed",
    )
