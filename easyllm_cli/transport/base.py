"""Carrier: what takes a request to a server and brings the answer's bytes back as they come.

Our own HTTP client is one, each provider's SDK another; adapters do not see which. A carrier
never follows a redirect, never asks for a compressed body, keeps no cookie, and sends one request
for one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

from .._version import __version__
from ..errors import MalformedAnswer, NetworkError
from ..secret import Secret
from .network_errors import is_httpx_error, network_error
from .response_errors import error_from_response, redact_and_shorten
from .timeouts import ResponseTimer

MAX_ERROR_BODY_BYTES = 1024 * 1024
FIXED_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"easyllm/{__version__}"}


@dataclass(frozen=True, eq=False, repr=False)
class Request:
    """What is sent: `body` goes out as JSON; a header's value may be a Secret.

    `address`: where our own client connects to, instead of looking the host's name up.
    """

    method: str
    url: str
    headers: dict[str, str | Secret] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    resolved_address: str = ""

    def reveal_headers(self) -> dict[str, str]:
        revealed = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.headers.items()
        }
        if self.body is not None:
            revealed["Content-Type"] = "application/json"
        return {**FIXED_HEADERS, **revealed}

    def encode_body(self) -> bytes | None:
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Response:
    """A response whose head is read; its body comes in pieces, from an async generator."""

    def __init__(
        self, status: int, headers: Mapping[str, str], url: str, chunks: Any, timer: ResponseTimer
    ) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.url = url
        self._chunks = chunks
        self._timer = timer

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive.

        Raises:
            NetworkError: the connection was cut.
            FirstTokenTimeout, IncompleteAnswer: nothing came in time.
        """
        try:
            while True:
                chunk = await self._timer.wait(anext(self._chunks, b""))
                if not chunk:
                    return
                yield chunk
        except Exception as error:
            if not is_httpx_error(error):
                raise
            raise network_error(error, self.url) from error
        finally:
            await self._chunks.aclose()

    async def read_body(self, max_bytes: int) -> bytes:
        """The whole body; what lies past `cap` bytes is left unread."""
        body = bytearray()
        async for chunk in self.iter_bytes():
            body += chunk
            if len(body) > max_bytes:
                break
        return bytes(body[:max_bytes])


class Transport(Protocol):
    """A way to one endpoint, kept for the next request."""

    def open(self, request: Request, timer: ResponseTimer) -> AbstractAsyncContextManager[Response]:
        """Send a request; the answer, whose status is 2xx, is closed when the block is left.

        Raises:
            EasyLLMError: any status but 2xx, by its class; NetworkError when none came.
        """

    async def aclose(self) -> None:
        """Close every connection. The carrier may be used again afterwards."""


def rejecting_cookie_jar() -> CookieJar:
    """A jar for an HTTP client that takes nothing: by a cookie a server could tell that two
    requests come from one place."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@asynccontextmanager
async def open_response(
    http_response: Any, url: str, timer: ResponseTimer
) -> AsyncIterator[Response]:
    """The answer in an HTTP client's response, which is closed when the block is left.

    Raises:
        EasyLLMError: the response is no answer, by its class.
    """
    try:
        chunks = http_response.aiter_raw()
        response = Response(http_response.status_code, http_response.headers, url, chunks, timer)
        await raise_for_status(response)
        yield response
    finally:
        timer.stop()
        await http_response.aclose()


async def raise_for_status(response: Response) -> None:
    """Raise for everything that is no answer: any status but 2xx, and a compressed body."""
    if not 200 <= response.status < 300:
        try:
            body = await response.read_body(MAX_ERROR_BODY_BYTES)
        except NetworkError:
            body = b""  # the status alone tells enough
        if is_compressed(response.headers):
            body = b""  # never unpacked: a megabyte may hold a gigabyte; and no words for people
        raise error_from_response(response.status, response.headers, body)
    refuse_compressed(response.headers)


def refuse_compressed(headers: Mapping[str, str]) -> None:
    """Raise MalformedAnswer for a compressed body; `headers` have lower-case names."""
    if is_compressed(headers):
        encoding = redact_and_shorten(headers["content-encoding"])
        raise MalformedAnswer(f"the server sent {encoding} although we asked for plain bytes")


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Whether the body is not the bytes themselves; `headers` have lower-case names."""
    return headers.get("content-encoding", "").strip().lower() not in {"identity", ""}
