"""The URL of a request, and of a proxy, as aiohttp takes them."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from urllib.parse import quote, urlsplit

from yarl import URL

from ..errors import ConfigError
from .base import FIXED_HEADERS
from .header_fields import HiddenText
from .network import NetworkSettings

# Printable ASCII characters that stay as they are in a path or a query. As in httpx2, `%` is one:
# what is quoted already is not quoted again.
UNQUOTED_CHARACTERS = "".join(set(map(chr, range(0x21, 0x7F))) - set('"#<>?`{}'))


@lru_cache(maxsize=64)
def build_request_url(url: str) -> URL:
    """Return the URL as it is sent. Raises ConfigError for one that is not valid."""
    try:
        parts = urlsplit(url)
        if not url.isprintable():
            raise ValueError("it contains a control character")
        origin = URL.build(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        path = quote(parts.path, safe=UNQUOTED_CHARACTERS)
        query = quote(parts.query, safe=UNQUOTED_CHARACTERS + "?`{}")
        return URL(f"{origin}{path}{'?' * bool(query)}{query}", encoded=True)
    except ValueError as error:
        raise ConfigError(f"the endpoint is not a valid URL: {error}") from None


def build_proxy_url(network: NetworkSettings) -> tuple[URL | None, dict[str, str]]:
    """Return the proxy in use without its login, and the headers that are for the proxy alone.

    Raises:
        ValueError: aiohttp cannot use the proxy.
    """
    address = network.proxy
    if not address:
        return None, {}
    if network.profile_proxy is None and "://" not in address:  # as variables may write it
        address = f"http://{address}"
    scheme = address.partition("://")[0]
    if scheme not in ("http", "https"):
        raise ValueError("aiohttp takes a proxy with http:// or https:// only")
    proxy = URL(address)
    if not proxy.host:
        raise ValueError("it names no host")
    headers = {"User-Agent": FIXED_HEADERS["User-Agent"]}
    if proxy.user or proxy.password:
        login = b64encode(f"{proxy.user or ''}:{proxy.password or ''}".encode()).decode()
        headers["Proxy-Authorization"] = HiddenText(f"Basic {login}")
    return proxy.with_user(None), headers
