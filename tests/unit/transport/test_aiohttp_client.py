"""`transport = "aiohttp"`: what aiohttp does by itself and must not do here.

What it has in common with the other transports is tested with them: test_timeouts.py,
test_connections.py, test_cookies.py, the contract suite and the table of faults.
"""

import asyncio
import gc
import socket
import sys
import time
from contextlib import suppress

import pytest

from easyllm_cli import LLMService
from easyllm_cli.errors import ConfigError, NetworkError, TooLargeError
from easyllm_cli.transport.base import Request
from easyllm_cli.transport.timeouts import ResponseTimer
from tests.support.asking import expect_error, messages, openai
from tests.support.install_commands import installs_extra
from tests.support.sending import AT_ONCE, OK, open_transport, post, read_all, serve_raw
from tests.support.standins.script import DONE, Script, chunk, script_handler
from tests.support.standins.server import Reply, StandIn
from tests.support.standins.server import Request as StandInRequest

over_both = pytest.mark.parametrize("transport", ["http", "aiohttp"])
HELLO = Script(chunk("Hello"), chunk(finish="stop"), DONE)


@pytest.mark.parametrize(
    ("transport", "delay"), [("aiohttp", 0.0), ("aiohttp", 0.02), ("http", 0.02)]
)
async def test_an_answer_too_many_is_not_the_next_answer(transport: str, delay: float) -> None:
    """A server that answers twice: the second response comes with the first, or later."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            asked = await reader.readexactly(size)
            answer = OK + b"Content-Length: %d\r\n\r\n%b" % (size, asked)
            writer.write(answer if delay else 2 * answer)
            await asyncio.sleep(delay)
            writer.write(answer if delay else b"")

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        for number in range(3):
            assert await post(sender, url, str(number)) == b'{"body":"%d"}' % number
            await asyncio.sleep(2 * delay)
    assert connections == 3


async def test_an_answer_too_many_that_is_not_read_yet() -> None:
    """It is still in the socket when the next request is sent."""
    connections = 0

    async def handle(request: StandInRequest, reply: Reply) -> None:
        nonlocal connections
        connections += 1
        await reply.head(length=2)
        await reply.write(b"{}")
        await asyncio.sleep(0.05)
        await reply.write(OK + b"Content-Length: 3\r\n\r\n{ }")
        await asyncio.sleep(5)

    with StandIn(handle) as server:
        async with open_transport(server.url) as sender:
            for _ in range(2):
                assert await post(sender, server.url) == b"{}"
                time.sleep(0.2)  # blocks the event loop, so that it does not see what comes
        assert connections == 2


@over_both
async def test_text_that_came_before_a_cut_is_not_lost(transport: str) -> None:
    """Even if nobody reads it before the connection is cut."""
    answer = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        request = Request("POST", url, {}, {})
        async with sender.open(request, ResponseTimer(AT_ONCE, AT_ONCE)) as response:
            await asyncio.sleep(0.1)
            assert await response.read_chunk() == b"Hello"
            with pytest.raises(NetworkError, match="closed the connection"):
                await response.read_chunk()


@over_both
async def test_a_reset_is_no_end_of_a_body_without_length(transport: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n{}")
        await asyncio.sleep(0.05)
        linger = b"\1\0\0\0\0\0\0\0"  # SO_LINGER on with 0 seconds: close() sends RST
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        with pytest.raises(NetworkError, match="closed the connection"):
            await post(sender, url)


@over_both
async def test_a_get_is_not_sent_again(transport: str) -> None:
    """The server closes a kept connection when the second request arrives."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while await reader.readuntil(b"\r\n\r\n"):
            requests += 1
            if requests == 2:
                return
            writer.write(OK + b"Content-Length: 2\r\n\r\n{}")

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        get = Request("GET", url)
        for number in (1, 2):
            with suppress(NetworkError):
                async with sender.open(get, ResponseTimer(AT_ONCE, AT_ONCE)) as response:
                    assert await read_all(response) == b"{}"
            assert requests == number


@over_both
@pytest.mark.parametrize("leaves", ["cancel", "aclose"])
async def test_leaving_an_upload_that_stalls(transport: str, leaves: str) -> None:
    """The connection closes at once, although bytes are left to be sent."""
    closed = asyncio.Event()
    started = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        started.set()
        await asyncio.sleep(0.1)
        while await reader.read(1 << 16):
            await asyncio.sleep(0.001)
        closed.set()

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        task = asyncio.create_task(post(sender, url, "x" * 32_000_000))
        await started.wait()
        async with asyncio.timeout(AT_ONCE):
            if leaves == "cancel":
                task.cancel()
            else:
                await sender.aclose()
            with pytest.raises((asyncio.CancelledError, NetworkError)):
                await task
            await closed.wait()


async def test_a_response_before_all_is_sent() -> None:
    """It is read, and the connection is closed at once: the rest is not sent."""
    size, read = 8_000_000, asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await asyncio.sleep(0.1)
        with suppress(ConnectionError):
            read.set_result(len(await reader.read()))

    async with serve_raw(serve) as url, open_transport(url) as sender:
        with pytest.raises(TooLargeError):
            await post(sender, url, "x" * size)
        assert await asyncio.wait_for(read, AT_ONCE) < size


async def test_no_request_waits_for_a_connection() -> None:
    """aiohttp's own limit is 100 at once."""
    count, arrived = 110, asyncio.Event()
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        if requests == count:
            arrived.set()
        await arrived.wait()
        writer.write(OK + b"Content-Length: 0\r\n\r\n")

    async with serve_raw(serve) as url, open_transport(url) as sender, asyncio.timeout(AT_ONCE):
        await asyncio.gather(*(post(sender, url) for _ in range(count)))


@over_both
async def test_first_token_begins_when_all_is_sent(transport: str) -> None:
    """A slow upload does not use it up."""
    size = 8_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.6)
        await reader.readexactly(size)
        await asyncio.sleep(0.6)
        writer.write(OK + b"Content-Length: 2\r\n\r\n{}")

    async with serve_raw(serve) as url, open_transport(url, transport) as sender:
        request = Request("POST", url, {}, {"body": "x" * (size - len('{"body":""}'))})
        async with sender.open(request, ResponseTimer(1.0, 1.0)) as response:
            assert await read_all(response) == b"{}"


async def test_closing_while_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All who wait for the name are told; no task looks cancelled."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(30)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    async with open_transport("http://far.invalid") as sender:
        tasks = [asyncio.create_task(post(sender, "http://far.invalid")) for _ in range(3)]
        await asyncio.sleep(0.05)
        await sender.aclose()
        errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), AT_ONCE)
    for error in errors:
        assert isinstance(error, NetworkError)
        assert "this program closed the connection" in str(error)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_loop_that_is_closed_early(caplog: pytest.LogCaptureFixture) -> None:
    """Without shutdown_asyncgens nothing can be closed any more, and nothing is logged."""
    with StandIn(script_handler(HELLO)) as server:
        for _ in range(2):
            loop = asyncio.new_event_loop()
            service = LLMService()
            config = openai(server, transport="aiohttp")
            done = loop.run_until_complete(service.chat(config, messages()))
            assert done["text"] == "Hello"
            loop.close()
            del service
        asyncio.run(LLMService().chat(config, messages()))  # forgets closed loops
        gc.collect()
    assert caplog.text == ""


async def test_without_the_package_it_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "easyllm_cli.transport.aiohttp_client", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with StandIn(script_handler(HELLO)) as server:
        error = await expect_error(ConfigError, openai(server, transport="aiohttp"))
        assert server.requests == []
    assert (error.message, error.exit_code) == ("the package aiohttp is not installed", 2)
    assert installs_extra(error.hint, "batch")
    assert 'transport = "aiohttp"' in str(error)
