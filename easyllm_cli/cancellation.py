"""Tells what blocks the event loop, which hears nothing meanwhile, that it is to stop."""

from __future__ import annotations

import time

_deadline = float("inf")


def set_deadline(seconds: float) -> None:
    """The whole process is to have ended after so many seconds (`--timeout`)."""
    global _deadline
    _deadline = min(_deadline, time.monotonic() + seconds)


def raise_if_cancelled() -> None:
    """To be asked now and then. Raises asyncio.CancelledError if the running task was cancelled."""
    import asyncio  # whoever can be cancelled has loaded it

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def raise_if_cancelled_or_timed_out() -> None:
    """The same; raises TimeoutError, too, when the time of the whole command is over."""
    if time.monotonic() > _deadline:
        raise TimeoutError
    raise_if_cancelled()
