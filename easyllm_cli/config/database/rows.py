"""Reads a config dict from a row of ModelConfig or of the application's own mapped class."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import MissingGreenlet, PendingRollbackError, SQLAlchemyError
from sqlalchemy.orm import Mapper, Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool, QueuePool

from ...errors import ConfigError, suggest_name
from ...plugins import plugin_names
from ...secret import redact
from ...vendors import VENDORS
from ..profile import TrustedConfig, profile_from_settings
from .table import ModelConfig

READ_FAILED_MESSAGE = "the configuration cannot be read from the database"
SESSION_HINT = "pass a Session or a sessionmaker of a sync engine"
# Hint for missing tables, and regular expressions of driver messages with their hints.
NO_TABLE_HINT = "wrong database? ModelConfig.metadata.create_all(engine) creates the table"
DRIVER_ERROR_HINTS = (
    (r"no such table|table .*exist|relation .*exist", NO_TABLE_HINT),
    (r"locked", "another program is writing to it: try again"),
)


@contextmanager
def translate_database_errors(where: str) -> Iterator[None]:
    """Turn errors of SQLAlchemy and the driver into one-line errors.

    Raises:
        ConfigError: instead of SQLAlchemyError.
    """
    try:
        yield
    except PendingRollbackError:
        raise ConfigError(
            "the session's transaction has failed", where=where,
            hint="call session.rollback() first",
        ) from None  # fmt: skip
    except MissingGreenlet:
        raise ConfigError("the session's engine is async", where=where, hint=SESSION_HINT) from None
    except SQLAlchemyError as error:
        message = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]
        hints = (hint for pattern, hint in DRIVER_ERROR_HINTS if re.search(pattern, message))
        raise ConfigError(
            redact(f"{READ_FAILED_MESSAGE}: {message}"), where=where, hint=next(hints, "")
        ) from None


# Row attribute -> profile setting. The names are those of Easy Dataset's table.
SETTING_BY_ATTRIBUTE = {
    "provider_id": "provider",
    "endpoint": "endpoint",
    "api_key": "api_key",
    "model_name": "model",
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "top_p": "top_p",
    "top_k": "top_k",
}
# Maps a row's provider_id to a provider name, for applications with ids of their own.
ProviderOf = Callable[[Any], str | None]
REQUIRED_ATTRIBUTES = ("provider_id", "model_name")
INTEGER_SETTINGS = ("max_tokens", "top_k")


def load_config(
    session_or_factory: Any,
    row_id: Any,
    mapped_class: Any = None,
    provider_of: ProviderOf | None = None,
) -> dict[str, Any]:
    """Load the row with this primary key as a config dict.

    Its keys are provider, endpoint, api_key (a Secret), model, temperature, max_tokens, top_p and
    top_k; the value of an empty column is None.

    `session_or_factory`: a Session or scoped_session runs one query in this thread and is not
    committed, rolled back or closed; a sessionmaker's new session is closed.
    `mapped_class`: the application's class with ModelConfig's attributes; default ModelConfig.
    `provider_of`: maps the row's provider_id to a provider name, in the thread of the query.

    Raises:
        ConfigError: no such row, no provider or model in it, an invalid value, no session, or a
            database error.
    """
    where = format_row_location(row_id, mapped_class or ModelConfig)
    with translate_database_errors(where), open_session(session_or_factory) as session:
        config = read_row_config(session, row_id, mapped_class or ModelConfig, where, provider_of)
    if config["model"] is None:
        raise missing_attribute_error("model_name", where)
    return config


async def load_config_in_thread(
    session_or_factory: Any,
    row_id: Any,
    mapped_class: Any = None,
    provider_of: ProviderOf | None = None,
) -> dict[str, Any]:
    """Like `load_config`, but query a sessionmaker's new session in a worker thread.

    A Session must stay in its thread, and so must a connection that sessions share (SQLite in
    memory, a sessionmaker bound to one connection). Those run in the current thread and block the
    event loop.
    """
    bind = (
        session_or_factory.kw.get("bind") if isinstance(session_or_factory, sessionmaker) else None
    )
    if isinstance(bind, Engine) and isinstance(bind.pool, QueuePool | NullPool):
        return await asyncio.to_thread(
            load_config, session_or_factory, row_id, mapped_class, provider_of
        )
    return load_config(session_or_factory, row_id, mapped_class, provider_of)


def read_row_config(
    session: Any, row_id: Any, mapped_class: Any, where: str, provider_of: ProviderOf | None = None
) -> dict[str, Any]:
    """Read a row as a config dict; its model may be None.

    Raises:
        ConfigError: no such row, no provider, an invalid value, or a class that is not mapped.
        SQLAlchemyError: the query failed.
    """
    if not isinstance(inspect(mapped_class, raiseerr=False), Mapper):
        hint = "pass a class mapped with SQLAlchemy, or leave it out"
        raise ConfigError(
            f"config_class is not a mapped class: {get_class_name(mapped_class)}", hint=hint
        )
    missing = [name for name in REQUIRED_ATTRIBUTES if not hasattr(mapped_class, name)]
    if missing:
        raise ConfigError(
            f"{get_class_name(mapped_class)} has no attribute {' and '.join(missing)}",
            hint="the attributes are: " + " ".join(SETTING_BY_ATTRIBUTE),
        )
    row = session.get(mapped_class, row_id)
    if row is None:
        raise ConfigError("no such row", where=where, hint="check the id")
    # Trusted: the application controls its own rows.
    config = TrustedConfig(
        {
            key: value_from_column(key, getattr(row, name, None))
            for name, key in SETTING_BY_ATTRIBUTE.items()
        }
    )
    if config["provider"] is None:
        raise missing_attribute_error("provider_id", where)
    try:
        config["provider"] = normalize_provider_name(
            resolve_provider_name(config["provider"], provider_of)
        )
        config["api_key"] = profile_from_settings(config).api_key
    except ConfigError as error:
        raise ConfigError(error.message, where=where, hint=error.hint) from None
    return config


def value_from_column(key: str, value: Any) -> Any:
    """Convert a column's value for a setting: 40.0 to 40, Decimal to float, empty text to None."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, Decimal):
        value = float(value)
    if key in INTEGER_SETTINGS and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def resolve_provider_name(provider_id: Any, provider_of: ProviderOf | None) -> str:
    """Return the provider name for a row's provider_id.

    Raises:
        ConfigError: it is not text, or `provider_of` returns no provider for it.
    """
    name = provider_id
    if provider_of is not None:
        try:
            name = provider_of(provider_id)
        except LookupError:  # e.g. from dict.__getitem__
            name = None
    if isinstance(name, str) and name.strip():
        return name.strip()
    shown = str(provider_id)[:80]
    hint = "map your own ids to provider names with LLMService(provider_of=…)"
    raise ConfigError(f'no provider is known for provider_id "{shown}"', hint=hint)


def normalize_provider_name(name: str) -> str:
    """Return the provider name in easyllm's spelling: "OpenAI" becomes openai.

    Raises:
        ConfigError: no such provider, built in or from a plugin.
    """
    if name in VENDORS or name.lower() in VENDORS:
        return name if name in VENDORS else name.lower()
    for plugin in plugin_names():
        if plugin.lower() == name.lower():
            return plugin
    raise ConfigError(
        f'no provider "{name}"', hint=suggest_name(name.lower(), [*VENDORS, *plugin_names()])
    )


def missing_attribute_error(attribute: str, where: str) -> ConfigError:
    """The error for a required attribute that is empty."""
    return ConfigError(f"the row has no {attribute}", where=where, hint="fill it in")


def format_row_location(row_id: Any, mapped_class: Any) -> str:
    """Describe the row and its table for error lines."""
    table = getattr(mapped_class, "__tablename__", get_class_name(mapped_class))
    return f'row "{str(row_id)[:80]}" of {table}'


def get_class_name(mapped_class: Any) -> str:
    """Return a class's name; for another object its type's name, as its repr may contain a key."""
    return str(getattr(mapped_class, "__name__", type(mapped_class).__name__))


def open_session(session_or_factory: Any) -> AbstractContextManager[Any]:
    """Return a context manager for the session; only a sessionmaker's session is closed.

    Raises:
        ConfigError: neither a session nor a sessionmaker, or its sessions are async.
    """
    if session_or_factory is None:
        raise ConfigError("no db_session is set", hint="LLMService(db_session=session)")
    if isinstance(session_or_factory, Session | scoped_session):
        return nullcontext(session_or_factory)
    session = (
        session_or_factory() if isinstance(session_or_factory, sessionmaker) else session_or_factory
    )
    if session is not session_or_factory and isinstance(session, Session):
        return session
    raise ConfigError(
        f"db_session must be a Session, not {type(session).__name__}", hint=SESSION_HINT
    )
