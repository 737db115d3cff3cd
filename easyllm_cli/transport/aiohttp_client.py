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
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit
from weakref import WeakSet

import aiohttp
from yarl import URL

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import ConfigError
from .base import FIXED_HEADERS, Request, Response, raise_for_status
from .connections import LoopBoundClient, report_local_close
from .header_fields import HiddenText, build_header_fields, join_header_fields
from .network import NetworkSettings
from .timeouts import ResponseTimer

# Longest header, and most headers, of a response; h11, which httpx2 uses, allows 100 KiB for all.
MAX_HEADER_BYTES, MAX_HEADERS = 64 * 1024, 256
IDLE_SECONDS = 5.0  # how long an unused connection is kept; as httpx2 does
BODY_PIECE_BYTES = 256 * 1024
# Printable ASCII characters that stay as they are in a path or a query. As in httpx2, `%` is one:
# what is quoted already is not quoted again.
UNQUOTED_CHARACTERS = "".join(set(map(chr, range(0x21, 0x7F))) - set('"#<>?`{}'))


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

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Send a request and give its response; leaving the block closes it.

        Raises:
            EasyLLMError: the subclass for the status, unless it is 2xx.
            NetworkError: no response came.
            ConfigError: the endpoint or the proxy is not valid, or a header cannot be sent.
        """
        client = self._client.get()
        timer.start_connecting(self._network.connect_timeout)
        exchange = _Exchange(timer)
        client.exchanges.add(exchange)
        try:
            with report_local_close(client):
                received = await self._send(client, request, exchange)
                headers = join_header_fields(received.headers)
                response = Response(received.status, headers, request.url, exchange, timer)
                await raise_for_status(response)
                yield response
        finally:
            timer.stop()
            client.exchanges.discard(exchange)
            exchange.close()

    async def _send(
        self, client: _Client, request: Request, exchange: _Exchange
    ) -> aiohttp.ClientResponse:
        """Send the request and return the response with its body unread. Raises as `open`."""
        token = _current_exchange.set(exchange)
        try:
            sending = client.start_request(request, exchange)
            received: aiohttp.ClientResponse = await exchange.timer.wait(sending)
            exchange.response = received
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not client.is_closed or task is None or task.cancelling():
                raise
            # A closed session cancels the name lookups on which its requests wait.
            raise self._translate(aiohttp.ClientConnectionError(), request.url) from None
        except Exception as error:
            translated = self._translate(error, request.url, client.is_closed)
            if translated is error:
                raise
            raise translated from error
        finally:
            _current_exchange.reset(token)
        return received

    def _translate(self, error: Exception, url: str, is_closed: bool = False) -> Exception:
        """Return our error for one of aiohttp's, and any other exception as it is.

        The tracebacks of aiohttp's errors are dropped: their frames hold the bytes that were sent.
        """
        from .network_errors import is_http_client_error, iter_causes, network_error  # errors only

        if isinstance(error, aiohttp.InvalidURL):
            return ConfigError(f"the endpoint is not a valid URL: {error}")
        # RuntimeError: the session is closed. UnicodeError: of a name that IDNA cannot encode.
        if not is_http_client_error(error) and not (
            isinstance(error, UnicodeError) or (is_closed and isinstance(error, RuntimeError))
        ):
            return error
        if isinstance(error, UnicodeError):
            error.__cause__ = socket.gaierror()
        translated = network_error(error, url, self._network.proxy_address)
        for cause in iter_causes(error):
            cause.__traceback__ = None
        return translated

    async def aclose(self) -> None:
        """Close every connection. The transport can be used again afterwards."""
        await self._client.aclose()


class _Exchange:
    """One request and its response; also the response's chunks, as an asynchronous iterator."""

    def __init__(self, timer: ResponseTimer) -> None:
        self.timer = timer
        self.response: aiohttp.ClientResponse | None = None
        self._connection: Any = None  # asyncio's transport
        self._protocol: Any = None
        self._is_sent = False
        self._error: Exception | None = None  # to be raised after the bytes that came before it

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
        self.exchanges: set[_Exchange] = set()
        self._loop = asyncio.get_running_loop()
        self._proxy, self._proxy_headers = _parse_proxy(network)
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
        url, fields = _parse_url(request.url), build_header_fields(request)
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
        self._used: WeakSet[Any] = WeakSet()

    async def connect(self, req: aiohttp.ClientRequest, traces: Any, timeout: Any) -> Any:
        while True:
            connection: Any = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol not in self._used:
                self._used.add(protocol)
                break
            if not protocol.should_close and not _is_readable(connection.transport):
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


def _is_readable(transport: asyncio.Transport) -> bool:
    """Return whether bytes or the end of the connection wait to be read."""
    descriptor = transport.get_extra_info("socket").fileno()
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


@lru_cache(maxsize=64)
def _parse_url(url: str) -> URL:
    """Return the URL as it is sent. Raises ConfigError for one that is not valid."""
    try:
        parts = urlsplit(url)
        if not url.isprintable():
            raise ValueError("it contains a control character")
        origin = URL.build(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        path = quote(parts.path, safe=UNQUOTED_CHARACTERS)
        query = quote(parts.query, safe=UNQUOTED_CHARACTERS + "?`{}")
        return URL(f"{origin}{path}{'?' * bool(query)}{query}", encoded=True)
    except ValueError as error:
        raise ConfigError(f"the endpoint is not a valid URL: {error}") from None


def _parse_proxy(network: NetworkSettings) -> tuple[URL | None, dict[str, str]]:
    """Return the proxy in use without its login, and the headers that are for the proxy alone.

    Raises:
        ValueError: aiohttp cannot use the proxy.
    """
    address = network.proxy
    if not address:
        return None, {}
    if network.profile_proxy is None and "://" not in address:  # as variables may write it
        address = f"http://{address}"
    scheme = address.partition("://")[0]
    if scheme not in ("http", "https"):
        raise ValueError("aiohttp takes a proxy with http:// or https:// only")
    proxy = URL(address)
    if not proxy.host:
        raise ValueError("it names no host")
    headers = {"User-Agent": FIXED_HEADERS["User-Agent"]}
    if proxy.user or proxy.password:
        login = b64encode(f"{proxy.user or ''}:{proxy.password or ''}".encode()).decode()
        headers["Proxy-Authorization"] = HiddenText(f"Basic {login}")
    return proxy.with_user(None), headers
