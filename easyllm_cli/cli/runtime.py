"""Runs a coroutine that Ctrl-C, SIGTERM, SIGHUP and --timeout cancel; redraws the renderer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..cancellation import set_deadline
from ..errors import (
    SIGTERM_EXIT_CODE,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    Interrupted,
)
from ..render.output import FINAL_WRITE_SECONDS, READER_STALLED, set_write_deadline
from ..transport.timeouts import timeout_with_grace
from . import collect_garbage_again
from .termination import Terminated, on_termination, termination_signals

if TYPE_CHECKING:
    from ..render.comparison_preview import ComparisonPreview
    from ..render.plain import Renderer

    Refreshed = Renderer | ComparisonPreview


def run_cancellable(
    work: Coroutine[Any, Any, None],
    timeout: float | None,
    started: Callable[[], bool],
    runner: asyncio.Runner | None = None,
) -> EasyLLMError | None:
    """Run the coroutine; returns the error that ended it, or None. BrokenPipeError is raised.

    The event loop stays open: the process ends next (cli.exit_process), and closing the loop would
    wait for a name lookup that Ctrl-C left in a thread.
    `timeout`: limit for the whole command, in seconds. `started`: whether any of the answer has
    arrived, which decides the error of a timeout. `runner`: one that runs several answers, whose
    connections and models stay open in between; None = a new one.
    """
    terminated = asyncio.Event()

    async def limited() -> None:
        with cancel_on_termination(terminated):
            async with timeout_with_grace(timeout):
                await work

    if runner is None:  # else it was done before the first answer; doing it again would leak
        collect_garbage_again()
        runner = asyncio.Runner()
    if timeout is not None:
        set_write_deadline(timeout)
        set_deadline(timeout)
    try:
        with block_signal(signal.SIGINT):  # a half-built loop would print errors
            runner.get_loop()
        with hide_dropped_interrupts():
            runner.run(limited())
    except (EasyLLMError, TimeoutError) as error:
        if isinstance(error, EasyLLMError) and error.code != READER_STALLED:
            return error
        return _timeout_error(timeout or 0.0, started())
    except (KeyboardInterrupt, asyncio.CancelledError) as cancelled:
        return interrupted_error(terminated.is_set() or isinstance(cancelled, Terminated))
    return None


def _timeout_error(seconds: float, has_begun: bool) -> EasyLLMError:
    error_class = IncompleteAnswer if has_begun else FirstTokenTimeout
    message = f"the command took longer than --timeout {seconds:g} s"
    return error_class(message, hint="raise --timeout")


def interrupted_error(terminated: bool) -> Interrupted:
    """The error of a stopped command; limits the last writes and ignores further signals.

    Runners such as timeout(1) send a signal twice, and the second one interrupted the write of the
    partial answer. `terminated`: by SIGTERM or SIGHUP, not Ctrl-C.
    """
    set_write_deadline(FINAL_WRITE_SECONDS)
    for number in (signal.SIGINT, *termination_signals()):
        signal.signal(number, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # e.g. a coroutine was never awaited
    error = Interrupted("terminated" if terminated else "interrupted")
    error.exit_code = SIGTERM_EXIT_CODE if terminated else error.exit_code
    return error


@contextmanager
def hide_dropped_interrupts() -> Iterator[None]:
    """Within the block, print nothing about a KeyboardInterrupt that Python drops.

    Python drops and prints an exception in a weakref callback or in `__del__`. There a second
    Ctrl-C can fall, and the first one has cancelled the task.
    """
    usual_hook = sys.unraisablehook

    def hook(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            usual_hook(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = usual_hook


@contextmanager
def block_signal(number: signal.Signals) -> Iterator[None]:
    """Delay the signal until the end of the block (not on Windows)."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cancel_on_termination(terminated: asyncio.Event) -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP cancel the current task and set the event.

    asyncio does the same for Ctrl-C. loop.add_signal_handler would wait for the loop, which may be
    blocked in a write.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def stop(*_: object) -> None:
        terminated.set()
        if task:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes the loop

    with on_termination(stop):
        yield


REFRESH_SECONDS = 1 / 15
# Ctrl-Z and fg; Windows has neither.
SUSPEND_SIGNAL = getattr(signal, "SIGTSTP", None)
CONTINUE_SIGNAL = getattr(signal, "SIGCONT", None)


@asynccontextmanager
async def refresh_periodically(renderer: Refreshed) -> AsyncIterator[None]:
    """Within the block, call `renderer.tick()` 15 times a second if it needs ticks."""
    if not renderer.needs_ticks:
        yield
        return
    task = asyncio.create_task(_tick(renderer))
    loop = asyncio.get_running_loop()
    suspend_signal = SUSPEND_SIGNAL
    if suspend_signal and signal.getsignal(suspend_signal) == signal.SIG_IGN:
        suspend_signal = None
    if suspend_signal:
        loop.add_signal_handler(suspend_signal, _suspend, renderer, suspend_signal)
    if CONTINUE_SIGNAL:
        loop.add_signal_handler(CONTINUE_SIGNAL, renderer.resume)
    try:
        yield
    finally:
        task.cancel()
        for number in filter(None, (suspend_signal, CONTINUE_SIGNAL)):
            loop.remove_signal_handler(number)


def _suspend(renderer: Refreshed, suspend_signal: signal.Signals) -> None:
    """Erase the rows that will be drawn again, then stop as without a handler."""
    with suppress(OSError, EasyLLMError):
        renderer.suspend()
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(suspend_signal)
    os.kill(os.getpid(), suspend_signal)
    loop.add_signal_handler(suspend_signal, _suspend, renderer, suspend_signal)


async def _tick(renderer: Refreshed) -> None:
    # The next event, or the end, reports the write error.
    with suppress(OSError, EasyLLMError):
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            renderer.tick()
