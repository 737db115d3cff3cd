"""The fallback stage: asks the next profile where one is busy, unreachable or incomplete."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import CLOSED_LOCALLY, BusyError, EasyLLMError, IncompleteAnswer, NetworkError
from ..events import Event, Retrying
from .call import Attempt, Call

FALLBACK_ERRORS = (BusyError, NetworkError, IncompleteAnswer)  # exit codes 5, 6, 7
log = logging.getLogger(__name__)


def fall_back(call: Call, attempt: Attempt) -> Attempt:
    """Ask one source after the other until one answers, unless some output was shown.

    Raises:
        EasyLLMError: the error of the last source.
    """

    async def answered() -> AsyncGenerator[Event, None]:
        try:
            call.source, *call.next_sources = call.find_sources()
            while True:
                try:
                    async with aclosing(attempt()) as events:
                        async for event in events:
                            yield event
                    return
                except EasyLLMError as error:
                    if call.has_shown or not call.next_sources or not _is_followed(error):
                        raise
                    call.source = call.next_sources.pop(0)
                    why = f"{error.what} ({error.where}); asking profile {call.source.profile.name}"
                log.warning("%r", why)
                yield call.record(Retrying(len(call.attempts) + 1, 0.0, why))
        except EasyLLMError as error:
            call.fail(error)
            raise
        finally:
            call.end()

    return answered


def _is_followed(error: EasyLLMError) -> bool:
    """Whether the next source is asked; not if this process closed the connection itself."""
    return isinstance(error, FALLBACK_ERRORS) and error.code != CLOSED_LOCALLY
