"""Raises in code that blocks the event loop, after a cancellation or the --timeout deadline.

While such code blocks the event loop, the loop cannot interrupt it.
"""

from __future__ import annotations

import time

_deadline = float("inf")


def set_deadline(seconds: float) -> None:
    """Set the deadline of the whole process, in seconds from now (`--timeout`).

    An earlier deadline stays in force.
    """
    global _deadline
    _deadline = min(_deadline, time.monotonic() + seconds)


def clear_deadline() -> None:
    """Remove the deadline, for a command that goes on after it: the repl sets one each turn."""
    global _deadline
    _deadline = float("inf")


def seconds_left() -> float:
    """Seconds until the deadline; infinite without one."""
    return _deadline - time.monotonic()


def raise_if_cancelled() -> None:
    """Raise asyncio.CancelledError if the running task was cancelled; no task: do nothing."""
    import asyncio  # slow to import, but already loaded where a task can be cancelled

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def raise_if_cancelled_or_timed_out() -> None:
    """Raise TimeoutError after the deadline, asyncio.CancelledError if the task was cancelled."""
    if time.monotonic() > _deadline:
        raise TimeoutError
    raise_if_cancelled()
