"""Route: how a server is reached: through which proxy, trusting which authorities (DESIGN §8)."""

from __future__ import annotations

import os
import ssl
from functools import cached_property
from urllib.parse import unquote, urlsplit

from ..config.endpoints import is_loopback
from ..config.profile import Profile
from ..errors import ConfigError
from ..secret import LONG_KEY_CHARS, Secret

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


class NetworkSettings:
    """The way to one URL, as the profile and the usual variables say.

    `proxy`: the proxy's URL, "" = none; `connect`: seconds that a connection may take.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self.url = url
        self.ca_bundle = profile.ca_bundle
        self.connect_timeout = profile.timeout.connect
        self.profile_proxy = profile.proxy
        self._proxy_secrets = _find_proxy_secrets(profile.proxy or "")

    @cached_property
    def proxy(self) -> str:
        """The profile's, where "" is none, else the one the variables name; never one to this
        machine by those."""
        if self.profile_proxy is not None or is_loopback(self.url):
            return self.profile_proxy or ""
        proxy = _proxy_from_environment(self.url)
        self._proxy_secrets = _find_proxy_secrets(proxy)
        return proxy

    @property
    def proxy_address(self) -> str:
        """Host and port of the proxy in use, without its user name; "" = none."""
        return (urlsplit(self.proxy).netloc or self.proxy).rpartition("@")[2]

    def tls_verification(self) -> ssl.SSLContext | bool:
        """Which certificates are trusted: loading the system's costs 23 ms, so https:// only.

        Raises:
            ConfigError: ca_bundle cannot be read.
        """
        if self.ca_bundle:
            try:
                return ssl.create_default_context(cafile=self.ca_bundle)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"ca_bundle cannot be read: {error.strerror or error}",
                    where=self.ca_bundle,
                    code="tls",
                ) from None
        if self.url.startswith("https://") or self.proxy:
            return True
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nothing, so https fails closed

    def uses_environment(self) -> bool:
        """The proxy variables count unless the profile names a proxy; never for this machine."""
        if self.profile_proxy is not None or is_loopback(self.url):
            return False
        own_authorities = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        return bool(own_authorities or self.proxy)


def _find_proxy_secrets(proxy: str) -> list[Secret]:
    """The password at a proxy, so that it is cut out of every text; of a token alone the token.

    A name alone that is as short as people's is no token.
    """
    login = proxy.rpartition("@")[0].rpartition("://")[2]
    name, _, password = login.partition(":")
    secret = password or (name if len(name) >= LONG_KEY_CHARS else "")
    return [Secret(secret), Secret(unquote(secret))]


def _proxy_from_environment(url: str) -> str:
    """The proxy that the usual variables name for this URL; "" = none."""
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXY_VARIABLES):
        return ""
    import urllib.request as system

    proxies = system.getproxies_environment()
    parts = urlsplit(url)
    if system.proxy_bypass_environment(parts.hostname or ""):  # type: ignore[attr-defined]
        return ""
    return proxies.get(parts.scheme) or proxies.get("all") or ""
