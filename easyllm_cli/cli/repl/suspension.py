"""Ctrl-Z and Ctrl-\\ at the prompt: readline gives the terminal back before the process stops.

CPython switches readline's own handling of these signals off. The shell would get the terminal in
readline's modes, and after `fg` readline would work in the shell's: a paste is many questions then.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Windows has neither.
SIGNALS = [getattr(signal, name) for name in ("SIGTSTP", "SIGQUIT") if hasattr(signal, name)]


class Suspended(BaseException):
    """Raised while a line is read, so that `input` restores the terminal's modes."""

    def __init__(self, number: int) -> None:
        self._number = number

    def suspend(self) -> None:
        """Let the signal do what it does without a handler; back after `fg`."""
        os.kill(os.getpid(), self._number)


@contextmanager
def raise_suspended() -> Iterator[None]:
    """Within the block, Ctrl-Z and Ctrl-\\ raise Suspended, unless they are ignored."""

    def stop(number: int, _: object) -> None:
        raise Suspended(number)

    handled = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in handled:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
