"""Chooses the proxy, the trusted CA certificates and the connect timeout for a URL."""

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
    """Proxy, TLS and timeout for one URL, from the profile and the environment.

    `connect_timeout`: seconds for each step of connecting. `profile_proxy`: the profile's proxy
    URL, "" = no proxy, None = use the environment's.
    """

    def __init__(self, profile: Profile, url: str) -> None:
        self.url = url
        self.ca_bundle = profile.ca_bundle
        self.connect_timeout = profile.timeout.connect
        self.profile_proxy = profile.proxy
        self._proxy_secrets = _find_proxy_secrets(profile.proxy or "")

    @cached_property
    def proxy(self) -> str:
        """The URL of the proxy in use, "" = none: the profile's, else the environment's.

        The environment's proxy is not used for this machine.
        """
        if self.profile_proxy is not None or is_loopback(self.url):
            return self.profile_proxy or ""
        proxy = _proxy_from_environment(self.url)
        self._proxy_secrets = _find_proxy_secrets(proxy)
        return proxy

    @property
    def proxy_address(self) -> str:
        """Host and port of the proxy in use, without its credentials; "" = none."""
        return (urlsplit(self.proxy).netloc or self.proxy).rpartition("@")[2]

    def tls_verification(self) -> ssl.SSLContext | bool:
        """Return the SSL context of ca_bundle, else True for the default certificates.

        For http:// an empty context, since loading the default certificates takes 23 ms.
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
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nothing, so https would fail

    def uses_environment(self) -> bool:
        """Return whether the HTTP client reads proxy and CA variables; never for this machine."""
        if self.profile_proxy is not None or is_loopback(self.url):
            return False
        own_authorities = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        return bool(own_authorities or self.proxy)


def _find_proxy_secrets(proxy: str) -> list[Secret]:
    """Return the proxy's password as Secrets, so that it is redacted from every text.

    A user name without a password is taken for a token if it is as long as one.
    """
    login = proxy.rpartition("@")[0].rpartition("://")[2]
    name, _, password = login.partition(":")
    secret = password or (name if len(name) >= LONG_KEY_CHARS else "")
    return [Secret(secret), Secret(unquote(secret))]


def _proxy_from_environment(url: str) -> str:
    """Return the proxy that the environment names for this URL; "" = none."""
    if not any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXY_VARIABLES):
        return ""
    import urllib.request as system

    proxies = system.getproxies_environment()
    parts = urlsplit(url)
    if system.proxy_bypass_environment(parts.hostname or ""):  # type: ignore[attr-defined]
        return ""
    return proxies.get(parts.scheme) or proxies.get("all") or ""
