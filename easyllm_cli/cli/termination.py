"""What SIGTERM and SIGHUP do outside an event loop, and how a process survives an interruption.

Apart from runtime.py, because this needs no asyncio, which the repl loads with its first question.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..cancellation import clear_deadline
from ..render.output import clear_write_deadline


class Terminated(KeyboardInterrupt):
    """Raised for SIGTERM or SIGHUP outside the event loop, like KeyboardInterrupt for Ctrl-C."""


@contextmanager
def on_termination(callback: Callable[..., object]) -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP call `callback`.

    SIGHUP means that the terminal was closed; a longer answer would only cost money. Under nohup,
    which ignores SIGHUP, it stays ignored.
    """
    handled = [each for each in termination_signals() if signal.getsignal(each) != signal.SIG_IGN]
    previous = {number: signal.signal(number, callback) for number in handled}
    try:
        yield
    finally:
        for number, handler in previous.items():
            if signal.getsignal(number) is callback:  # else ignored: see interrupted_error
                signal.signal(number, handler)


def termination_signals() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP except on Windows."""
    return [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def raise_terminated(*_: object) -> None:
    """A signal handler that raises Terminated."""
    raise Terminated


@contextmanager
def restore_process_afterwards() -> Iterator[None]:
    """Undo after the block what the end of an answer does to a process that is expected to end.

    That is `interrupted_error`, and the deadlines of --timeout.
    """
    numbers = (signal.SIGINT, *termination_signals())
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        with warnings.catch_warnings():
            yield
    finally:
        clear_write_deadline()
        clear_deadline()
        for number, handler in handlers.items():
            signal.signal(number, handler)
