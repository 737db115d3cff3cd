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
from .base import Request, Response, open_response, rejecting_cookie_jar
from .connections import LoopBoundClient, report_local_close
from .network import NetworkSettings
from .network_errors import is_httpx_error, network_error, proxy_error
from .timeouts import ResponseTimer


class HTTPTransport:
    """Connections to one endpoint, kept for the next request; `profile` says how to connect.

    They belong to the event loop that asked for them: another one gets new ones. There is no
    limit to their number: a request that waited for its turn would look like a slow server.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self._network = NetworkSettings(profile, url)
        network = self._network  # not self: the connections end when nobody holds the client

        def connect() -> httpx.AsyncClient:
            try:
                return httpx.AsyncClient(
                    verify=network.tls_verification(),
                    proxy=network.profile_proxy or None,
                    trust_env=network.uses_environment(),
                    follow_redirects=False,
                    cookies=rejecting_cookie_jar(),
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
                    timeout=httpx.Timeout(None, connect=network.connect_timeout),
                )
            except Exception as error:
                raise proxy_error(error) or error from None

        self._http_client = LoopBoundClient(connect)

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Send a request; the answer is closed when the block is left.

        Raises:
            EasyLLMError: any status but 2xx, by its class; NetworkError when none came.
        """
        client = self._http_client.get()
        timer.start_connecting(self._network.connect_timeout)
        try:
            http_request = _build_request(client, request, timer)
        except httpx.InvalidURL as error:
            raise ConfigError(f"the endpoint is no usable URL: {error}") from None
        with report_local_close(client):
            try:
                http_response = await timer.wait(client.send(http_request, stream=True))
            except Exception as error:
                if not is_httpx_error(error):
                    raise
                raise network_error(error, request.url, self._network.proxy_address) from error
            async with open_response(http_response, request.url, timer) as response:
                yield response

    async def aclose(self) -> None:
        """Close every connection. The client may be used again afterwards."""
        await self._http_client.aclose()


def _build_request(
    client: httpx.AsyncClient, request: Request, timer: ResponseTimer
) -> httpx.Request:
    """The request; with an address of its own it goes there, under the host's name all the same."""
    url = httpx.URL(request.url)
    host_header: dict[str, str] = {}
    extensions: dict[str, Any] = {"trace": timer.trace}
    if request.resolved_address:
        host_header["Host"] = url.netloc.decode("ascii")
        extensions["sni_hostname"] = url.raw_host.decode("ascii")  # for the certificate, too
        url = url.copy_with(host=request.resolved_address)
    return client.build_request(
        request.method,
        url,
        headers={**request.reveal_headers(), **host_header},
        content=request.encode_body(),
        extensions=extensions,
    )
