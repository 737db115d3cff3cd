"""Converts an HTTP client's exceptions into EasyLLMErrors, mostly NetworkError."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import TypeGuard
from urllib.parse import urlsplit

from ..config.endpoints import is_loopback
from ..errors import ConfigError, EasyLLMError, NetworkError

# A TLS handshake was still waiting for the server: a timeout, not a TLS failure.
TLS_WAIT_ERRORS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
# h11's messages for a header that it refuses to send; the same exception class has other uses.
BAD_HEADER_PATTERN = re.compile(r"(?i)\bheader\b|content-length|transfer-encoding")
# The class names of httpx and of aiohttp, by the step that failed.
CONNECT_TIMEOUTS = frozenset(("ConnectTimeout", "ConnectionTimeoutError"))
CONNECT_ERRORS = frozenset(("ConnectError", "ClientConnectorError"))
PROXY_ERRORS = frozenset(("ProxyError", "ClientHttpProxyError"))
# The messages of h11 and of aiohttp for response headers over their limits.
LONG_HEADERS_PATTERN = re.compile("Receive buffer too long|Got more than|Too many headers")


def iter_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, its causes and contexts, and the members of exception groups.

    anyio raises a group when it has tried several addresses.
    """
    seen: list[BaseException] = [error]
    for current in seen:
        yield current
        inner = [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            inner += current.exceptions
        seen += [cause for cause in inner if cause is not None and cause not in seen]


def is_http_client_error(error: BaseException) -> bool:
    """Return whether an exception is one of aiohttp, httpx, httpx2 or h11, by its class name.

    openai 2.x uses httpx and 3.x httpx2; both use the same names. Neither wraps h11's
    LocalProtocolError for a body longer than its Content-Length.
    """
    class_names = {cls.__name__ for cls in type(error).__mro__}
    return bool(class_names & {"ClientError", "HTTPError", "LocalProtocolError"})


def proxy_error(error: Exception) -> ConfigError | None:
    """Return a ConfigError if creating an HTTP client failed because of the proxy, else None.

    InvalidURL is recognized by name, since httpx and httpx2 each have one.
    """
    if isinstance(error, ValueError | ImportError) or type(error).__name__ == "InvalidURL":
        return ConfigError(
            f"the proxy cannot be used: {error}",
            hint="write it like http://host:port",
            code="proxy",
        )
    return None


def network_error(error: BaseException, url: str, proxy: str = "") -> EasyLLMError:
    """Return our error for a request to `url` that got no response.

    `proxy`: host and port of the proxy in use, "" = none.
    The result is a NetworkError whose `code` is the step that failed: name, refused, tls, connect,
    proxy or None. It is a ConfigError if a header of ours cannot be sent.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    via = f" through the proxy {proxy}" if proxy else ""
    chain = list(iter_causes(error))
    if any(map(_is_bad_header, chain)):
        return ConfigError("a header of the request cannot be sent", hint="check headers")
    for cause in chain:
        if _is_tls_failure(cause):
            return _tls_error(cause, host, via)
        if isinstance(cause, socket.gaierror):
            # With a proxy we look up only the proxy's name.
            looked_up = f"{proxy} (the proxy)" if proxy else str(parts.hostname)
            return _name_lookup_error(looked_up, temporary=cause.errno == socket.EAI_AGAIN)
        if isinstance(cause, ConnectionRefusedError):
            return _refused_error(f"{host}{via}", proxy, is_local=is_loopback(url))
    class_names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    if class_names & CONNECT_TIMEOUTS:
        message = f"no connection to {host} in time{via}"
        return NetworkError(message, hint="check the network", code="connect")
    if class_names & PROXY_ERRORS:
        message = f"the proxy {proxy} failed: {_proxy_message(error)}"
        return NetworkError(message, hint="check the proxy", code="proxy")
    if class_names & CONNECT_ERRORS:
        if parts.scheme == "https" and any(
            isinstance(cause, ConnectionResetError) for cause in chain
        ):
            return _tls_error(ssl.SSLEOFError(), host, via)  # asyncio's error for a cut handshake
        message = f"cannot connect to {host}{via}: {_innermost_message(chain)}"
        return NetworkError(message, code="connect")
    if any(LONG_HEADERS_PATTERN.search(str(cause)) for cause in chain):
        message = f"the HTTP headers that {host} sends{via} are too long"
        return NetworkError(message, retryable=False)
    return NetworkError(f"{host} closed the connection{via}", hint="try again")


def _is_tls_failure(error: BaseException) -> TypeGuard[ssl.SSLError]:
    """Return whether it is OpenSSL's error. Some of aiohttp's are SSLErrors without its fields."""
    is_waiting = isinstance(error, TLS_WAIT_ERRORS)
    return isinstance(error, ssl.SSLError) and not is_waiting and not is_http_client_error(error)


def _proxy_message(error: BaseException) -> str:
    """Return the status of the proxy's response; the text of aiohttp's error holds its URL."""
    status = getattr(error, "status", None)
    return f"{status} {getattr(error, 'message', '')}" if status else str(error)


def _refused_error(where: str, proxy: str, is_local: bool) -> NetworkError:
    return NetworkError(
        f"nothing listens at {where}",
        hint="is the proxy running?" if proxy else "is the server running?",
        # A local server is unlikely to start between two attempts.
        retryable=not is_local or bool(proxy),
        code="proxy" if proxy else "refused",
    )


def _is_bad_header(error: BaseException) -> bool:
    return type(error).__name__ == "LocalProtocolError" and bool(
        BAD_HEADER_PATTERN.search(str(error))
    )


def _name_lookup_error(host: str, temporary: bool) -> NetworkError:
    """Return the error for a host that does not exist or, if `temporary`, a failed lookup."""
    if temporary:
        return NetworkError(
            f"the name of {host} could not be looked up", hint="check the network", code="name"
        )
    return NetworkError(
        f"no such host: {host}",
        hint="check the spelling and the network",
        retryable=False,
        code="name",
    )


def _tls_error(cause: ssl.SSLError, host: str, via: str) -> NetworkError:
    """Return the error for a TLS failure. Only a handshake that was cut is retryable."""
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return NetworkError(
            f"{host} closed the connection during the TLS handshake{via}",
            hint="try again; is https:// right for this endpoint?",
            code="tls",
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NetworkError(
            f"the certificate of {host} is not trusted{via}: {cause.verify_message}",
            hint="set ca_bundle in the profile if the server uses a private certificate authority",
            retryable=False,
            code="tls",
        )
    if "RECORD_LAYER" in str(cause.reason) or "WRONG_VERSION" in str(cause.reason):
        return NetworkError(
            f"{host} does not speak TLS{via}",
            hint="is the endpoint http:// instead?",
            retryable=False,
            code="tls",
        )
    message = f"TLS failed with {host}{via}: {cause.reason}"
    return NetworkError(message, retryable=False, code="tls")


def _innermost_message(chain: list[BaseException]) -> str:
    """Return the operating system's message for the innermost error."""
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(chain[0]) or type(chain[0]).__name__
