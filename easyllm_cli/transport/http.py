"""Transport that uses httpx2 directly: `transport = "http"`, the default.

This is the only file that imports httpx2.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx

from ..config.profile import Profile
from ..errors import ConfigError
from .base import Request, Response, open_response, rejecting_cookie_jar
from .connections import LoopBoundClient, report_local_close
from .network import NetworkSettings
from .timeouts import ResponseTimer


class HTTPTransport:
    """Connects to one endpoint with the profile's network settings and keeps the connections.

    Connections belong to their event loop; another loop gets new ones. Their number is not
    limited, because a request that waits for a free connection would look like a slow server.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self._network = NetworkSettings(profile, url)
        network = self._network  # a closure over self would keep the connections open

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
                from .network_errors import proxy_error  # errors only

                raise proxy_error(error) or error from None

        self._http_client = LoopBoundClient(connect)

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Send a request and give its response; leaving the block closes it.

        Raises:
            EasyLLMError: the subclass for the status, unless it is 2xx.
            NetworkError: no response came.
            ConfigError: the endpoint or the proxy is not valid.
        """
        client = self._http_client.get()
        timer.start_connecting(self._network.connect_timeout)
        try:
            http_request = _build_request(client, request, timer)
        except httpx.InvalidURL as error:
            raise ConfigError(f"the endpoint is not a valid URL: {error}") from None
        with report_local_close(client):
            try:
                http_response = await timer.wait(client.send(http_request, stream=True))
            except Exception as error:
                from .network_errors import is_http_client_error, network_error  # errors only

                if not is_http_client_error(error):
                    raise
                raise network_error(error, request.url, self._network.proxy_address) from error
            async with open_response(http_response, request.url, timer) as response:
                yield response

    async def aclose(self) -> None:
        """Close every connection. The transport can be used again afterwards."""
        await self._http_client.aclose()


def load_http_client() -> None:
    """Import what the first request would import, so that its time does not count as an answer's.

    httpx2 imports two thirds of it (60 ms) when a client is made.
    """
    httpx.AsyncClient(verify=False, trust_env=False)


def default_tls_context(network: NetworkSettings) -> ssl.SSLContext:
    """Return a context with the certificates that httpx2 trusts by default, for another client."""
    return httpx.create_ssl_context(trust_env=network.uses_environment())


def _build_request(
    client: httpx.AsyncClient, request: Request, timer: ResponseTimer
) -> httpx.Request:
    """Build the httpx2 request. A `resolved_address` replaces the host in the URL only; the Host
    header and TLS still use the host's name."""
    url = httpx.URL(request.url)
    host_header: dict[str, str] = {}
    extensions: dict[str, Any] = {"trace": timer.trace}
    if request.resolved_address:
        host_header["Host"] = url.netloc.decode("ascii")
        extensions["sni_hostname"] = url.raw_host.decode("ascii")  # for the certificate check
        url = url.copy_with(host=request.resolved_address)
    return client.build_request(
        request.method,
        url,
        headers={**request.reveal_headers(), **host_header},
        content=request.encode_body(),
        extensions=extensions,
    )
