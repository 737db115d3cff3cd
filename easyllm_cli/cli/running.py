"""Runs the answer's coroutine; Ctrl-C, SIGTERM and --timeout cancel it, and it closes its doors."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from ..errors import (
    TERMINATED,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    Interrupted,
)
from . import collect_garbage_again


def run(
    work: Coroutine[Any, Any, None], timeout: float | None, started: Callable[[], bool]
) -> EasyLLMError | None:
    """The failure that ended the work, or None; BrokenPipeError passes through.

    The loop is left open: the process ends next (cli.leave), and closing it would wait for a
    name lookup that Ctrl-C has left in a thread.
    `timeout`: seconds for the whole command. `started`: whether any of the answer has come.
    """
    terminated = False

    async def watched() -> None:
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

    collect_garbage_again()
    try:
        asyncio.Runner().run(watched())
    except EasyLLMError as error:
        return error
    except TimeoutError:
        kind = IncompleteAnswer if started() else FirstTokenTimeout
        late = f"the command took longer than --timeout {timeout:g} s"
        return kind(late, hint="raise --timeout")
    except (KeyboardInterrupt, asyncio.CancelledError):
        stopped = Interrupted("terminated" if terminated else "interrupted")
        stopped.exit_code = TERMINATED if terminated else stopped.exit_code
        return stopped
    return None
