"""A row of our own table, or of one that the host application has mapped, as a config."""

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
SESSION_HINT = "give a Session or a sessionmaker of a sync engine"
# A driver's words: what to do about it.
NO_TABLE_HINT = "is it the right database? ModelConfig.metadata.create_all(engine) makes the table"
DRIVER_ERROR_HINTS = (
    (r"no such table|table .*exist|relation .*exist", NO_TABLE_HINT),
    (r"locked", "another program is writing to it: try again"),
)


@contextmanager
def translate_database_errors(where: str) -> Iterator[None]:
    """What SQLAlchemy and the driver complain about, in one line.

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
        words = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]
        known = (hint for says, hint in DRIVER_ERROR_HINTS if re.search(says, words))
        raise ConfigError(
            redact(f"{READ_FAILED_MESSAGE}: {words}"), where=where, hint=next(known, "")
        ) from None


# A row's attribute: the key of a profile. The names are those of Easy Dataset's table.
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
# Tells a provider's name for a row's provider_id, where that is an id of the host's own.
ProviderOf = Callable[[Any], str | None]
REQUIRED_ATTRIBUTES = ("provider_id", "model_name")
INTEGER_SETTINGS = ("max_tokens", "top_k")


def load_config(
    session_or_factory: Any,
    row_id: Any,
    mapped_class: Any = None,
    provider_of: ProviderOf | None = None,
) -> dict[str, Any]:
    """The row with this primary key as a config: provider, endpoint, api_key (a Secret), model,
    temperature, max_tokens, top_p and top_k; None where the row says nothing.

    `source`: a Session or scoped_session is used as it is, in this thread, for one query, and
    neither committed, rolled back nor closed; a sessionmaker's new session is closed again.
    `mapped`: the host's own class, with ModelConfig's attributes; without it ModelConfig itself.
    `provider_of`: asked with the row's provider_id, in the thread that asks the database.

    Raises:
        ConfigError: no such row, or one without provider or model, or with a value that no
            profile takes; no session; whatever the database complains about.
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
    """As `load_config`, and a sessionmaker's query does not hold up the running event loop.

    A Session belongs to the thread that uses it, and so does a connection that sessions share
    (SQLite in memory, a sessionmaker of one connection): those are asked right here.
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
    """The row's config; its model may be None.

    Raises:
        ConfigError: no such row, no provider, a wrong value, a class that is not mapped.
        SQLAlchemyError: as the database says.
    """
    if not isinstance(inspect(mapped_class, raiseerr=False), Mapper):
        hint = "give a class that SQLAlchemy maps, or leave it out"
        raise ConfigError(
            f"config_class is no mapped class: {get_class_name(mapped_class)}", hint=hint
        )
    missing = [name for name in REQUIRED_ATTRIBUTES if not hasattr(mapped_class, name)]
    if missing:
        raise ConfigError(
            f"{get_class_name(mapped_class)} has no attribute {' and '.join(missing)}",
            hint="its attributes are named " + " ".join(SETTING_BY_ATTRIBUTE),
        )
    row = session.get(mapped_class, row_id)
    if row is None:
        raise ConfigError("no such row", where=where, hint="check the id")
    # As our own: the host decides what its rows hold.
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
    """A column's value as a profile takes it: 40.0 as 40, no Decimal, None for an empty text."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, Decimal):
        value = float(value)
    if key in INTEGER_SETTINGS and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def resolve_provider_name(provider_id: Any, provider_of: ProviderOf | None) -> str:
    """A provider's name, from what a row holds.

    Raises:
        ConfigError: it holds no text, or the host knows no provider for it.
    """
    found = provider_id
    if provider_of is not None:
        try:
            found = provider_of(provider_id)
        except LookupError:  # of a dict's own method
            found = None
    if isinstance(found, str) and found.strip():
        return found.strip()
    shown = str(provider_id)[:80]
    hint = "LLMService(provider_of=…) tells which provider an id of your own means"
    raise ConfigError(f'no provider is known for provider_id "{shown}"', hint=hint)


def normalize_provider_name(name: str) -> str:
    """The name as we write it: "OpenAI" is openai. Checked as for a profile of the file, so that
    the error says which row is wrong.

    Raises:
        ConfigError: no such provider, built in or installed.
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
    return ConfigError(f"the row has no {attribute}", where=where, hint="fill it in")


def format_row_location(row_id: Any, mapped_class: Any) -> str:
    """For error lines: which row of which table."""
    table = getattr(mapped_class, "__tablename__", get_class_name(mapped_class))
    return f'row "{str(row_id)[:80]}" of {table}'


def get_class_name(mapped_class: Any) -> str:
    """The class's name; of anything else its class's, for an object may print a key."""
    return str(getattr(mapped_class, "__name__", type(mapped_class).__name__))


def open_session(session_or_factory: Any) -> AbstractContextManager[Any]:
    """The session to ask; a sessionmaker's is closed at the end, any other is the caller's.

    Raises:
        ConfigError: it is neither, or its sessions are async.
    """
    if session_or_factory is None:
        raise ConfigError("there is no db_session", hint="LLMService(db_session=session)")
    if isinstance(session_or_factory, Session | scoped_session):
        return nullcontext(session_or_factory)
    made = (
        session_or_factory() if isinstance(session_or_factory, sessionmaker) else session_or_factory
    )
    if made is not session_or_factory and isinstance(made, Session):
        return made
    raise ConfigError(f"db_session is no Session but {type(made).__name__}", hint=SESSION_HINT)
