"""Google's REST client as a carrier: `google.ai.generativelanguage` in a thread, frame by frame.

It comes with google-generativeai, whose life ended on 2025-11-30: it knows no thinking, no seed
and no error inside a stream, but application-default credentials. The calls are those of its
low-level client (SPIKES b: `GenerativeModel` holds a chunk back).
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
    """The same pieces; an empty one ends them. Raises what the iterator raises.

    A blocking call cannot be interrupted: who leaves early must end the iterator himself. The
    thread is a daemon, so that one which nobody ends does not hold up the process.
    """
    loop = asyncio.get_running_loop()
    items: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def enqueue(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
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
    warnings.simplefilter("ignore")  # its farewell, and google.api_core's about Python's age
    import google.auth
    from google.ai import generativelanguage as language
    from google.auth import exceptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.transport.requests import AuthorizedSession
    from google.auth.transport.requests import Request as TokenRequest
    from google.protobuf.json_format import MessageToJson, ParseError

GoogleRestTransport = language.GenerativeServiceClient.get_transport_class("rest")
API_VERSION_PATH = "/v1beta"  # the one that this client speaks
OAUTH_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
NO_KEY_HINT = "export GEMINI_API_KEY=your-key, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
KEY_HEADERS = ("x-goog-api-key", "authorization")
THREAD_GRACE_SECONDS = (
    1.0  # seconds that the thread waits longer than we do, so that it ends by itself
)


class GoogleTransport:
    """Calls of one endpoint; each has a thread and a connection of its own."""

    def __init__(self, profile: Profile, endpoint: Endpoint) -> None:
        """Raises ConfigError for an endpoint of another version than v1beta."""
        if not endpoint.url.endswith(API_VERSION_PATH):
            raise ConfigError(
                f'transport = "sdk" speaks {API_VERSION_PATH[1:]} only',
                where=endpoint.url,
                hint=f"let the endpoint end in {API_VERSION_PATH}, or leave transport out",
            )
        self.profile = profile
        self.endpoint = endpoint
        self.network = NetworkSettings(profile, endpoint.url)
        self._default_credentials: Any = None
        self._credentials_lock = threading.Lock()

    @asynccontextmanager
    async def open(self, request: Request, timer: ResponseTimer) -> AsyncIterator[Response]:
        """Start the call; what fails is raised where its frames are read.

        Raises:
            EasyLLMError: by the status and words of the server's answer.
            AuthError: no key, and no application-default credentials.
        """
        loop = asyncio.get_running_loop()

        def notify_sent() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(timer.mark_sent)

        timer.start_connecting(
            max(self.network.connect_timeout, timer.first_token)
        )  # and fetching a token
        call = _ThreadedRequest(self, request, timer, notify_sent)
        try:
            yield Response(200, {}, request.url, iterate_in_thread(call.iter_frames()), timer)
        finally:
            timer.stop()
            call.stop()

    async def aclose(self) -> None:
        """Nothing to close: connections end with their calls."""

    def resolve_credentials(self, request: Request, token_request: Any) -> Any:
        """Nobody's where the request names a key, else the application's default ones.

        Like a provider's key, a token goes to Google's own host, or to the endpoint that
        Google's variable names; to any other none is sent.
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
    """One request, made and read in a thread; `stop` ends it from outside, `sent` is told when
    the request is out."""

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
        """A streamed answer as server-sent events, anything else as one body.

        Raises:
            EasyLLMError: by its class; what is neither google's nor requests' as it is.
        """
        has_frame = False  # known here: the event loop may not have read the frame yet
        try:
            with _Session(self) as self._session:
                for frame in self._iter_response(self._session):
                    has_frame = True
                    yield frame
        except Exception as error:
            translated = _translate_error(error, self.transport)
            if translated is None and has_frame:  # what came may be no more than a part
                translated = NetworkError("the list of frames ended too early")
            if translated is not None:
                raise translated from error

    def stop(self) -> None:
        """A thread that reads the answer finds its end; one that waits for it gives up then."""
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
        rest_transport._session = session  # its own follows redirects and sends thrice
        if not verb.startswith("stream"):
            yield _json_from_message(rest_transport.generate_content(message))
            return
        for frame in rest_transport.stream_generate_content(message):
            yield b"data: " + _json_from_message(frame) + b"\n\n"


class _Session(AuthorizedSession):  # type: ignore[misc]  # untyped where it is not installed
    """One request: no redirect, no second try after a 401, a refusal in our own words."""

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
        self._api_request = (
            threaded_request.request
        )  # its key is revealed where it is sent: see openai_sdk
        self._timeouts = (
            threaded_request.transport.network.connect_timeout,
            threaded_request.read_timeout_seconds,
        )
        self._stopped = threaded_request.stopped
        self._response: Any = None

    def request(
        self, method: str, url: str, data: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        """The response to one request; raises EasyLLMError for any status but 2xx."""
        options |= {"timeout": self._timeouts, "allow_redirects": False, "stream": True}
        self._raise_if_stopped()  # while a token was fetched
        self._response = response = super().request(
            method, url, data, {**(headers or {}), **self._api_request.reveal_headers()}, **options
        )
        self._raise_if_stopped()
        response_headers = {name.lower(): value for name, value in response.headers.items()}
        if not 200 <= response.status_code < 300:
            body = bytearray()
            with suppress(OSError):  # cut: the status alone tells enough
                for chunk in response.iter_content(65536):
                    body += chunk
                    if len(body) >= MAX_ERROR_BODY_BYTES:
                        break
            raise error_from_response(response.status_code, response_headers, bytes(body))
        refuse_compressed(response_headers)
        return response

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise NetworkError("nobody waits for the answer any more")

    def shut_down_response(self) -> None:
        """From another thread: whoever reads the answer finds its end."""
        if self._response is not None:
            with suppress(Exception):  # it may be over, in any of several ways
                self._response.raw.shutdown()

    def close(self) -> None:
        """The connection too, of an answer that was not read to its end."""
        if self._response is not None:
            self._response.close()
        super().close()


def _configure_session(session: Any, network: NetworkSettings) -> None:
    """Make a session of `requests` go the profile's way, and read no other variables."""
    session.headers["Connection"] = "close"  # urllib3 ends a kept one with its pool, who knows when
    session.trust_env = False  # its own reading takes a key from ~/.netrc, too
    session.proxies = {"http": network.proxy, "https": network.proxy} if network.proxy else {}
    if network.ca_bundle:
        network.tls_verification()  # raises for one that cannot be read
    session.verify = network.ca_bundle or os.environ.get("SSL_CERT_FILE") or True


def _notify_when_sent(adapter: Any, on_sent: Callable[[], None]) -> None:
    """Make an adapter of `requests` call `sent` whenever a request is out: connected, through a
    proxy too, and written."""
    get_connection = getattr(adapter, "get_connection_with_tls_context", None)
    if get_connection is None:  # requests before 2.32: connecting counts as waiting
        on_sent()
        return

    def get_notifying_connection(*args: Any, **options: Any) -> Any:
        pool = get_connection(*args, **options)

        class NotifyingConnection(pool.ConnectionCls):  # type: ignore[misc, name-defined]  # of urllib3
            def getresponse(self, *args: Any, **options: Any) -> Any:
                on_sent()
                return super().getresponse(*args, **options)

        pool.ConnectionCls = NotifyingConnection
        return pool

    adapter.get_connection_with_tls_context = get_notifying_connection


def _message_from_body(body: dict[str, Any]) -> Any:
    """The request as the client's own message.

    Raises:
        ConfigError: it holds what that client does not know.
    """
    try:
        return language.GenerateContentRequest.from_json(json.dumps(body))
    except ParseError as error:
        detail = redact_and_shorten(str(error).partition("\n")[0])
        raise ConfigError(
            f"google-generativeai cannot send this: {detail}",
            hint='leave it out, or use transport = "http"',
        ) from None


def _json_from_message(message: Any) -> bytes:
    """A message in the words of the REST API, as our decoder reads them."""
    return str(MessageToJson(type(message).pb(message), indent=None)).encode()


def _translate_error(error: Exception, transport: GoogleTransport) -> Exception | None:
    """Our error for one of google's or requests'; None = the list of frames just ended."""
    url, detail = transport.endpoint.url, redact_and_shorten(str(error).partition("\n")[0])
    match error:
        case EasyLLMError():
            return error
        case exceptions.DefaultCredentialsError():
            return AuthError(f"no key, and no application-default ones: {detail}", hint=NO_KEY_HINT)
        case exceptions.TransportError():
            return NetworkError(f"no token for application-default credentials: {detail}")
        case exceptions.GoogleAuthError():
            return AuthError(f"application-default credentials were refused: {detail}")
        case OSError():  # every failure of requests is one
            return network_error(error, url, transport.network.proxy_address)
        case ValueError() if str(error).startswith("Unfinished stream"):
            return None
        case ValueError() | ParseError():
            return MalformedAnswer(
                f"{url} did not answer as Gemini does", hint="check the endpoint in the profile"
            )
    return error
