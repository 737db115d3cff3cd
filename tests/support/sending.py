"""Sends requests through a transport to a server that a test writes byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from easyllm_cli.config.endpoints import Endpoint
from easyllm_cli.config.profile import Profile
from easyllm_cli.transport import transport_for
from easyllm_cli.transport.base import Request, Response, Transport
from easyllm_cli.transport.timeouts import ResponseTimer

OK = b"HTTP/1.1 200 OK\r\n"
AT_ONCE = 5.0  # seconds
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve_raw(serve: Serve, backlog: int = 100) -> AsyncIterator[str]:
    """Yield the URL of a server in this event loop that speaks byte by byte."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=backlog)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def open_transport(
    url: str, name: str = "aiohttp", **keys: object
) -> AsyncIterator[Transport]:
    settings = Profile.of({"provider": "openai", "transport": name, **keys})
    transport = transport_for(settings, Endpoint(url), "openai")
    try:
        yield transport
    finally:
        await transport.aclose()


async def read_all(response: Response) -> bytes:
    body = b""
    while data := await response.read_chunk():
        body += data
    return body


async def post(transport: Transport, url: str, body: str = "hi") -> bytes:
    request = Request("POST", url, {}, {"body": body})
    async with transport.open(request, ResponseTimer(AT_ONCE, AT_ONCE)) as response:
        return await read_all(response)
