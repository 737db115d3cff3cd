"""Transport interface, and what all transports share: fixed headers, status check, no cookies.

HTTPTransport implements it with our own HTTP client, the others with a provider's SDK; adapters do
not see the difference. A transport does not follow redirects, does not accept compressed bodies,
keeps no cookies and does not retry: each call to `open` sends one request.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from .._version import __version__
from ..errors import MalformedAnswer, NetworkError
from ..frozen_dataclass import FrozenDataclass
from ..secret import Secret
from .response_errors import error_from_response, redact_and_shorten
from .timeouts import ResponseTimer

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

MAX_ERROR_BODY_BYTES = 1024 * 1024
_encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
FIXED_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"easyllm/{__version__}"}


class Request(FrozenDataclass):
    """An HTTP request. `body` is sent as JSON; a header's value may be a Secret.

    `content`: the bytes to send in place of `body`; their Content-Type is one of `headers`.
    `resolved_address`: the IP address to connect to, so that the host name is not looked up again;
    "" = look it up. Only HTTPTransport uses it.
    """

    method: str
    url: str
    headers: dict[str, str | Secret] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    resolved_address: str = ""
    content: bytes | None = None

    def reveal_headers(self) -> dict[str, str]:
        """Return the headers to send, secrets in plain text, with our fixed headers."""
        revealed = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.headers.items()
        }
        if self.body is not None:
            revealed["Content-Type"] = "application/json"
        return {**FIXED_HEADERS, **revealed}

    def encode_body(self) -> bytes | None:
        """Return `content`, else the body as JSON in UTF-8, or None without a body."""
        if self.body is None:
            return self.content
        return _encode_json(self.body).encode()


class Response:
    """A response whose status and headers have been read, and whose body is still to be read.

    `headers` have lower-case names. `chunks` is an async generator of bytes; the end of the body
    is an empty chunk or the end of the generator.
    """

    def __init__(
        self, status: int, headers: Mapping[str, str], url: str, chunks: Any, timer: ResponseTimer
    ) -> None:
        self.status = status
        self.headers = headers
        self.content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.url = url
        self._chunks = chunks
        self._timer = timer

    async def read_chunk(self) -> bytes:
        """Return the body's next bytes as they arrive; b"" at its end.

        Raises:
            NetworkError: the connection was cut.
            FirstTokenTimeout, IncompleteAnswer: the timer's limit passed before or after the
                first token.
        """
        try:
            chunk: bytes = await self._timer.wait(anext(self._chunks, b""))
        except Exception as error:
            from .network_errors import is_http_client_error, network_error  # errors only

            if not is_http_client_error(error):
                raise
            raise network_error(error, self.url) from error
        return chunk

    async def read_body(self, max_bytes: int) -> bytes:
        """Return the body, at most `max_bytes` of it; the rest is left unread. Closes the body."""
        body = bytearray()
        async with aclosing(self):
            while len(body) <= max_bytes and (chunk := await self.read_chunk()):
                body += chunk
        return bytes(body[:max_bytes])

    async def aclose(self) -> None:
        """Close the body."""
        await self._chunks.aclose()


def with_lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with lower-case names."""
    return {name.lower(): value for name, value in headers.items()}


class Transport(Protocol):
    """Sends requests to one endpoint and may keep its connections for the next request."""

    def open(self, request: Request, timer: ResponseTimer) -> AbstractAsyncContextManager[Response]:
        """Send a request and give a response with status 2xx; leaving the block closes it.

        Raises:
            EasyLLMError: the subclass for the status, for any other status.
            NetworkError: no response came.
        """

    async def aclose(self) -> None:
        """Close every connection. The transport can be used again afterwards."""


def rejecting_cookie_jar() -> CookieJar:
    """Return a cookie jar that stores nothing: a cookie would link separate requests."""
    from http.cookiejar import (
        CookieJar,
        DefaultCookiePolicy,
    )  # httpx2 imports it, a replay does not

    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@asynccontextmanager
async def open_response(
    http_response: Any, url: str, timer: ResponseTimer
) -> AsyncIterator[Response]:
    """Wrap an HTTP client's response in a Response; leaving the block closes it.

    Raises:
        EasyLLMError: the subclass for the status, unless it is 2xx.
        MalformedAnswer: the body is compressed.
    """
    try:
        chunks = http_response.aiter_raw()
        headers = with_lower_names(http_response.headers)
        response = Response(http_response.status_code, headers, url, chunks, timer)
        await raise_for_status(response)
        yield response
    finally:
        timer.stop()
        await http_response.aclose()


async def raise_for_status(response: Response) -> None:
    """Raise an EasyLLMError for any status but 2xx, and MalformedAnswer for a compressed body."""
    if not 200 <= response.status < 300:
        try:
            body = await response.read_body(MAX_ERROR_BODY_BYTES)
        except NetworkError:
            body = b""  # the error is built from the status alone
        if is_compressed(response.headers):
            body = b""  # never decompressed: 1 MB may expand to 1 GB
        raise error_from_response(response.status, response.headers, body)
    refuse_compressed(response.headers)


def refuse_compressed(headers: Mapping[str, str]) -> None:
    """Raise MalformedAnswer for a compressed body; `headers` have lower-case names."""
    if is_compressed(headers):
        encoding = redact_and_shorten(headers["content-encoding"])
        raise MalformedAnswer(
            f"the server sent {encoding}, but easyllm does not accept compressed bodies"
        )


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Return whether the body has a Content-Encoding; `headers` have lower-case names."""
    return headers.get("content-encoding", "").strip().lower() not in {"identity", ""}
