"""Providers of other packages, by entry point; looked at only when a name is not built in."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from .errors import ConfigError

ENTRY_POINT_GROUP = "easyllm_cli.providers"


def plugin_names() -> list[str]:
    """Every name that an installed package offers, sorted; none of their code is imported."""
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


def find_plugin(name: str) -> EntryPoint | None:
    """The entry point of a name, not loaded yet; None = no package offers it.

    Raises:
        ConfigError: two packages offer it.
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
    """The package and the entry point, for error lines: `thing 1.0 (thing = module:Class)`."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return f"{package} ({entry.name} = {entry.value})"
