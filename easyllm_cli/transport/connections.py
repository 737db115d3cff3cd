"""Closes HTTP clients before their event loop ends, or when nothing refers to them any more.

`asyncio.run` closes every open asynchronous generator before it closes its loop. So one generator
for each loop closes the clients registered here. A socket's own finalizer would warn, and cannot
close anything once the loop is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar

from ..errors import CLOSED_LOCALLY, IncompleteAnswer, MalformedAnswer, NetworkError


class Closable(Protocol):
    """A resource with an async `aclose`, such as an HTTP client."""

    @property
    def is_closed(self) -> bool: ...

    async def aclose(self) -> None: ...


@contextmanager
def report_local_close(client: Closable) -> Iterator[None]:
    """Mark a network error as not retryable if this program closed the client itself."""
    try:
        yield
    except (NetworkError, IncompleteAnswer) as error:
        mark_local_close(client, error)
        raise


def mark_local_close(client: Closable, error: BaseException | None) -> None:
    """Change a network error if this program closed the client itself; leave any other error."""
    is_partial = isinstance(error, IncompleteAnswer)
    if not client.is_closed or not isinstance(error, NetworkError | IncompleteAnswer):
        return
    if not isinstance(error, MalformedAnswer):
        error.message = "this program closed the connection (aclose)"
        error.message = f"the answer was cut: {error.message}" if is_partial else error.message
        error.hint, error.retryable, error.code = "", False, CLOSED_LOCALLY
        error.is_own = True


ClientT = TypeVar("ClientT", bound=Closable)


class _LoopResources:
    """The registered resources of one event loop, and the generator that closes them."""

    def __init__(self) -> None:
        self.resources: set[Closable] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self._generator = self._close_at_loop_end()
        with suppress(StopIteration):  # run it up to its `yield`: this registers it with the loop
            self._generator.asend(None).send(None)

    async def _close_at_loop_end(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            for resource in list(self.resources):
                await self.close(resource)
            _resources_by_loop.pop(asyncio.get_running_loop(), None)

    async def close(self, resource: Closable) -> None:
        """Close the resource and forget it."""
        await resource.aclose()
        self.resources.discard(resource)

    def start_closing(self, resource: Closable) -> None:
        """Close the resource in a task."""
        task = asyncio.create_task(self.close(resource))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


_resources_by_loop: dict[asyncio.AbstractEventLoop, _LoopResources] = {}


def close_with_loop(resource: Closable) -> None:
    """Register a resource to be closed when the running loop ends."""
    for loop in [loop for loop in list(_resources_by_loop) if loop.is_closed()]:
        _resources_by_loop.pop(loop, None)  # loop.close() without shutdown_asyncgens()
    loop = asyncio.get_running_loop()
    if loop not in _resources_by_loop:
        _resources_by_loop[loop] = _LoopResources()
    _resources_by_loop[loop].resources.add(resource)


def close_soon(resource: Closable, loop: asyncio.AbstractEventLoop) -> None:
    """Schedule closing in the resource's loop. Works from any thread, with or without a loop."""
    loop_resources = _resources_by_loop.get(loop)
    if loop_resources is not None:
        with suppress(RuntimeError):  # the loop is closed, and its resources with it
            loop.call_soon_threadsafe(loop_resources.start_closing, resource)


async def close_now(resource: Closable) -> None:
    """Close a resource of the running loop and forget it."""
    loop_resources = _resources_by_loop.get(asyncio.get_running_loop())
    await (loop_resources.close(resource) if loop_resources else resource.aclose())


class LoopBoundClient(Generic[ClientT]):
    """Keeps one HTTP client for the running event loop and makes a new one in another loop."""

    def __init__(self, make: Callable[[], ClientT]) -> None:
        self._make = make
        self._client: ClientT | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __del__(self) -> None:
        if self._client is not None and self._loop is not None:
            close_soon(self._client, self._loop)

    def get(self) -> ClientT:
        """Return the running loop's client. Raises what `make` raises."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._client.is_closed or self._loop is not loop:
            self._client, self._loop = self._make(), loop
            close_with_loop(self._client)
        return self._client

    async def aclose(self) -> None:
        """Close the client; the next `get` makes a new one."""
        client, self._client = self._client, None
        if client is None or self._loop is None:
            return
        if self._loop is asyncio.get_running_loop():
            await close_now(client)
        else:
            close_soon(client, self._loop)
