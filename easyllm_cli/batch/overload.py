"""What the pacing learns from the attempts at a row, and when to give up on a server."""

from __future__ import annotations

from ..errors import BusyError, EasyLLMError
from ..pipeline.call import Call
from .pacing import Pacing, is_overload, is_rate_limit

LONGEST_PAUSE = 3600.0  # a server that asks for more ends the run
LONGEST_STALL = 600.0  # without any answer, while the server says that it gets too many requests


def adapt_pacing(
    pacing: Pacing, call: Call, began: float, error: EasyLLMError | None
) -> EasyLLMError | None:
    """Tell the pacing how a row ended, which `began` at this time; `error` None = it is good.

    Returns the error that ends the run, because the server asks for too long a pause or answers
    nobody; None = the run goes on.
    """
    errors = [attempt.error for attempt in call.attempts]
    stops = [_slow_down(pacing, each) for each in errors if each is not None and is_overload(each)]
    if error is None and not call.replayed:
        pacing.speed_up(began)
    return next((stop for stop in stops if stop is not None), None)


def _slow_down(pacing: Pacing, error: EasyLLMError) -> EasyLLMError | None:
    pause = error.retry_after
    if pause is not None and pause > LONGEST_PAUSE:
        error.hint = f"the server asks to wait {pause:.0f} s: run the same command again then"
        return error
    pacing.slow_down(pause, stops_all=is_rate_limit(error))
    if pacing.seconds_without_success() <= LONGEST_STALL + (pause or 0):
        return None
    return BusyError(
        f"no answer came for {LONGEST_STALL / 60:.0f} minutes: {error.message}",
        where=error.where, status=error.status, retryable=False,
        hint="run the same command again later",
    )  # fmt: skip
