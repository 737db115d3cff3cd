"""Connections end with their event loop, or soon after nobody holds their client any more.

`asyncio.run` closes every asynchronous generator that is still open before it closes its loop:
one such generator a loop closes what is registered here. So nothing is left to a socket's own
finalizer, which warns, and which a closed loop would stop from closing anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from ..errors import IncompleteAnswer, MalformedAnswer, NetworkError


class Closable(Protocol):
    """An HTTP client."""

    @property
    def is_closed(self) -> bool: ...

    async def aclose(self) -> None: ...


CLOSED_LOCALLY = "closed"  # the code of the error: nobody else is asked, either


@contextmanager
def report_local_close(client: Closable) -> Iterator[None]:
    """An answer whose client we closed ourselves fails by our word, and is not tried again."""
    try:
        yield
    except (NetworkError, IncompleteAnswer) as error:
        if client.is_closed and not isinstance(error, MalformedAnswer):
            is_partial = isinstance(error, IncompleteAnswer)
            error.message = "this program closed the connection (aclose)"
            error.message = f"the answer was cut: {error.message}" if is_partial else error.message
            error.hint, error.retryable, error.code = "", False, CLOSED_LOCALLY
        raise


ClientT = TypeVar("ClientT", bound=Closable)


class _LoopResources:
    """What is open in one event loop."""

    def __init__(self) -> None:
        self.resources: set[Closable] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._generator = self._close_at_loop_end()
        with suppress(StopIteration):  # up to its `yield`: from here on the loop knows it
            self._generator.asend(None).send(None)

    async def _close_at_loop_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for resource in list(self.resources):
                await self.close(resource)
            _resources_by_loop.pop(asyncio.get_running_loop(), None)

    async def close(self, resource: Closable) -> None:
        await resource.aclose()
        self.resources.discard(resource)

    def start_closing(self, resource: Closable) -> None:
        task = asyncio.create_task(self.close(resource))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


_resources_by_loop: dict[asyncio.AbstractEventLoop, _LoopResources] = {}


def close_with_loop(resource: Closable) -> None:
    """Close it when the running loop ends, if nobody has done so before."""
    for loop in [loop for loop in list(_resources_by_loop) if loop.is_closed()]:
        _resources_by_loop.pop(loop, None)  # closed by hand: without asking the generators
    loop = asyncio.get_running_loop()
    if loop not in _resources_by_loop:
        _resources_by_loop[loop] = _LoopResources()
    _resources_by_loop[loop].resources.add(resource)


def close_soon(resource: Closable, loop: asyncio.AbstractEventLoop) -> None:
    """Close it in its loop, without waiting; from any thread, also where no loop is running."""
    loop_resources = _resources_by_loop.get(loop)
    if loop_resources is not None:
        with suppress(RuntimeError):  # the loop is closed: so is what it held
            loop.call_soon_threadsafe(loop_resources.start_closing, resource)


async def close_now(resource: Closable) -> None:
    """Close it, and look after it no longer."""
    loop_resources = _resources_by_loop.get(asyncio.get_running_loop())
    await (loop_resources.close(resource) if loop_resources else resource.aclose())


class LoopBoundClient(Generic[ClientT]):
    """An HTTP client of the event loop that asked for it, kept: another loop gets a new one."""

    def __init__(self, make: Callable[[], ClientT]) -> None:
        self._make = make
        self._client: ClientT | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __del__(self) -> None:
        if self._client is not None and self._loop is not None:
            close_soon(self._client, self._loop)

    def get(self) -> ClientT:
        """The client of the running loop. Raises what `make` raises."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client.is_closed or self._loop is not loop:
            self._client, self._loop = self._make(), loop
            close_with_loop(self._client)
        return self._client

    async def aclose(self) -> None:
        """Close every connection; the next request makes new ones."""
        client, self._client = self._client, None
        if client is None or self._loop is None:
            return
        if self._loop is asyncio.get_running_loop():
            await close_now(client)
        else:
            close_soon(client, self._loop)
