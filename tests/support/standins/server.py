"""A small HTTP/1.1 server on 127.0.0.1 that runs a test's handler in a thread."""

import asyncio
import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

from tests.support.standins.reply import ClientDisconnected, ErrorReply, Reply
from tests.support.standins.request import Request, read_body, read_head

__all__ = [
    "ClientDisconnected",
    "ErrorReply",
    "Handler",
    "Reply",
    "Request",
    "StandIn",
    "unreachable_server",
]

LONGEST_CONNECTION = 60.0
LOOK_EVERY = 0.01  # seconds between two checks whether the client is still connected
LINE_LIMIT = 1 << 20

Handler = Callable[[Request, Reply], Awaitable[None]]


class StandIn:
    """Runs a handler in a thread for as long as the `with` block lasts."""

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1") -> None:
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.url = ""
        self._handler = handler
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)

    @property
    def connections(self) -> int:
        """The number of clients that are connected now."""
        return len(self._tasks)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        if not self.url:
            raise RuntimeError("the stand-in did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        if self.errors and error is None:
            raise self.errors[0]  # a handler's bug must not look like the client's

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._main())
        finally:
            self._ready.set()

    async def _main(self) -> None:
        """Accept without asyncio's server, which may print tracebacks while it closes."""
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        with socket.create_server((self._host, 0), backlog=128) as listener:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)
            self.url = f"http://{self._host}:{listener.getsockname()[1]}"
            self._ready.set()
            await self._stop.wait()
            self._loop.remove_reader(listener)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            client.setblocking(False)
            # asyncio does not set this on such sockets, and a response then takes 44 ms more.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._connection(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # A task cancelled before its first step never closes the connection.
            task.add_done_callback(lambda ended: client.close() if ended.cancelled() else None)

    async def _connection(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client, limit=LINE_LIMIT)
        try:
            async with asyncio.timeout(LONGEST_CONNECTION):
                while await self._exchange(reader, writer):
                    pass
        except (ConnectionError, TimeoutError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            if self._stop.is_set():
                writer.transport.abort()
            else:
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            request = await read_head(reader)
        except asyncio.IncompleteReadError:
            return False
        request.came_at -= noted_late(writer.get_extra_info("socket"))
        self.requests.append(request)
        reply = Reply(request, writer)
        try:
            request.body = await read_body(request, reader, writer)
        except asyncio.IncompleteReadError:
            reply.mark_disconnected()
            return False
        watcher = asyncio.create_task(_watch(reader, reply))
        try:
            await self._handler(request, reply)
            await reply.end()
        except ErrorReply as error:
            await reply.json(error.body, error.status, error.headers)
        finally:
            watcher.cancel()
        return reply.keep_alive


@contextlib.contextmanager
def unreachable_server() -> Iterator[StandIn]:
    """Yield a server that does not listen, on a port that is reserved meanwhile."""

    async def never(request: Request, reply: Reply) -> None:
        raise AssertionError("nobody listens")

    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        server = StandIn(never)
        server.url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        yield server


def noted_late(client: socket.socket) -> float:
    """Return the seconds since the client's last bytes arrived, according to the kernel.

    This thread may have read them late. Source: `tcpi_last_data_recv` of Linux' struct tcp_info,
    in milliseconds; 0 on other systems.
    """
    if sys.platform != "linux":
        return 0.0
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
    milliseconds: int = struct.unpack_from("I", info, 52)[0]
    return milliseconds / 1000


async def _watch(reader: asyncio.StreamReader, reply: Reply) -> None:
    """Watch for the client's FIN or RST while a handler runs; nothing else reads meanwhile."""
    while not reply.finished:
        if reader.at_eof() or reader.exception() is not None:
            reply.mark_disconnected()
            return
        await asyncio.sleep(LOOK_EVERY)
