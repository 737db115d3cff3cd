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

from ..config.credentials import refuse_plain
from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import AuthError, ConfigError, EasyLLMError, MalformedAnswer, NetworkError
from ..vendors import VENDORS
from .base import ERROR_BODY_CAP, Answer, Request, refuse_compressed
from .network import Route
from .network_errors import network_error
from .response_errors import from_response, shortened
from .timeouts import Patience


async def in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces; an empty one ends them. Raises what the iterator raises.

    A blocking call cannot be interrupted: who leaves early must end the iterator himself. The
    thread is a daemon, so that one which nobody ends does not hold up the process.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def hand_over(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(came.put_nowait, item)

    def read() -> None:
        last: bytes | Exception = b""
        try:
            for piece in pieces:
                hand_over(piece)
        except Exception as error:
            last = error
        hand_over(last)

    threading.Thread(target=read, name="easyllm-sdk", daemon=True).start()
    while item := await came.get():
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

REST = language.GenerativeServiceClient.get_transport_class("rest")
VERSION = "/v1beta"  # the one that this client speaks
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
NO_KEY_HINT = "export GEMINI_API_KEY=your-key, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
KEY_HEADERS = ("x-goog-api-key", "authorization")
MOMENT = 1.0  # seconds that the thread waits longer than we do, so that it ends by itself


class GoogleCarrier:
    """Calls of one endpoint; each has a thread and a connection of its own."""

    def __init__(self, profile: Profile, endpoint: Endpoint) -> None:
        """Raises ConfigError for an endpoint of another version than v1beta."""
        if not endpoint.url.endswith(VERSION):
            raise ConfigError(
                f'transport = "sdk" speaks {VERSION[1:]} only',
                where=endpoint.url,
                hint=f"let the endpoint end in {VERSION}, or leave transport out",
            )
        self.profile = profile
        self.endpoint = endpoint
        self.route = Route(profile, endpoint.url)
        self._found: Any = None
        self._looking = threading.Lock()

    @asynccontextmanager
    async def open(self, request: Request, patience: Patience) -> AsyncIterator[Answer]:
        """Start the call; what fails is raised where its frames are read.

        Raises:
            EasyLLMError: by the status and words of the server's answer.
            AuthError: no key, and no application-default credentials.
        """
        loop = asyncio.get_running_loop()

        def sent() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(patience.sent)

        patience.connecting(max(self.route.connect, patience.first_token))  # and fetching a token
        call = _Call(self, request, patience, sent)
        try:
            yield Answer(200, {}, request.url, in_thread(call.frames()), patience)
        finally:
            patience.stop()
            call.stop()

    async def aclose(self) -> None:
        """Nothing to close: connections end with their calls."""

    def credentials(self, request: Request, token_request: Any) -> Any:
        """Nobody's where the request names a key, else the application's default ones.

        Like a provider's key, a token goes to Google's own host, or to the endpoint that
        Google's variable names; to any other none is sent.
        """
        own = self.endpoint.host in VENDORS["gemini"].hosts or self.endpoint.variable
        if not own or any(name.lower() in KEY_HEADERS for name in request.headers):
            return AnonymousCredentials()
        refuse_plain(self.profile, self.endpoint)
        with self._looking:
            if self._found is None:
                self._found, _ = google.auth.default(scopes=SCOPES, request=token_request)
        return self._found


class _Call:
    """One request, made and read in a thread; `stop` ends it from outside, `sent` is told when
    the request is out."""

    def __init__(
        self,
        carrier: GoogleCarrier,
        request: Request,
        patience: Patience,
        sent: Callable[[], None],
    ) -> None:
        self.carrier = carrier
        self.request = request
        self.seconds = max(patience.first_token, patience.idle) + MOMENT
        self.sent = sent
        self._session: _Session | None = None
        self.stopped = threading.Event()

    def frames(self) -> Iterator[bytes]:
        """A streamed answer as server-sent events, anything else as one body.

        Raises:
            EasyLLMError: by its class; what is neither google's nor requests' as it is.
        """
        came = False  # known here: the event loop may not have read the frame yet
        try:
            with _Session(self) as self._session:
                for frame in self._answer(self._session):
                    came = True
                    yield frame
        except Exception as error:
            ours = _translated(error, self.carrier)
            if ours is None and came:  # what came may be no more than a part
                ours = NetworkError("the list of frames ended too early")
            if ours is not None:
                raise ours from error

    def stop(self) -> None:
        """A thread that reads the answer finds its end; one that waits for it gives up then."""
        self.stopped.set()
        if self._session is not None:
            self._session.hang_up()

    def _answer(self, session: _Session) -> Iterator[bytes]:
        if self.request.body is None:
            yield session.get(self.request.url).content
            return
        base = self.carrier.endpoint.url
        name, _, verb = self.request.url.removeprefix(f"{base}/models/").partition(":")
        asked = _message({"model": f"models/{unquote(name)}", **self.request.body})
        rest = REST(host=base.removesuffix(VERSION), credentials=AnonymousCredentials())
        rest._session = session  # its own follows redirects and sends thrice
        if not verb.startswith("stream"):
            yield _json(rest.generate_content(asked))
            return
        for frame in rest.stream_generate_content(asked):
            yield b"data: " + _json(frame) + b"\n\n"


class _Session(AuthorizedSession):  # type: ignore[misc]  # untyped where it is not installed
    """One request: no redirect, no second try after a 401, a refusal in our own words."""

    def __init__(self, call: _Call) -> None:
        tokens = TokenRequest()
        _lead(tokens.session, call.carrier.route)
        found = call.carrier.credentials(call.request, tokens)
        super().__init__(found, refresh_status_codes=(), auth_request=tokens)
        _lead(self, call.carrier.route)
        for adapter in self.adapters.values():
            _tell(adapter, call.sent)
        self._sent = call.request  # its key is revealed where it is sent: see openai_sdk
        self._limits = (call.carrier.route.connect, call.seconds)
        self._stopped = call.stopped
        self._answer: Any = None

    def request(
        self, method: str, url: str, data: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        """The response to one request; raises EasyLLMError for any status but 2xx."""
        options |= {"timeout": self._limits, "allow_redirects": False, "stream": True}
        self._refuse_if_left()  # while a token was fetched
        self._answer = answer = super().request(
            method, url, data, {**(headers or {}), **self._sent.revealed_headers()}, **options
        )
        self._refuse_if_left()
        named = {name.lower(): value for name, value in answer.headers.items()}
        if not 200 <= answer.status_code < 300:
            body = bytearray()
            with suppress(OSError):  # cut: the status alone tells enough
                for piece in answer.iter_content(65536):
                    body += piece
                    if len(body) >= ERROR_BODY_CAP:
                        break
            raise from_response(answer.status_code, named, bytes(body))
        refuse_compressed(named)
        return answer

    def _refuse_if_left(self) -> None:
        if self._stopped.is_set():
            raise NetworkError("nobody waits for the answer any more")

    def hang_up(self) -> None:
        """From another thread: whoever reads the answer finds its end."""
        if self._answer is not None:
            with suppress(Exception):  # it may be over, in any of several ways
                self._answer.raw.shutdown()

    def close(self) -> None:
        """The connection too, of an answer that was not read to its end."""
        if self._answer is not None:
            self._answer.close()
        super().close()


def _lead(session: Any, route: Route) -> None:
    """Make a session of `requests` go the profile's way, and read no other variables."""
    session.headers["Connection"] = "close"  # urllib3 ends a kept one with its pool, who knows when
    session.trust_env = False  # its own reading takes a key from ~/.netrc, too
    session.proxies = {"http": route.proxy, "https": route.proxy} if route.proxy else {}
    if route.ca_bundle:
        route.trust()  # raises for one that cannot be read
    session.verify = route.ca_bundle or os.environ.get("SSL_CERT_FILE") or True


def _tell(adapter: Any, sent: Callable[[], None]) -> None:
    """Make an adapter of `requests` call `sent` whenever a request is out: connected, through a
    proxy too, and written."""
    find = getattr(adapter, "get_connection_with_tls_context", None)
    if find is None:  # requests before 2.32: connecting counts as waiting
        sent()
        return

    def telling(*args: Any, **options: Any) -> Any:
        pool = find(*args, **options)

        class Telling(pool.ConnectionCls):  # type: ignore[misc, name-defined]  # of urllib3
            def getresponse(self, *args: Any, **options: Any) -> Any:
                sent()
                return super().getresponse(*args, **options)

        pool.ConnectionCls = Telling
        return pool

    adapter.get_connection_with_tls_context = telling


def _message(body: dict[str, Any]) -> Any:
    """The request as the client's own message.

    Raises:
        ConfigError: it holds what that client does not know.
    """
    try:
        return language.GenerateContentRequest.from_json(json.dumps(body))
    except ParseError as error:
        words = shortened(str(error).partition("\n")[0])
        raise ConfigError(
            f"google-generativeai cannot send this: {words}",
            hint='leave it out, or use transport = "http"',
        ) from None


def _json(message: Any) -> bytes:
    """A message in the words of the REST API, as our decoder reads them."""
    return str(MessageToJson(type(message).pb(message), indent=None)).encode()


def _translated(error: Exception, carrier: GoogleCarrier) -> Exception | None:
    """Our error for one of google's or requests'; None = the list of frames just ended."""
    url, words = carrier.endpoint.url, shortened(str(error).partition("\n")[0])
    match error:
        case EasyLLMError():
            return error
        case exceptions.DefaultCredentialsError():
            return AuthError(f"no key, and no application-default ones: {words}", hint=NO_KEY_HINT)
        case exceptions.TransportError():
            return NetworkError(f"no token for application-default credentials: {words}")
        case exceptions.GoogleAuthError():
            return AuthError(f"application-default credentials were refused: {words}")
        case OSError():  # every failure of requests is one
            return network_error(error, url, carrier.route.proxy_address)
        case ValueError() if str(error).startswith("Unfinished stream"):
            return None
        case ValueError() | ParseError():
            return MalformedAnswer(
                f"{url} did not answer as Gemini does", hint="check the endpoint in the profile"
            )
    return error
