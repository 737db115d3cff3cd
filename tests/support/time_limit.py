"""Fails a test that hangs, and prints the stacks of all threads and tasks to stderr.

The limit is longer than any timeout inside a test, because those failures say more. It applies to
the test alone, not to the fixtures that build servers and install packages.
"""

import asyncio
import faulthandler
import signal
from collections.abc import Generator
from contextlib import suppress
from types import FrameType

import pytest

SECONDS = 300.0
AGAIN = 10.0  # seconds; repeated, because an event loop swallows what its callbacks raise


class TooLong(BaseException):
    """A BaseException, so that neither the tested code nor Hypothesis catches it."""


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
    """Print the stacks to stderr; a waiting task is in no thread's stack, so tasks come extra."""
    faulthandler.dump_traceback(2)
    with suppress(RuntimeError):  # no loop runs
        for task in asyncio.all_tasks():
            task.print_stack()
