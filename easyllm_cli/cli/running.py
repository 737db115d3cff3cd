"""Runs the answer's coroutine; Ctrl-C and SIGTERM cancel it, and it closes what it opened."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from ..errors import (
    TERMINATED,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    Interrupted,
)

Seconds = float


def run(work: Coroutine[Any, Any, None], timeout: Seconds | None) -> EasyLLMError | None:
    """The failure that ended the work, or None.

    `timeout`: for the whole command; IncompleteAnswer then, or FirstTokenTimeout (the caller
    knows whether text had come). BrokenPipeError passes through.
    """
    terminated = False
    runner = asyncio.Runner()

    async def watched() -> None:
        nonlocal terminated
        task = asyncio.current_task()

        def stop() -> None:
            nonlocal terminated
            terminated = True
            if task:
                task.cancel()

        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        async with asyncio.timeout(timeout):
            await work

    try:
        runner.run(watched())
    except EasyLLMError as error:
        runner.close()
        return error
    except TimeoutError:
        return IncompleteAnswer(f"the command took longer than --timeout {timeout:g}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _stopped(terminated)
    runner.close()
    return None


def _stopped(terminated: bool) -> Interrupted:
    error = Interrupted("terminated" if terminated else "interrupted")
    if terminated:
        error.exit_code = TERMINATED
    return error


def leave(code: int) -> None:
    """End the process at once: a name lookup that is still under way must not hold Ctrl-C up."""
    sys.stdout.flush()
    os._exit(code)


__all__ = ["FirstTokenTimeout", "leave", "run"]
