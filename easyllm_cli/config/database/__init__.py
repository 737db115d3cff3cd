"""Loads a model's configuration from a database row with SQLAlchemy (extra: db).

Imported only when a row is requested. Without SQLAlchemy 2 the import raises a ConfigError that
names the extra.
"""

from __future__ import annotations

from ...errors import ConfigError

try:
    from sqlalchemy.orm import DeclarativeBase  # noqa: F401 - missing in SQLAlchemy 1
except ImportError:
    from ...installation import format_install_command

    raise ConfigError(
        "a configuration from a database needs SQLAlchemy 2", hint=format_install_command("db")
    ) from None

from .rows import load_config, load_config_in_thread
from .table import ModelConfig

__all__ = ["ModelConfig", "load_config", "load_config_in_thread"]
