"""OpenAI's SDK as a carrier: `openai` sends the request, our own parser reads the raw answer.

The SDK adds headers from OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS and others to
every address (WIRE §1h), so a client of ours sends only what it is told to. One form serves
openai 2.x, which brings httpx, and 3.x, which brings httpx2: neither is named here.
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
from .base import ERROR_BODY_CAP, Answer, Request, accept, accepted, no_cookies
from .connections import Connections, telling_who_closed
from .network import Route
from .network_errors import causes, is_http_error, network_error, unusable_proxy
from .response_errors import from_response, shortened
from .timeouts import Patience

AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
# What the SDK itself asks for when a raw response is to be streamed (SPIKES a).
RAW = {"X-Stainless-Raw-Response": "stream"}
# Headers of the HTTP client's and the SDK's making that reach the server; all others are ours.
FROM_THE_SDK = ("host", "accept", "connection", "content-length", "transfer-encoding")
NO_KEY = "unused"  # the SDK takes no client without one; it never leaves this process

# What this task sends, for the hooks of the HTTP client: (request, whether to Azure, patience).
# Its key is revealed where it is written and nowhere before: a variable of a frame is in reports of
# errors that show such variables.
_sending: ContextVar[tuple[Request, bool, Patience]] = ContextVar("sending")


class OpenAICarrier:
    """Connections of one SDK client: our own, or `client`, which a library user made."""

    def __init__(self, profile: Profile, endpoint: Endpoint, client: Any = None) -> None:
        """Raises ConfigError when `client` is no AsyncOpenAI."""
        if client is not None and not isinstance(client, AsyncOpenAI):
            raise ConfigError(
                f"client is a {type(client).__name__}, and an AsyncOpenAI is needed",
                hint="use openai.AsyncOpenAI or openai.AsyncAzureOpenAI",
            )
        self._given: AsyncOpenAI | None = client
        self._own: tuple[Any, AsyncOpenAI] | None = None  # with the HTTP client below it
        self._endpoint = endpoint
        self._options = profile.options or {}
        self._route = route = Route(profile, endpoint.url)
        # Not self: connections end when nobody holds the carrier.
        self._connections = Connections(lambda: _http_client(route))

    @asynccontextmanager
    async def open(self, request: Request, patience: Patience) -> AsyncIterator[Answer]:
        """Send a request; the answer is closed when the block is left.

        Raises:
            EasyLLMError: any status but 2xx, by its class; NetworkError when none came.
            ConfigError: the client cannot be made, or cannot send.
        """
        with self._telling_who_closed():
            response = await self._send(request, patience)
            async with accepted(response, request.url, patience) as answer:
                yield answer

    def _telling_who_closed(self) -> AbstractContextManager[None]:
        """A client that was handed in is closed by nobody here."""
        return telling_who_closed(self._connections.client()) if not self._given else nullcontext()

    async def aclose(self) -> None:
        """Close our own client's connections; one that was handed in stays as it is."""
        self._own = None
        await self._connections.aclose()

    async def _send(self, request: Request, patience: Patience) -> Any:
        """The HTTP client's response, whose body is not read; what fails becomes our error."""
        sending = _sending.set((request, self._is_azure, patience))
        try:
            client = self._given or self._client()
            if self._given is None:  # whose HTTP client tells us what it does
                patience.connecting(self._route.connect)
            made: Any = await patience.wait(self._coming(client, request))
        except Exception as error:
            patience.stop()
            ours = self._translated(error, request)
            if ours is None or ours is error:
                raise
            raise ours from error
        finally:
            _sending.reset(sending)
        return made.http_response

    def _coming(self, client: AsyncOpenAI, request: Request) -> Any:
        """The SDK's call, to be awaited."""
        # The path alone where it lies below the endpoint: Azure's client rewrites paths.
        path = request.url.removeprefix(self._endpoint.url)
        options: Any = {
            "max_retries": 0,
            "timeout": Timeout(None, connect=self._route.connect),
            "follow_redirects": False,
            "headers": RAW if self._given is None else {**request.revealed_headers(), **RAW},
        }
        if request.method == "GET":
            return client.get(path, cast_to=object, options=options)
        return client.post(path, cast_to=object, body=request.body, options=options)

    def _translated(self, error: Exception, request: Request) -> EasyLLMError | None:
        """Our error for one of the SDK's; None for what is neither ours nor the SDK's."""
        for cause in causes(error):
            if isinstance(cause, EasyLLMError):
                return cause  # openai 2.x wraps what a hook of ours raises
        if isinstance(error, APIStatusError):  # a client that was handed in: it has no hook
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return from_response(
                error.status_code, headers, error.response.content[:ERROR_BODY_CAP]
            )
        if isinstance(error, APIConnectionError) or is_http_error(error):
            return network_error(error.__cause__ or error, request.url, self._route.proxy_address)
        if type(error).__name__ == "InvalidURL":
            return ConfigError(f"the endpoint is no usable URL: {error}")
        if isinstance(error, OpenAIError):
            return ConfigError(f"the client cannot send: {shortened(str(error))}")
        return None

    def _client(self) -> AsyncOpenAI:
        """Our own client, over the running loop's connections.

        Raises:
            ConfigError: the proxy, ca_bundle or Azure's API version.
        """
        http = self._connections.client()
        if self._own is None or self._own[0] is not http:
            known: Any = {"api_key": NO_KEY, "max_retries": 0, "http_client": http}
            base = self._endpoint.url
            if not self._is_azure:
                self._own = http, AsyncOpenAI(base_url=base, **known)
            else:
                base += "" if base.endswith("/openai") or "/openai/" in base else "/openai"
                version = self._api_version()
                self._own = http, AsyncAzureOpenAI(base_url=base, api_version=version, **known)
        return self._own[1]

    @property
    def _is_azure(self) -> bool:
        """Azure's classic API, by its host; its newer one (…/v1) speaks plain OpenAI."""
        return self._endpoint.host.endswith(AZURE_HOSTS) and not self._endpoint.url.endswith("/v1")

    def _api_version(self) -> str:
        """Azure's API version: the profile's option, else the SDK's own variable."""
        named = self._options.get("api_version") or os.environ.get("OPENAI_API_VERSION", "").strip()
        if not isinstance(named, str) or not named:
            raise ConfigError(
                "Azure needs an API version",
                hint='options = { api_version = "2024-10-21" } in the profile, or '
                "export OPENAI_API_VERSION=2024-10-21",
            )
        return named


def _http_client(route: Route) -> Any:
    """The SDK's own kind of HTTP client, reached and watched as ours is.

    Raises:
        ConfigError: the proxy or ca_bundle.
    """
    try:
        return DefaultAsyncHttpxClient(
            verify=route.trust(),
            proxy=route.named_proxy or None,
            trust_env=route.uses_environment(),
            follow_redirects=False,
            cookies=no_cookies(),
            timeout=Timeout(None, connect=route.connect),
            event_hooks={"request": [_only_ours], "response": [_judged]},
        )
    except Exception as error:
        raise unusable_proxy(error) or error from None


async def _only_ours(made: Any) -> None:
    """The request as it leaves: our headers, and of the SDK's only what names no one."""
    request, to_azure, patience = _sending.get()
    for name in list(made.headers):
        if name.lower() not in FROM_THE_SDK and not name.lower().startswith("x-stainless-"):
            del made.headers[name]
    made.headers.update(_revealed(request, to_azure))
    made.extensions["trace"] = patience.trace


def _revealed(request: Request, to_azure: bool) -> dict[str, str]:
    """The headers as they are sent; Azure's classic API has a header of its own for the key."""
    sent = request.revealed_headers()
    if to_azure and "Authorization" in sent:
        sent["api-key"] = sent.pop("Authorization").removeprefix("Bearer ")
    return sent


async def _judged(response: Any) -> None:
    """A refusal is read here, where its size is bounded: the SDK would read all of it."""
    request, _, patience = _sending.get()
    if response.status_code >= 300:
        coming = response.aiter_raw()
        await accept(Answer(response.status_code, response.headers, request.url, coming, patience))
