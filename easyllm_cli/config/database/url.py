"""Opens the database of `--config-db URL` and reads one row as a profile."""

from __future__ import annotations

import re
import warnings
from itertools import chain
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from ...errors import ConfigError, suggest_name
from ...secret import Secret, redact
from ..profile import Profile, profile_from_settings
from .rows import (
    READ_FAILED_MESSAGE,
    format_row_location,
    read_row_config,
    translate_database_errors,
)
from .table import ModelConfig

URL_EXAMPLE_HINT = "e.g. sqlite:///models.db or postgresql://host/name"
DATABASE_DIALECTS = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")
# Names of URL query parameters whose values are secret.
SENSITIVE_QUERY_KEY = re.compile(r"pass|pwd|secret|token|key|dsn|connect$", re.IGNORECASE)


def profile_from_database(url: str, row_id: str) -> Profile:
    """Read a row of the table `model_config` as a profile named after the row's id.

    Raises:
        ConfigError: the URL, the database or the row is invalid. The message contains no password.
    """
    parsed = parse_database_url(url)
    query_secrets = [
        values for key, values in parsed.normalized_query.items() if SENSITIVE_QUERY_KEY.search(key)
    ]
    secrets = [Secret(value) for value in (parsed.password, *chain(*query_secrets)) if value]
    where = f"{format_row_location(row_id, ModelConfig)}, {redact_url(parsed)}"
    try:
        with translate_database_errors(where), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # keep the driver's warnings off stderr
            engine = create_engine(require_sqlite_file(parsed), poolclass=NullPool)
            with Session(engine) as session:
                config = read_row_config(session, row_id, ModelConfig, where)
    except ImportError as error:
        raise ConfigError(
            f"the driver of {parsed.drivername} is not installed: {error.name}", where=where,
            hint="install it, or use another driver in the URL, e.g. postgresql+psycopg://",
        ) from None  # fmt: skip
    except (OSError, TypeError, ValueError) as error:  # from URL options or the file
        raise ConfigError(redact(f"{READ_FAILED_MESSAGE}: {error}"), where=where) from None
    del secrets  # while they exist, `redact` masks them
    return profile_from_settings(config, name=row_id).replace_set(
        selected_by="--config-db URL --config-id"
    )


def parse_database_url(text: str) -> URL:
    """Parse a database URL; errors do not quote it, as any part may be a password.

    Raises:
        ConfigError: not a database URL, or an unknown or async driver.
    """
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise ConfigError("--config-db is not a database URL", hint=URL_EXAMPLE_HINT) from None
    if "@" in (url.host or ""):
        raise ConfigError("--config-db: a password has an @", hint="write it as %40")
    try:
        is_async = url.get_dialect().is_async
    except NoSuchModuleError:
        hint = suggest_name(url.drivername, DATABASE_DIALECTS)
        raise ConfigError(f"no such kind of database: {url.drivername}", hint=hint) from None
    if is_async:
        raise ConfigError(f"{url.drivername} is an async driver", hint=URL_EXAMPLE_HINT)
    return url


def redact_url(url: URL) -> str:
    """Format the URL for error lines, without user, password and query."""
    bare = URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return bare.render_as_string()


def require_sqlite_file(url: URL) -> URL:
    """Return a SQLite URL with mode=rw, so that opening it never creates a file; others unchanged.

    Raises:
        ConfigError: the file does not exist.
        OSError: the file cannot be checked.
    """
    name = url.database or ":memory:"
    if url.get_backend_name() != "sqlite" or name == ":memory:":
        return url
    if not name.startswith("file:"):
        path = Path(name).absolute()
        if not path.is_file():
            raise ConfigError("no such database file", where=str(path))
        name = path.as_uri()
    mode = "ro" if url.query.get("mode") == "ro" else "rw"
    return url.set(database=name, query={**url.query, "mode": mode, "uri": "true"})
