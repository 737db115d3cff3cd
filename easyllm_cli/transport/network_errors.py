"""What went wrong on the way to a server: an exception of the HTTP client becomes our error."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..config.endpoints import is_loopback
from ..errors import ConfigError, EasyLLMError, NetworkError

# How a handshake that was still waiting for the server looks: no failure of TLS, but a timeout.
TLS_WAIT_ERRORS = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
# h11's words for a header that it will not write; it refuses other things in the same class.
BAD_HEADER_PATTERN = re.compile(r"(?i)\bheader\b|content-length|transfer-encoding")


def iter_causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it came from, groups opened (anyio tries several addresses)."""
    seen: list[BaseException] = [error]
    for current in seen:
        yield current
        inner = [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            inner += current.exceptions
        seen += [cause for cause in inner if cause is not None and cause not in seen]


def is_httpx_error(error: BaseException) -> bool:
    """Whether an exception is an HTTP client's own: told by name, since openai 2.x brings httpx,
    3.x httpx2, and both call theirs the same. h11's own, for a body that is longer than a header
    says, comes through both as it is."""
    class_names = {cls.__name__ for cls in type(error).__mro__}
    return bool(class_names & {"HTTPError", "LocalProtocolError"})


def proxy_error(error: Exception) -> ConfigError | None:
    """The error for a proxy that an HTTP client could not be made with; None = it is another one.

    An InvalidURL is told by name, as above.
    """
    if isinstance(error, ValueError | ImportError) or type(error).__name__ == "InvalidURL":
        return ConfigError(
            f"the proxy cannot be used: {error}", hint="it is like http://host:port", code="proxy"
        )
    return None


def network_error(error: BaseException, url: str, proxy: str = "") -> EasyLLMError:
    """Why no answer came from `url`; `proxy` is the address of the proxy used, if any.

    A NetworkError, its `code` the part of the way: name, refused, tls, connect, proxy or None; a
    ConfigError where a header of ours is none.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    via = f" through the proxy {proxy}" if proxy else ""
    chain = list(iter_causes(error))
    if any(map(_is_bad_header, chain)):
        return ConfigError("a header of the request cannot be sent", hint="check headers")
    for cause in chain:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, TLS_WAIT_ERRORS):
            return _tls_error(cause, host, via)
        if isinstance(cause, socket.gaierror):
            # A proxy looks the server's name up: what we cannot find is the proxy.
            looked_up = f"{proxy} (the proxy)" if proxy else str(parts.hostname)
            return _name_lookup_error(looked_up, temporary=cause.errno == socket.EAI_AGAIN)
        if isinstance(cause, ConnectionRefusedError):
            return _refused_error(f"{host}{via}", proxy, is_local=is_loopback(url))
    class_names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    if "ConnectTimeout" in class_names:
        message = f"no connection to {host} in time{via}"
        return NetworkError(message, hint="check the network", code="connect")
    if "ProxyError" in class_names:
        message = f"the proxy {proxy} failed: {error}"
        return NetworkError(message, hint="check the proxy", code="proxy")
    if "ConnectError" in class_names:
        message = f"cannot connect to {host}{via}: {_innermost_message(chain)}"
        return NetworkError(message, code="connect")
    if any("Receive buffer too long" in str(cause) for cause in chain):  # h11's own words
        message = f"the HTTP headers that {host} sends{via} are too long"
        return NetworkError(message, retryable=False)
    return NetworkError(f"{host} closed the connection{via}", hint="try again")


def _refused_error(where: str, proxy: str, is_local: bool) -> NetworkError:
    return NetworkError(
        f"nothing listens at {where}",
        hint="is the proxy running?" if proxy else "is the server running?",
        # Nobody starts a local server between two attempts.
        retryable=not is_local or bool(proxy),
        code="proxy" if proxy else "refused",
    )


def _is_bad_header(error: BaseException) -> bool:
    return type(error).__name__ == "LocalProtocolError" and bool(
        BAD_HEADER_PATTERN.search(str(error))
    )


def _name_lookup_error(host: str, temporary: bool) -> NetworkError:
    """A host that does not exist, or, `again`, whose name could not be looked up just now."""
    if temporary:
        return NetworkError(
            f"the name of {host} could not be looked up", hint="check the network", code="name"
        )
    return NetworkError(
        f"no such host: {host}", hint="check the spelling", retryable=False, code="name"
    )


def _tls_error(cause: ssl.SSLError, host: str, via: str) -> NetworkError:
    """A certificate that is not trusted, or a server that speaks no TLS, is never retried; a
    handshake that was cut is (DESIGN §5)."""
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return NetworkError(
            f"{host} closed the connection before TLS was agreed on{via}",
            hint="try again; is it https://?",
            code="tls",
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NetworkError(
            f"the certificate of {host} is not trusted{via}: {cause.verify_message}",
            hint="set ca_bundle in the profile if the server has an authority of its own",
            retryable=False,
            code="tls",
        )
    if "RECORD_LAYER" in str(cause.reason) or "WRONG_VERSION" in str(cause.reason):
        return NetworkError(
            f"{host} does not speak TLS{via}", hint="is it http://?", retryable=False, code="tls"
        )
    message = f"TLS failed with {host}{via}: {cause.reason}"
    return NetworkError(message, retryable=False, code="tls")


def _innermost_message(chain: list[BaseException]) -> str:
    """The system's own words for the innermost failure."""
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(chain[0]) or type(chain[0]).__name__
