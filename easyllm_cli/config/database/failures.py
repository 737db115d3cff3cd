"""What SQLAlchemy and a driver complain about, as one error of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import MissingGreenlet, PendingRollbackError, SQLAlchemyError

from ...errors import ConfigError
from ...secret import redact

CANNOT = "the configuration cannot be read from the database"
GIVE = "give a Session or a sessionmaker of a sync engine"
# A driver's words: what to do about it.
NO_TABLE = "is it the right database? ModelConfig.metadata.create_all(engine) makes the table"
HINTS = (
    (r"no such table|table .*exist|relation .*exist", NO_TABLE),
    (r"locked", "another program is writing to it: try again"),
)


@contextmanager
def typed(where: str) -> Iterator[None]:
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
        raise ConfigError("the session's engine is async", where=where, hint=GIVE) from None
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", None) or error).strip().partition("\n")[0][:300]
        known = (hint for says, hint in HINTS if re.search(says, words))
        raise ConfigError(redact(f"{CANNOT}: {words}"), where=where, hint=next(known, "")) from None
