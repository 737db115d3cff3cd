"""The fallback stage: asks the next profile where one is busy, unreachable or incomplete.

Of an auto profile (routing/) the candidates are the profiles, and its setting `escalate` says after
which failed checks of an answer the next one is asked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from ..errors import (
    CLOSED_LOCALLY,
    NO_CODE_BLOCK,
    SCHEMA_MISMATCH,
    BusyError,
    EasyLLMError,
    IncompleteAnswer,
    NetworkError,
    RefusedError,
)
from ..events import Event, Retrying, RoutineNote
from .call import Attempt, Call
from .source import Source

UNAVAILABLE_ERRORS = (BusyError, NetworkError)  # exit codes 5 and 6
# The checks of an answer for `escalate`, by the code of an IncompleteAnswer (exit code 7).
CHECK_BY_CODE = {SCHEMA_MISMATCH: "schema", NO_CODE_BLOCK: "code"}
log = logging.getLogger(__name__)


async def fall_back(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Ask one source after the other until one answers, unless some output was shown.

    Raises:
        EasyLLMError: the error of the last source.
    """
    try:
        call.source, *call.next_sources = _take_sources(call)
        if call.route is not None:
            yield call.record(RoutineNote(_describe_route(call.route)))
        while True:
            try:
                events = attempt()
                try:
                    async for event in events:
                        yield event
                finally:
                    await events.aclose()
                return
            except EasyLLMError as error:
                if call.has_shown or not call.next_sources or not _is_followed(call, error):
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


def _take_sources(call: Call) -> Sequence[Source]:
    """The sources to ask in turn.

    The function that finds them may refer to the call. It is forgotten, because such a circle stays
    in memory, with its connections, until the cycle collector runs.
    """
    find_sources, call.find_sources = call.find_sources, list
    return find_sources()


def _is_followed(call: Call, error: EasyLLMError) -> bool:
    """Whether the next source is asked; not if this process closed the connection itself."""
    if error.code == CLOSED_LOCALLY:
        return False
    if call.escalate is None:
        return isinstance(error, (*UNAVAILABLE_ERRORS, IncompleteAnswer))
    return isinstance(error, UNAVAILABLE_ERRORS) or _failed_check(error) in call.escalate


def _failed_check(error: EasyLLMError) -> str:
    """Which check of `escalate` the answer failed; "" = none."""
    if isinstance(error, IncompleteAnswer):
        return CHECK_BY_CODE.get(error.code or "", "incomplete")
    return "refused" if isinstance(error, RefusedError) else ""


def _describe_route(route: Mapping[str, Any]) -> str:
    """Which candidate an auto profile chose, and why: `auto chose r1 (task code: …)`."""
    task, reasons = route["task"], ", ".join(route["reasons"])
    chosen = next(row for row in route["table"] if row["profile"] == route["chosen"])
    return (
        f"{route['profile']} chose {route['chosen']}: {chosen['why']} "
        f"(task {task}{f': {reasons}' if reasons else ''})"
    )
