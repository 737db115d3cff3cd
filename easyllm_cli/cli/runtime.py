"""Runs the answer's coroutine; Ctrl-C, SIGTERM and --timeout cancel it, and it closes its doors."""

from __future__ import annotations

import asyncio
import signal
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from ..cancellation import set_deadline
from ..errors import (
    SIGTERM_EXIT_CODE,
    EasyLLMError,
    FirstTokenTimeout,
    IncompleteAnswer,
    Interrupted,
)
from ..render.output import FINAL_WRITE_SECONDS, READER_STALLED, set_write_deadline
from ..render.plain import Renderer
from ..transport.timeouts import timeout_with_grace
from . import collect_garbage_again


def run_cancellable(
    work: Coroutine[Any, Any, None], timeout: float | None, started: Callable[[], bool]
) -> EasyLLMError | None:
    """The failure that ended the work, or None; BrokenPipeError passes through.

    The loop is left open: the process ends next (cli.leave), and closing it would wait for a
    name lookup that Ctrl-C has left in a thread.
    `timeout`: seconds for the whole command. `started`: whether any of the answer has come.
    """
    terminated = asyncio.Event()

    async def watched() -> None:
        with cancel_on_termination(terminated):
            async with timeout_with_grace(timeout):
                await work

    collect_garbage_again()
    if timeout is not None:
        set_write_deadline(timeout)
        set_deadline(timeout)
    try:
        runner = asyncio.Runner()
        with block_signal(signal.SIGINT):  # a loop that is half made would print what it misses
            runner.get_loop()
        runner.run(watched())
    except (EasyLLMError, TimeoutError) as error:
        if isinstance(error, EasyLLMError) and error.code != READER_STALLED:
            return error
        kind = IncompleteAnswer if started() else FirstTokenTimeout
        late = f"the command took longer than --timeout {timeout:g} s"
        return kind(late, hint="raise --timeout")
    except (KeyboardInterrupt, asyncio.CancelledError) as told:
        return interrupted_error(terminated.is_set() or isinstance(told, Terminated))
    return None


def interrupted_error(terminated: bool) -> Interrupted:
    """What a command that was told to stop ends with, soon: by Ctrl-C or, `terminated`, else.

    Told again it hears nothing: `timeout` and others who pass a signal on send it twice, and the
    second one came while the text was written that is to be kept.
    """
    set_write_deadline(FINAL_WRITE_SECONDS)
    for one in (signal.SIGINT, *termination_signals()):
        signal.signal(one, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # of what was left undone, e.g. a coroutine never awaited
    error = Interrupted("terminated" if terminated else "interrupted")
    error.exit_code = SIGTERM_EXIT_CODE if terminated else error.exit_code
    return error


@contextmanager
def block_signal(number: signal.Signals) -> Iterator[None]:
    """The signal comes when the block is left."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, where they can only be raised, as Python does with Ctrl-C."""


@contextmanager
def on_termination(callback: Callable[..., object]) -> Iterator[None]:
    """SIGTERM calls `stop`, and so does SIGHUP: the terminal is gone, and nobody will pay for more.

    Under nohup, which ignores SIGHUP, it stays ignored.
    """
    heard = [one for one in termination_signals() if signal.getsignal(one) != signal.SIG_IGN]
    usual = {one: signal.signal(one, callback) for one in heard}
    try:
        yield
    finally:
        for one, handler in usual.items():
            if signal.getsignal(one) is callback:  # else we are deaf meanwhile: see `stopped`
                signal.signal(one, handler)


def termination_signals() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP but on Windows."""
    return [signal.Signals[one] for one in ("SIGTERM", "SIGHUP") if hasattr(signal, one)]


def raise_terminated(*_: object) -> None:
    """A signal's handler. Raises Terminated, always."""
    raise Terminated


@contextmanager
def cancel_on_termination(terminated: asyncio.Event) -> Iterator[None]:
    """SIGTERM cancels the running task and sets the event, as Ctrl-C does by asyncio's doing.

    Not through the loop's own handler, which waits for a loop that may be stuck in a write.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def stop(*_: object) -> None:
        terminated.set()
        if task:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes the loop

    with on_termination(stop):
        yield


REFRESH_SECONDS = 1 / 15  # seconds
CONTINUE_SIGNAL = getattr(signal, "SIGCONT", None)  # Windows has none


@asynccontextmanager
async def refresh_periodically(renderer: Renderer) -> AsyncIterator[None]:
    """For as long as the block; a renderer that does not move costs nothing."""
    if not renderer.needs_ticks:
        yield
        return
    task = asyncio.create_task(_tick(renderer))
    loop = asyncio.get_running_loop()
    if CONTINUE_SIGNAL:
        loop.add_signal_handler(CONTINUE_SIGNAL, renderer.resume)
    try:
        yield
    finally:
        task.cancel()
        if CONTINUE_SIGNAL:
            loop.remove_signal_handler(CONTINUE_SIGNAL)


async def _tick(renderer: Renderer) -> None:
    # What cannot be written is told by the next event, or by the end.
    with suppress(OSError, EasyLLMError):
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            renderer.tick()
