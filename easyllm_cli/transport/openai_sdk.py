"""Transport through the `openai` package, our client or the user's, for OpenAI and Azure.

The SDK adds headers from OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS and others for
any endpoint (observed with openai 2.54 and 3.54), so our own client removes them. The code imports
neither httpx (used by openai 2.x) nor httpx2 (3.x), and works with both.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    OpenAIError,
    Timeout,
)

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import ConfigError, EasyLLMError
from ..vendors import VENDORS
from .base import (
    MAX_ERROR_BODY_BYTES,
    Request,
    Response,
    open_response,
    raise_for_status,
    rejecting_cookie_jar,
    with_lower_names,
)
from .connections import LoopBoundClient, report_local_close
from .network import NetworkSettings
from .network_errors import is_http_client_error, iter_causes, network_error, proxy_error
from .response_errors import error_from_response, redact_and_shorten
from .timeouts import ResponseTimer

# The header with which the SDK itself requests a raw streamed response.
RAW_RESPONSE_HEADERS = {"X-Stainless-Raw-Response": "stream"}
# Headers of the HTTP client or the SDK that are still sent; all other headers are ours.
ALLOWED_SDK_HEADERS = ("host", "accept", "connection", "content-length", "transfer-encoding")
SDK_PLACEHOLDER_KEY = "unused"  # the SDK requires a key; this one is never sent

# The task's request for the HTTP client's hooks, as (request, whether to Azure, timer). The key is
# revealed only when it is sent: error reports can show the local variables of a traceback.
_current_request: ContextVar[tuple[Request, bool, ResponseTimer]] = ContextVar("sending")


class OpenAITransport:
    """Sends requests with an SDK client: `client` of the library's user, or else our own."""

    def __init__(self, profile: Profile, endpoint: Endpoint, client: Any = None) -> None:
        """Raises ConfigError if `client` is not an AsyncOpenAI."""
        if client is not None and not isinstance(client, AsyncOpenAI):
            raise ConfigError(
                f"client must be an AsyncOpenAI, not {type(client).__name__}",
                hint="use openai.AsyncOpenAI or openai.AsyncAzureOpenAI",
            )
        self._user_client: AsyncOpenAI | None = client
        self._own_clients: tuple[Any, AsyncOpenAI] | None = None  # (its HTTP client, itself)
        self._endpoint = endpoint
        self._options = profile.options or {}
        self._network = network = NetworkSettings(profile, endpoint.url)
        # A closure over self would keep the connections open.
        self._http_client = LoopBoundClient(lambda: _create_http_client(network))

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Send a request and give its response; leaving the block closes it.

        Raises:
            EasyLLMError: the subclass for the status, unless it is 2xx.
            NetworkError: no response came.
            ConfigError: the client cannot be created, or cannot send.
        """
        with self._report_local_close():
            http_response = await self._send(request, timer)
            async with open_response(http_response, request.url, timer) as response:
                yield response

    def _report_local_close(self) -> AbstractContextManager[None]:
        """Return report_local_close for our own client, nullcontext for the user's client."""
        return (
            report_local_close(self._http_client.get()) if not self._user_client else nullcontext()
        )

    async def aclose(self) -> None:
        """Close our own client's connections; the user's client stays open."""
        self._own_clients = None
        await self._http_client.aclose()

    async def _send(self, request: Request, timer: ResponseTimer) -> Any:
        """Send a request and return the HTTP client's response with its body unread."""
        context_token = _current_request.set((request, self._is_azure, timer))
        try:
            client = self._user_client or self._get_own_client()
            if self._user_client is None:  # only our own HTTP client calls timer.trace
                timer.start_connecting(self._network.connect_timeout)
            raw_response: Any = await timer.wait(self._call_sdk(client, request))
        except Exception as error:
            timer.stop()
            translated = self._translate_error(error, request)
            if translated is None or translated is error:
                raise
            raise translated from error
        finally:
            _current_request.reset(context_token)
        return raw_response.http_response

    def _call_sdk(self, client: AsyncOpenAI, request: Request) -> Any:
        """Return the SDK's call as an awaitable."""
        # Only the path, if the URL is below the endpoint: Azure's client rewrites paths.
        path = request.url.removeprefix(self._endpoint.url)
        options: Any = {
            "max_retries": 0,
            "timeout": Timeout(None, connect=self._network.connect_timeout),
            "follow_redirects": False,
            "headers": RAW_RESPONSE_HEADERS
            if self._user_client is None
            else {**request.reveal_headers(), **RAW_RESPONSE_HEADERS},
        }
        if request.method == "GET":
            return client.get(path, cast_to=object, options=options)
        return client.post(path, cast_to=object, body=request.body, options=options)

    def _translate_error(self, error: Exception, request: Request) -> EasyLLMError | None:
        """Return our error for one of the SDK's or ours, None for any other exception."""
        for cause in iter_causes(error):
            if isinstance(cause, EasyLLMError):
                return cause  # openai 2.x wraps the exceptions of our hooks
        if isinstance(error, APIStatusError):  # the user's client: it has no hooks
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return error_from_response(
                error.status_code, headers, error.response.content[:MAX_ERROR_BODY_BYTES]
            )
        if isinstance(error, APIConnectionError) or is_http_client_error(error):
            return network_error(error.__cause__ or error, request.url, self._network.proxy_address)
        if type(error).__name__ == "InvalidURL":
            return ConfigError(f"the endpoint is not a valid URL: {error}")
        if isinstance(error, OpenAIError):
            return ConfigError(f"the SDK cannot send the request: {redact_and_shorten(str(error))}")
        return None

    def _get_own_client(self) -> AsyncOpenAI:
        """Return our own SDK client, with the running loop's HTTP client.

        Raises:
            ConfigError: the proxy, ca_bundle or Azure's API version is missing or wrong.
        """
        http_client = self._http_client.get()
        if self._own_clients is None or self._own_clients[0] is not http_client:
            client_options: Any = {
                "api_key": SDK_PLACEHOLDER_KEY,
                "max_retries": 0,
                "http_client": http_client,
            }
            base_url = self._endpoint.url
            if not self._is_azure:
                self._own_clients = http_client, AsyncOpenAI(base_url=base_url, **client_options)
            else:
                base_url += (
                    "" if base_url.endswith("/openai") or "/openai/" in base_url else "/openai"
                )
                version = self._api_version()
                self._own_clients = (
                    http_client,
                    AsyncAzureOpenAI(base_url=base_url, api_version=version, **client_options),
                )
        return self._own_clients[1]

    @property
    def _is_azure(self) -> bool:
        """Whether the endpoint is Azure's classic API; Azure's newer one (…/v1) is plain OpenAI."""
        is_azure_host = VENDORS["azure"].has_host(self._endpoint.host)
        return is_azure_host and not self._endpoint.url.endswith("/v1")

    def _api_version(self) -> str:
        """Return Azure's API version: the profile's option, else OPENAI_API_VERSION."""
        version = (
            self._options.get("api_version") or os.environ.get("OPENAI_API_VERSION", "").strip()
        )
        if not isinstance(version, str) or not version:
            raise ConfigError(
                "Azure needs an API version",
                hint='options = { api_version = "2024-10-21" } in the profile, or '
                "export OPENAI_API_VERSION=2024-10-21",
            )
        return version


def _create_http_client(network: NetworkSettings) -> Any:
    """Create the SDK's kind of HTTP client with the network settings and our hooks.

    Raises:
        ConfigError: the proxy or ca_bundle cannot be used.
    """
    try:
        return DefaultAsyncHttpxClient(
            verify=network.tls_verification(),
            proxy=network.profile_proxy or None,
            trust_env=network.uses_environment(),
            follow_redirects=False,
            cookies=rejecting_cookie_jar(),
            timeout=Timeout(None, connect=network.connect_timeout),
            event_hooks={"request": [_rewrite_headers], "response": [_check_response]},
        )
    except Exception as error:
        raise proxy_error(error) or error from None


async def _rewrite_headers(http_request: Any) -> None:
    """Drop the SDK's headers except those that identify no account, and add ours."""
    request, to_azure, timer = _current_request.get()
    for name in list(http_request.headers):
        if name.lower() not in ALLOWED_SDK_HEADERS and not name.lower().startswith("x-stainless-"):
            del http_request.headers[name]
    http_request.headers.update(_build_headers(request, to_azure))
    http_request.extensions["trace"] = timer.trace


def _build_headers(request: Request, to_azure: bool) -> dict[str, str]:
    """Return our headers; Azure's classic API takes the key in the header api-key."""
    headers = request.reveal_headers()
    if to_azure and "Authorization" in headers:
        headers["api-key"] = headers.pop("Authorization").removeprefix("Bearer ")
    return headers


async def _check_response(http_response: Any) -> None:
    """Raise for an error status here, with a size limit: the SDK would read the whole body."""
    request, _, timer = _current_request.get()
    if http_response.status_code >= 300:
        chunks, headers = http_response.aiter_raw(), with_lower_names(http_response.headers)
        await raise_for_status(
            Response(http_response.status_code, headers, request.url, chunks, timer)
        )
