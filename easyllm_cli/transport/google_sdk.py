"""Transport for Gemini that runs Google's blocking REST client in a thread.

The client is `google.ai.generativelanguage` of the package google-generativeai, which Google
stopped supporting on 2025-11-30. It supports application-default credentials, but not thinking,
seed or errors inside a stream. Its low-level client is used because `GenerativeModel` delays every
chunk until the next one has come (observed with google-generativeai 0.8.6).
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote

from ..config.credentials import refuse_key_over_http
from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import AuthError, ConfigError, EasyLLMError, MalformedAnswer, NetworkError
from ..vendors import VENDORS
from .base import MAX_ERROR_BODY_BYTES, Request, Response, refuse_compressed
from .network import NetworkSettings
from .network_errors import network_error
from .response_errors import error_from_response, redact_and_shorten
from .timeouts import ResponseTimer


async def iterate_in_thread(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Run a blocking iterator in a thread and yield its chunks; an empty chunk is the end.

    Raises what the iterator raises. A caller that stops early must end the iterator itself,
    because a blocking call cannot be interrupted. The thread is a daemon, so that it cannot keep
    the process alive.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def enqueue(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(items.put_nowait, item)

    def read() -> None:
        end: bytes | Exception = b""
        try:
            for chunk in chunks:
                enqueue(chunk)
        except Exception as error:
            end = error
        enqueue(end)

    threading.Thread(target=read, name="easyllm-sdk", daemon=True).start()
    while item := await items.get():
        if isinstance(item, Exception):
            raise item
        yield item


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the packages' deprecation warnings
    import google.auth
    from google.ai import generativelanguage as language
    from google.auth import exceptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession
    from google.auth.transport.requests import Request as TokenRequest
    from google.protobuf.json_format import MessageToJson, ParseError

GoogleRestTransport = language.GenerativeServiceClient.get_transport_class("rest")
API_VERSION_PATH = "/v1beta"  # the only version that this client supports
OAUTH_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
NO_KEY_HINT = "export GEMINI_API_KEY=your-key, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
KEY_HEADERS = ("x-goog-api-key", "authorization")
# The thread's read timeout is this much longer than ours, so that ours comes first and the
# thread still ends by itself.
THREAD_GRACE_SECONDS = 1.0


class GoogleTransport:
    """Transport for Gemini through Google's SDK; each request has its own thread and connection."""

    def __init__(self, profile: Profile, endpoint: Endpoint) -> None:
        """Raises ConfigError unless the endpoint ends in /v1beta."""
        if not endpoint.url.endswith(API_VERSION_PATH):
            raise ConfigError(
                f'transport = "sdk" supports {API_VERSION_PATH[1:]} only',
                where=endpoint.url,
                hint=f"end the endpoint in {API_VERSION_PATH}, or leave transport out",
            )
        self.profile = profile
        self.endpoint = endpoint
        self.network = NetworkSettings(profile, endpoint.url)
        self._default_credentials: Any = None
        self._credentials_lock = threading.Lock()

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Start the request in a thread; errors are raised when the response's bytes are read.

        Raises:
            EasyLLMError: the subclass for the server's status and error message.
            AuthError: no key and no application-default credentials.
        """
        loop = asyncio.get_running_loop()

        def notify_sent() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(timer.mark_sent)

        # Connecting includes fetching a token, which may take longer than connect_timeout.
        timer.start_connecting(max(self.network.connect_timeout, timer.first_token))
        call = _ThreadedRequest(self, request, timer, notify_sent)
        try:
            yield Response(200, {}, request.url, iterate_in_thread(call.iter_frames()), timer)
        finally:
            timer.stop()
            call.stop()

    async def aclose(self) -> None:
        """Do nothing: each request closes its own connection."""

    def resolve_credentials(self, request: Request, token_request: Any) -> Any:
        """Return anonymous credentials if the request has a key, else application-default ones.

        A token is sent only to Google's own host or to the endpoint that Google's environment
        variable names; for any other endpoint the credentials are anonymous.
        Raises:
            ConfigError: a token would go over http:// to another machine.
        """
        may_send_token = self.endpoint.host in VENDORS["gemini"].hosts or self.endpoint.variable
        if not may_send_token or any(name.lower() in KEY_HEADERS for name in request.headers):
            return AnonymousCredentials()
        refuse_key_over_http(self.profile, self.endpoint)
        with self._credentials_lock:
            if self._default_credentials is None:
                self._default_credentials, _ = google.auth.default(
                    scopes=OAUTH_SCOPES, request=token_request
                )
        return self._default_credentials


class _ThreadedRequest:
    """One request, sent and read in a thread. `on_sent` is called once the request is sent."""

    def __init__(
        self,
        transport: GoogleTransport,
        request: Request,
        timer: ResponseTimer,
        on_sent: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.request = request
        self.read_timeout_seconds = max(timer.first_token, timer.idle) + THREAD_GRACE_SECONDS
        self.on_sent = on_sent
        self._session: _Session | None = None
        self.stopped = threading.Event()

    def iter_frames(self) -> Iterator[bytes]:
        """Yield a streamed response as server-sent events, any other response as one body.

        Raises:
            EasyLLMError: the translated error of google's packages or of requests; other
                exceptions pass unchanged.
        """
        has_frame = False  # kept here, since the event loop may not have read the frame yet
        try:
            with _Session(self) as self._session:
                for frame in self._iter_response(self._session):
                    has_frame = True
                    yield frame
        except Exception as error:
            translated = _translate_error(error, self.transport)
            if translated is None and has_frame:  # the answer may be incomplete
                translated = NetworkError("the stream ended too early")
            if translated is not None:
                raise translated from error

    def stop(self) -> None:
        """End the thread: at once while it reads the response, else when the response arrives."""
        self.stopped.set()
        if self._session is not None:
            self._session.shut_down_response()

    def _iter_response(self, session: _Session) -> Iterator[bytes]:
        if self.request.body is None:
            yield session.get(self.request.url).content
            return
        base_url = self.transport.endpoint.url
        model, _, verb = self.request.url.removeprefix(f"{base_url}/models/").partition(":")
        message = _message_from_body({"model": f"models/{unquote(model)}", **self.request.body})
        rest_transport = GoogleRestTransport(
            host=base_url.removesuffix(API_VERSION_PATH), credentials=AnonymousCredentials()
        )
        # The default session follows redirects and retries after a 401.
        rest_transport._session = session
        if not verb.startswith("stream"):
            yield _json_from_message(rest_transport.generate_content(message))
            return
        for frame in rest_transport.stream_generate_content(message):
            yield b"data: " + _json_from_message(frame) + b"\n\n"


class _Session(AuthorizedSession):  # type: ignore[misc]  # untyped if not installed
    """An HTTP session for one request: no redirects, no retry after a 401, our own errors."""

    def __init__(self, threaded_request: _ThreadedRequest) -> None:
        token_request = TokenRequest()
        _configure_session(token_request.session, threaded_request.transport.network)
        credentials = threaded_request.transport.resolve_credentials(
            threaded_request.request, token_request
        )
        super().__init__(credentials, refresh_status_codes=(), auth_request=token_request)
        _configure_session(self, threaded_request.transport.network)
        for adapter in self.adapters.values():
            _notify_when_sent(adapter, threaded_request.on_sent)
        # The key stays a Secret until it is sent: see _current_request in openai_sdk.py.
        self._api_request = threaded_request.request
        self._timeouts = (
            threaded_request.transport.network.connect_timeout,
            threaded_request.read_timeout_seconds,
        )
        self._stopped = threaded_request.stopped
        self._response: Any = None

    def request(
        self, method: str, url: str, data: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        """Return the response to one request. Raises EasyLLMError for any status but 2xx."""
        options |= {"timeout": self._timeouts, "allow_redirects": False, "stream": True}
        self._raise_if_stopped()  # it may have been stopped while a token was fetched
        self._response = response = super().request(
            method, url, data, {**(headers or {}), **self._api_request.reveal_headers()}, **options
        )
        self._raise_if_stopped()
        response_headers = {name.lower(): value for name, value in response.headers.items()}
        if not 200 <= response.status_code < 300:
            body = bytearray()
            with suppress(OSError):  # cut: the error is built from the status alone
                for chunk in response.iter_content(65536):
                    body += chunk
                    if len(body) >= MAX_ERROR_BODY_BYTES:
                        break
            raise error_from_response(response.status_code, response_headers, bytes(body))
        refuse_compressed(response_headers)
        return response

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise NetworkError("the request was cancelled")

    def shut_down_response(self) -> None:
        """End the response for its reader; called from another thread."""
        if self._response is not None:
            with suppress(Exception):  # the response may have ended already
                self._response.raw.shutdown()

    def close(self) -> None:
        """Close the session and the connection of a response that was not read to its end."""
        if self._response is not None:
            self._response.close()
        super().close()


def _configure_session(session: Any, network: NetworkSettings) -> None:
    """Apply the profile's proxy and CA settings to a session of `requests`."""
    session.headers["Connection"] = "close"  # urllib3 closes a kept one only with its pool
    session.trust_env = False  # else requests would also send a password from ~/.netrc
    session.proxies = {"http": network.proxy, "https": network.proxy} if network.proxy else {}
    if network.ca_bundle:
        network.tls_verification()  # raises ConfigError if it cannot be read
    session.verify = network.ca_bundle or os.environ.get("SSL_CERT_FILE") or True


def _notify_when_sent(adapter: Any, on_sent: Callable[[], None]) -> None:
    """Make an adapter of `requests` call `on_sent` after it has connected and sent a request."""
    get_connection = getattr(adapter, "get_connection_with_tls_context", None)
    if get_connection is None:  # before requests 2.32: connecting counts as waiting
        on_sent()
        return

    def get_notifying_connection(*args: Any, **options: Any) -> Any:
        pool = get_connection(*args, **options)

        class NotifyingConnection(pool.ConnectionCls):  # type: ignore[misc, name-defined]
            def getresponse(self, *args: Any, **options: Any) -> Any:
                on_sent()
                return super().getresponse(*args, **options)

        pool.ConnectionCls = NotifyingConnection
        return pool

    adapter.get_connection_with_tls_context = get_notifying_connection


def _message_from_body(body: dict[str, Any]) -> Any:
    """Return the request body as a protobuf message.

    Raises:
        ConfigError: the body has a field that google-generativeai does not know.
    """
    try:
        return language.GenerateContentRequest.from_json(json.dumps(body))
    except ParseError as error:
        detail = redact_and_shorten(str(error).partition("\n")[0])
        raise ConfigError(
            f"google-generativeai cannot send this: {detail}",
            hint='leave it out, or set transport = "http"',
        ) from None


def _json_from_message(message: Any) -> bytes:
    """Return a message as the REST API's JSON, which our decoder reads."""
    return str(MessageToJson(type(message).pb(message), indent=None)).encode()


def _translate_error(error: Exception, transport: GoogleTransport) -> Exception | None:
    """Return our error for one of google's or requests'; None = the stream ended too early."""
    url, detail = transport.endpoint.url, redact_and_shorten(str(error).partition("\n")[0])
    match error:
        case EasyLLMError():
            return error
        case exceptions.DefaultCredentialsError():
            return AuthError(
                f"no key and no application-default credentials: {detail}", hint=NO_KEY_HINT
            )
        case exceptions.TransportError():
            return NetworkError(f"no token for application-default credentials: {detail}")
        case exceptions.GoogleAuthError():
            return AuthError(f"application-default credentials were refused: {detail}")
        case OSError():  # the base class of all errors of requests
            return network_error(error, url, transport.network.proxy_address)
        case ValueError() if str(error).startswith("Unfinished stream"):
            return None
        case ValueError() | ParseError():
            return MalformedAnswer(
                f"the response from {url} is not a Gemini response",
                hint="check the endpoint in the profile",
            )
    return error
