"""The profile in a row of a database: `--config-db URL --config-id ID`."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread

from ..config.profile import Profile
from ..errors import ConfigError, FirstTokenTimeout, UsageError
from .options.input import ModelOptions

DATABASE_TIMEOUT_SECONDS = 10.0  # as for a command that prints a key; a driver may wait for minutes


def profile_from_row(model: ModelOptions, timeout: float | None) -> Profile:
    """The row as a profile of its id's name.

    `timeout`: seconds for the whole command.
    Raises:
        UsageError: one option without the other, or beside -p.
        ConfigError: the database or the row is wrong, or nothing comes in time.
        FirstTokenTimeout: nothing comes before the command has to be over.
    """
    url, row_id = model.config_db, model.config_id
    if model.profile is not None:
        other = "--config-id" if url is None else "--config-db"
        raise UsageError(f"-p and {other} do not go together", hint="choose one")
    if url is None:
        raise UsageError("--config-id needs --config-db", hint="--config-db URL --config-id ID")
    if row_id is None:
        raise UsageError("--config-db needs --config-id", hint="--config-db URL --config-id ID")
    from ..config.database.url import profile_from_database

    answer: Future[Profile] = Future()

    def ask() -> None:
        try:
            answer.set_result(profile_from_database(url, row_id))
        except BaseException as error:
            answer.set_exception(error)

    # In a thread that nobody waits for: a driver's connect hears neither Ctrl-C nor a deadline.
    Thread(target=ask, name="database", daemon=True).start()
    try:
        return answer.result(min(timeout or DATABASE_TIMEOUT_SECONDS, DATABASE_TIMEOUT_SECONDS))
    except TimeoutError:
        if timeout is not None and timeout < DATABASE_TIMEOUT_SECONDS:
            late = f"the command took longer than --timeout {timeout:g} s"
            raise FirstTokenTimeout(late, hint="raise --timeout") from None
        waited = f"the database did not answer within {DATABASE_TIMEOUT_SECONDS:g} s"
        raise ConfigError(waited, hint="is it running, and not locked?") from None
