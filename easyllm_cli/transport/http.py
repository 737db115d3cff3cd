"""One HTTP client of our own: the carrier that `transport = "http"` names.

No CA bundle is loaded for http:// (DESIGN §8). This is the one file that names httpx2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx

from ..config.profile import Profile
from ..errors import ConfigError
from .base import Answer, Request, accepted, no_cookies
from .connections import Connections, telling_who_closed
from .network import Route
from .network_errors import is_http_error, network_error, unusable_proxy
from .timeouts import Patience


class Client:
    """Connections to one endpoint, kept for the next request; `profile` says how to connect.

    They belong to the event loop that asked for them: another one gets new ones. There is no
    limit to their number: a request that waited for its turn would look like a slow server.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self._route = Route(profile, url)
        route = self._route  # not self: the connections end when nobody holds the client

        def connect() -> httpx.AsyncClient:
            try:
                return httpx.AsyncClient(
                    verify=route.trust(),
                    proxy=route.named_proxy or None,
                    trust_env=route.uses_environment(),
                    follow_redirects=False,
                    cookies=no_cookies(),
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
                    timeout=httpx.Timeout(None, connect=route.connect),
                )
            except Exception as error:
                raise unusable_proxy(error) or error from None

        self._connections = Connections(connect)

    @asynccontextmanager
    async def open(self, request: Request, patience: Patience) -> AsyncIterator[Answer]:
        """Send a request; the answer is closed when the block is left.

        Raises:
            EasyLLMError: any status but 2xx, by its class; NetworkError when none came.
        """
        http = self._connections.client()
        patience.connecting(self._route.connect)
        try:
            made = _built(http, request, patience)
        except httpx.InvalidURL as error:
            raise ConfigError(f"the endpoint is no usable URL: {error}") from None
        with telling_who_closed(http):
            try:
                response = await patience.wait(http.send(made, stream=True))
            except Exception as error:
                if not is_http_error(error):
                    raise
                raise network_error(error, request.url, self._route.proxy_address) from error
            async with accepted(response, request.url, patience) as answer:
                yield answer

    async def aclose(self) -> None:
        """Close every connection. The client may be used again afterwards."""
        await self._connections.aclose()


def _built(http: httpx.AsyncClient, request: Request, patience: Patience) -> httpx.Request:
    """The request; with an address of its own it goes there, under the host's name all the same."""
    url = httpx.URL(request.url)
    named: dict[str, str] = {}
    extensions: dict[str, Any] = {"trace": patience.trace}
    if request.address:
        named["Host"] = url.netloc.decode("ascii")
        extensions["sni_hostname"] = url.raw_host.decode("ascii")  # for the certificate, too
        url = url.copy_with(host=request.address)
    return http.build_request(
        request.method,
        url,
        headers={**request.revealed_headers(), **named},
        content=request.content(),
        extensions=extensions,
    )
