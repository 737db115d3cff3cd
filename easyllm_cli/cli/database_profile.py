"""Handles --config-db and --config-id: checks them, and reads the row within 10 seconds."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread

from ..config.profile import Profile
from ..errors import ConfigError, FirstTokenTimeout, UsageError
from .options.input import ModelOptions

DATABASE_TIMEOUT_SECONDS = 10.0  # a driver may wait for minutes


def profile_from_row(model: ModelOptions, timeout: float | None) -> Profile:
    """Read the row; the profile is named after its id.

    `timeout`: limit for the whole command, in seconds.
    Raises:
        UsageError: one option without the other, or together with -p.
        ConfigError: the database or the row is wrong, or no answer came within 10 seconds.
        FirstTokenTimeout: `timeout` passed first.
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

    def read_row() -> None:
        try:
            answer.set_result(profile_from_database(url, row_id))
        except BaseException as error:
            answer.set_exception(error)

    # In a daemon thread: a driver's connect ignores Ctrl-C and deadlines.
    Thread(target=read_row, name="database", daemon=True).start()
    try:
        return answer.result(min(timeout or DATABASE_TIMEOUT_SECONDS, DATABASE_TIMEOUT_SECONDS))
    except TimeoutError:
        if timeout is not None and timeout < DATABASE_TIMEOUT_SECONDS:
            message = f"the command took longer than --timeout {timeout:g} s"
            raise FirstTokenTimeout(message, hint="raise --timeout") from None
        message = f"the database did not answer within {DATABASE_TIMEOUT_SECONDS:g} s"
        raise ConfigError(message, hint="is it running, and not locked?") from None
