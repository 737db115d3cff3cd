"""Ends a test that hangs: it fails, and what every thread and task was doing stands on stderr.

The limit is beyond what any test waits for a process of its own, since that says more. It counts
for the test alone, not for the fixtures that build servers and install packages.
"""

import asyncio
import faulthandler
import signal
from collections.abc import Generator
from contextlib import suppress
from types import FrameType

import pytest

SECONDS = 300.0
AGAIN = 10.0  # an event loop keeps to itself what one of its callbacks raises


class TooLong(BaseException):
    """No Exception: neither what is tested nor Hypothesis takes it for a failure to go on from."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    reached = False

    def end_the_test(signal_number: int, frame: FrameType | None) -> None:
        nonlocal reached
        reached = True
        print_stacks()
        raise TooLong(f"still running after {SECONDS:g} s")

    signal.signal(signal.SIGALRM, end_the_test)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if reached:
        raise TooLong(f"went on after {SECONDS:g} s")


def print_stacks() -> None:
    """To stderr, those of tasks too, which stand in no thread's stack while they wait."""
    faulthandler.dump_traceback(2)
    with suppress(RuntimeError):  # no loop runs
        for task in asyncio.all_tasks():
            task.print_stack()
