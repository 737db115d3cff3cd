"""Transport that uses aiohttp: `transport = "aiohttp"`, for many requests at once.

A request costs a quarter of the CPU time that it costs with httpx2 when 512 are in flight
(benchmarks/batch.py). This is the only file that imports aiohttp, which the extra `batch` installs.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import ConfigError
from .aiohttp_urls import build_proxy_url, build_request_url
from .base import Request, Response, raise_for_status
from .connections import LoopBoundClient, mark_local_close
from .header_fields import HeaderFields, join_header_fields
from .network import NetworkSettings
from .timeouts import ResponseTimer

# Longest header, and most headers, of a response; h11, which httpx2 uses, allows 100 KiB for all.
MAX_HEADER_BYTES, MAX_HEADERS = 64 * 1024, 256
IDLE_SECONDS = 5.0  # how long an unused connection is kept; as httpx2 does
BODY_PIECE_BYTES = 256 * 1024


class AiohttpTransport:
    """Connects to one endpoint with the profile's network settings and keeps the connections.

    Connections belong to their event loop; another loop gets new ones. Their number is not
    limited, because a request that waits for a free connection would look like a slow server.
    """

    def __init__(self, profile: Profile, endpoint: Endpoint) -> None:
        self._network = network = NetworkSettings(profile, endpoint.url)

        def connect() -> _Client:  # a closure over self would keep the connections open
            try:
                return _Client(network)
            except Exception as error:
                from .network_errors import proxy_error  # errors only

                raise proxy_error(error) or error from None

        self._client = LoopBoundClient(connect)

    def open(self, request: Request, timer: ResponseTimer) -> _Exchange:
        """Return a context manager that sends a request and gives its response.

        Entering it raises:
            EasyLLMError: the subclass for the status, unless it is 2xx.
            NetworkError: no response came.
            ConfigError: the endpoint or the proxy is not valid, or a header cannot be sent.
        """
        timer.start_connecting(self._network.connect_timeout)
        return _Exchange(self._client.get(), request, timer)

    async def aclose(self) -> None:
        """Close every connection. The transport can be used again afterwards."""
        await self._client.aclose()


class _Exchange:
    """One request and its response; also the response's chunks, as an asynchronous iterator.

    It is a context manager by itself: a generator would cost a tenth of the request.
    """

    def __init__(self, client: _Client, request: Request, timer: ResponseTimer) -> None:
        self.timer = timer
        self.response: aiohttp.ClientResponse | None = None
        self._client = client
        self._request = request
        self._connection: Any = None  # asyncio's transport
        self._protocol: Any = None
        self._is_sent = False
        self._error: Exception | None = None  # to be raised after the bytes that came before it

    async def __aenter__(self) -> Response:
        self._client.exchanges.add(self)
        try:
            received = await self._send()
            headers = join_header_fields(received.headers)
            response = Response(received.status, headers, self._request.url, self, self.timer)
            await raise_for_status(response)
        except BaseException as error:
            self._end(error)
            raise
        return response

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        """Close the response; mark the error if this program closed the connection itself."""
        mark_local_close(self._client, error)
        self.timer.stop()
        self._client.exchanges.discard(self)
        self.close()

    async def _send(self) -> aiohttp.ClientResponse:
        """Send the request and return the response with its body unread. Raises as `open`."""
        client = self._client
        token = _current_exchange.set(self)
        try:
            sending = client.start_request(self._request, self)
            received: aiohttp.ClientResponse = await self.timer.wait(sending)
            self.response = received
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not client.is_closed or task is None or task.cancelling():
                raise
            # A closed session cancels the name lookups on which its requests wait.
            raise self._translate(aiohttp.ClientConnectionError()) from None
        except Exception as error:
            translated = self._translate(error)
            if translated is error:
                raise
            raise translated from error
        finally:
            _current_exchange.reset(token)
        return received

    def _translate(self, error: Exception) -> Exception:
        """Return our error for one of aiohttp's, and any other exception as it is.

        The tracebacks of aiohttp's errors are dropped: their frames hold the bytes that were sent.
        """
        from .network_errors import is_http_client_error, iter_causes, network_error  # errors only

        if isinstance(error, aiohttp.InvalidURL):
            return ConfigError(f"the endpoint is not a valid URL: {error}")
        # RuntimeError: the session is closed. UnicodeError: of a name that IDNA cannot encode.
        is_closed = isinstance(error, RuntimeError) and self._client.is_closed
        if (
            not is_http_client_error(error)
            and not isinstance(error, UnicodeError)
            and not is_closed
        ):
            return error
        if isinstance(error, UnicodeError):
            error.__cause__ = socket.gaierror()
        translated = network_error(error, self._request.url, self._client.network.proxy_address)
        for cause in iter_causes(error):
            cause.__traceback__ = None
        return translated

    def start_sending(self, connection: aiohttp.connector.Connection, has_body: bool) -> None:
        """Start the first_token timeout: there is a connection, and the request goes out."""
        self._connection, self._protocol = connection.transport, connection.protocol
        self._is_sent = not has_body
        self.timer.mark_sent(complete=self._is_sent)

    def end_sending(self) -> None:
        """Start the first_token timeout again, unless the response has begun: all is sent."""
        self._is_sent = True
        if self.response is None:
            self.timer.mark_sent()

    async def __anext__(self) -> bytes:
        """Return the body's next bytes as they arrive; b"" at its end. Raises aiohttp's errors."""
        assert self.response is not None
        if self._error is not None:
            raise self._error
        try:
            chunk = await self.response.content.readany()
        except aiohttp.ClientError as error:
            # The error of a connection that was closed here is one object for all of them.
            self._error = error.with_traceback(None)
            chunk = self._read_rest()
            if not chunk:
                raise self._error from error.__cause__
        except RuntimeError:  # the session was closed before
            raise aiohttp.ClientConnectionError("connection closed") from None
        if not chunk:
            self._raise_if_reset()
        return chunk

    def _read_rest(self) -> bytes:
        """Return the bytes that came before an error, which aiohttp would drop."""
        assert self.response is not None
        content: Any = self.response.content
        content.set_exception(None)
        rest: bytes = content.read_nowait()
        return rest

    def _raise_if_reset(self) -> None:
        """Raise the error of a connection whose reset would pass for the end of the body.

        aiohttp ends a body that has no length with the connection, however that ends.
        """
        headers = self.response.headers if self.response else {}
        if "Content-Length" in headers or "Transfer-Encoding" in headers:
            return
        error = self._protocol.exception()
        if isinstance(error, OSError):
            raise error

    def close(self) -> None:
        """Close the connection, unless the response is complete: then it can be used again.

        It is closed at once; otherwise it would stay open until the server has read the request.
        """
        if self._is_sent and self.response is not None and self.response.content.is_eof():
            return
        if self._connection is not None:
            self._connection.abort()
        if self.response is not None:
            self.response.close()

    async def aclose(self) -> None:
        """Close the response's body, as `close`."""
        self.close()


# The exchange of the task that connects, for the connector.
_current_exchange: ContextVar[_Exchange] = ContextVar("exchange")


class _Client:
    """aiohttp's session for one endpoint, and the exchanges that are under way.

    Raises ConfigError for a ca_bundle, ValueError for a proxy that cannot be used.
    """

    is_closed = True  # until there is a session

    def __init__(self, network: NetworkSettings) -> None:
        self.network = network
        self.exchanges: set[_Exchange] = set()
        self._loop = asyncio.get_running_loop()
        self._header_fields = HeaderFields()
        self._proxy, self._proxy_headers = build_proxy_url(network)
        context = network.tls_verification()
        if not isinstance(context, ssl.SSLContext):
            from .http import default_tls_context  # imports httpx2

            context = default_tls_context(network)
        context.set_alpn_protocols(["http/1.1"])
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                ssl=context,
                resolver=aiohttp.ThreadedResolver(),  # the errors of another one lack their cause
                limit=0,
                keepalive_timeout=IDLE_SECONDS,
            ),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=network.connect_timeout, ceil_threshold=float("inf")
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        self.is_closed = False

    def __del__(self) -> None:
        """Close a session that outlived its loop, since aiohttp would print an error for it."""
        if not self.is_closed and self._loop.is_closed():
            with suppress(StopIteration, RuntimeError):
                self._session.close().send(None)

    def start_request(self, request: Request, exchange: _Exchange) -> Awaitable[Any]:
        """Return an awaitable that sends the request and gives the response with its body unread.

        Raises:
            ConfigError: the URL or a header is not valid.
        """
        data = request.encode_body()
        url, fields = build_request_url(request.url), self._header_fields.build(request)
        return self._session.request(
            request.method,
            url,
            headers=fields if url.scheme == "https" else {**self._proxy_headers, **fields},
            data=None if data is None else _Body(data, exchange),
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            middlewares=(_send_once,) if data is None else (),
        )

    async def aclose(self) -> None:
        """Close every connection; exchanges that are under way fail."""
        self.is_closed = True
        for exchange in list(self.exchanges):
            exchange.close()
        await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """Tells each exchange its connection, and reuses none on which something else arrived.

    Without that, a server that answers once too often would answer the next request with it.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # For each connection that was used: tells whether something waits to be read.
        self._watches: WeakKeyDictionary[Any, Callable[[], bool]] = WeakKeyDictionary()

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: Any) -> Any:
        while True:
            connection: Any = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            is_readable = self._watches.get(protocol)
            if is_readable is None:
                self._watches[protocol] = _watch(connection.transport)
                break
            if not protocol.should_close and not is_readable():
                break
            connection.close()
        _current_exchange.get().start_sending(connection, has_body=bool(req.body))
        return connection


class _Body(aiohttp.Payload):
    """A request's JSON, written piece by piece; tells its exchange when all of it is sent."""

    _value: bytes

    def __init__(self, data: bytes, exchange: _Exchange) -> None:
        super().__init__(data, content_type="application/json")
        self._size = len(data)
        self._exchange = exchange

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: Any) -> None:
        data = memoryview(self._value)
        for start in range(0, len(data), BODY_PIECE_BYTES):
            await writer.write(data[start : start + BODY_PIECE_BYTES])
        self._exchange.end_sending()


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a GET. aiohttp would send it again after these errors, but not after another one."""
    try:
        return await handler(request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise aiohttp.ClientConnectionError("the request failed") from error


def _watch(transport: asyncio.Transport) -> Callable[[], bool]:
    """Return what tells whether bytes or the end of an open connection wait to be read."""
    descriptor = transport.get_extra_info("socket").fileno()
    if sys.platform == "win32":
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: bool(poll.poll(0))
