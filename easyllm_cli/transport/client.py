"""One HTTP client: sends a request, gives the answer's bytes as they come.

Redirects are never followed, compressed bodies never asked for, and no CA bundle is loaded for
http:// (DESIGN §8). This is the one file that names httpx2.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from .. import __version__
from ..endpoints import is_loopback
from ..errors import ConfigError, MalformedAnswer, NetworkError
from ..profiles import Profile
from ..secret import Secret
from .closing import close_now, close_soon, close_with_loop
from .failures import network_error
from .patience import Patience
from .status import from_response

ERROR_BODY_CAP = 1024 * 1024
FIXED_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"easyllm/{__version__}"}
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, eq=False, repr=False)
class Request:
    """What is sent: `body` goes out as JSON; a header's value may be a Secret."""

    method: str
    url: str
    headers: dict[str, str | Secret] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def revealed_headers(self) -> dict[str, str]:
        shown = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.headers.items()
        }
        if self.body is not None:
            shown["Content-Type"] = "application/json"
        return {**FIXED_HEADERS, **shown}

    def content(self) -> bytes | None:
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Answer:
    """A response whose head is read and whose status is 2xx; its body comes in pieces."""

    def __init__(self, response: httpx.Response, url: str, patience: Patience) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.url = url
        self._response = response
        self._patience = patience

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive.

        Raises:
            NetworkError: the connection was cut.
            FirstTokenTimeout, IncompleteAnswer: nothing came in time.
        """
        coming = self._response.aiter_raw()
        try:
            while True:
                piece = await self._patience.wait(anext(coming, b""))
                if not piece:
                    return
                yield piece
        except httpx.HTTPError as error:
            raise network_error(error, self.url) from error
        finally:
            await coming.aclose()

    async def body(self, cap: int) -> bytes:
        """The whole body; what lies past `cap` bytes is left unread."""
        held = bytearray()
        async for piece in self.pieces():
            held += piece
            if len(held) > cap:
                break
        return bytes(held[:cap])


class Client:
    """Connections to one endpoint, kept for the next request; `profile` says how to connect.

    They belong to the event loop that asked for them: another one gets new ones.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self._profile = profile
        self._url = url
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __del__(self) -> None:
        if self._http is not None and self._loop is not None:
            close_soon(self._http, self._loop)

    @asynccontextmanager
    async def open(self, request: Request, patience: Patience) -> AsyncIterator[Answer]:
        """Send a request; the answer is closed when the block is left.

        Raises:
            EasyLLMError: any status but 2xx, by its class; NetworkError when none came.
        """
        http = self._client()
        try:
            made = http.build_request(
                request.method,
                request.url,
                headers=request.revealed_headers(),
                content=request.content(),
                extensions={"trace": patience.trace},
            )
        except httpx.InvalidURL as error:
            raise ConfigError(f"the endpoint is no usable URL: {error}") from None
        try:
            response = await patience.wait(http.send(made, stream=True))
        except httpx.HTTPError as error:
            patience.stop()
            raise network_error(error, request.url, self._proxy_address()) from error
        try:
            answer = Answer(response, request.url, patience)
            await _accept(answer)
            yield answer
        finally:
            patience.stop()
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection. The client may be used again afterwards."""
        http, self._http = self._http, None
        if http is None or self._loop is None:
            return
        if self._loop is asyncio.get_running_loop():
            await close_now(http)
        else:
            close_soon(http, self._loop)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._http is None or self._http.is_closed or self._loop is not loop:
            try:
                http = httpx.AsyncClient(
                    verify=self._trust(),
                    proxy=self._profile.proxy,
                    trust_env=self._uses_environment(),
                    follow_redirects=False,
                    timeout=httpx.Timeout(None, connect=self._profile.timeout.connect),
                )
            except (ValueError, ImportError) as error:
                raise ConfigError(f"the proxy cannot be used: {error}") from None
            self._http, self._loop = http, loop
            close_with_loop(http)
        return self._http

    def _trust(self) -> ssl.SSLContext | bool:
        """Which certificates are trusted: loading the system's costs 23 ms, so https:// only."""
        if self._profile.ca_bundle:
            try:
                return ssl.create_default_context(cafile=self._profile.ca_bundle)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"ca_bundle cannot be read: {error.strerror or error}",
                    where=self._profile.ca_bundle,
                ) from None
        if self._url.startswith("https://") or self._proxied():
            return True
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nothing, so https fails closed

    def _uses_environment(self) -> bool:
        """The proxy variables count unless the profile names a proxy; never for this machine."""
        own_authorities = bool(os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"))
        return self._profile.proxy is None and not is_loopback(self._url) and (
            own_authorities or bool(_proxy_from_environment(self._url))
        )  # fmt: skip

    def _proxied(self) -> bool:
        return bool(self._proxy_address())

    def _proxy_address(self) -> str:
        """Host and port of the proxy in use, without its user name; "" = none."""
        proxy = self._profile.proxy
        if proxy is None and not is_loopback(self._url):
            proxy = _proxy_from_environment(self._url)
        return urlsplit(proxy).netloc.rpartition("@")[2] or proxy if proxy else ""


def _proxy_from_environment(url: str) -> str:
    """The proxy that the usual variables name for this URL; "" = none."""
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXY_VARIABLES):
        return ""
    import urllib.request as system

    proxies = system.getproxies_environment()
    parts = urlsplit(url)
    if system.proxy_bypass_environment(parts.hostname or ""):  # type: ignore[attr-defined]
        return ""
    return proxies.get(parts.scheme) or proxies.get("all") or ""


async def _accept(answer: Answer) -> None:
    """Raise for everything that is no answer: any status but 2xx, and a compressed body."""
    if not 200 <= answer.status < 300:
        try:
            body = await answer.body(ERROR_BODY_CAP)
        except NetworkError:
            body = b""  # the status alone tells enough
        raise from_response(answer.status, answer.headers, body)
    encoding = answer.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", ""}:
        raise MalformedAnswer(f"the server sent {encoding} although we asked for plain bytes")
