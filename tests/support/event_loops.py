"""Closes the event loops that commands leave open when they run inside the test process.

A command leaves its loop to the end of its process (cli/runtime.py). Here the garbage collector
would find it during a later test, which would fail by the warning of an unclosed loop.
"""

import asyncio
import weakref
from collections.abc import Generator
from typing import Any

import pytest

_loops: "weakref.WeakSet[asyncio.BaseEventLoop]" = weakref.WeakSet()
_make = asyncio.BaseEventLoop.__init__


def _make_and_remember(loop: asyncio.BaseEventLoop, *arguments: Any) -> None:
    _make(loop, *arguments)
    _loops.add(loop)


def pytest_configure() -> None:
    asyncio.BaseEventLoop.__init__ = _make_and_remember  # type: ignore[assignment,method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    """After the fixtures, close each loop that does not run; those of servers run in threads."""
    yield
    for loop in [loop for loop in _loops if not (loop.is_running() or loop.is_closed())]:
        loop.close()
