"""Where a provider is reached: the profile's endpoint, its variable, or the built-in address."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..vendors import VENDORS, get_endpoint_variable, get_vendor
from .profile import Profile

OLLAMA_PORT = 11434
# What vendors' pages show behind the base URL: people paste the whole. `/models` alone may be the
# base itself (Azure's inference service), so only behind a version.
REQUEST_PATH_PATTERNS = {
    "openai": r"(?:/chat/completions|/responses|(?<=/v\d)/(?:models|completions|chat))$",
    "gemini": r"/models(?:/[^/]+)?$",
    "ollama": r"/(?:api|v1)/(?:chat|generate|tags|show|chat/completions|models|completions)$",
}


@dataclass(frozen=True)
class Endpoint:
    """A base URL without a slash at its end, and the variable that named it ("" = none did).

    The URL is "" where nothing names one and the provider needs none (litellm).
    """

    url: str
    variable: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def resolve_endpoint(profile: Profile) -> Endpoint:
    """The profile's endpoint, else its provider's variable, else the provider's own address.

    Raises:
        ConfigError: no http(s) URL, a user name or password in it, or none is known.
    """
    name = profile.provider or ""
    variable = ""
    raw = profile.endpoint
    if raw is None:
        variable = get_endpoint_variable(name)
        raw = os.environ.get(variable, "").strip()
        if not raw:
            variable = ""
            raw = get_vendor(name).base_url
            if not raw and name in VENDORS:
                return Endpoint("")  # litellm knows where each vendor is
            if not raw:
                raise ConfigError(
                    f"no endpoint is known for {name}",
                    hint=f"set endpoint in the profile, or {get_endpoint_variable(name)}",
                )
    adapter = get_vendor(name).adapter
    if adapter == "ollama":
        raw = parse_ollama_host(strip_request_path(raw, adapter))
    return Endpoint(
        strip_request_path(validate_base_url(raw, variable or "endpoint"), adapter), variable
    )


def strip_request_path(url: str, adapter: str) -> str:
    """The base URL, where somebody gave the whole of what a request goes to."""
    pattern = REQUEST_PATH_PATTERNS.get(
        "openai" if adapter in ("openrouter", "litellm") else adapter
    )
    return re.sub(pattern, "", url.rstrip("/")) if pattern and "?" not in url else url


def validate_base_url(url: str, setting_name: str) -> str:
    """The URL without trailing slashes.

    Raises:
        ConfigError: it is no http(s) URL, or holds a user name or password.
    """
    shown = url.rpartition("@")[2][:80]  # never the user name or password before it
    try:
        parts = urlsplit(url)
        _ = parts.port
        if not url.isprintable() or " " in url:  # urlsplit drops them, who connects does not
            raise ValueError
    except ValueError:
        raise ConfigError(f"{setting_name} is no usable URL", where=shown) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f'{setting_name} = "{shown}" is no URL', hint="it begins with http:// or https://"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"{setting_name} holds a user name or password",
            hint="name the key with api_key_env instead",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"{setting_name} has a query", where=parts.netloc, hint="leave out ? and #"
        )
    return url.rstrip("/")


def parse_ollama_host(text: str) -> str:
    """Every form that Ollama's own OLLAMA_HOST takes (WIRE §3h), as a native base URL.

    A missing scheme means port 11434, http:// alone port 80, https:// alone port 443; a bad port
    the default one; 0.0.0.0 and :: are addresses to bind, so loopback is called; `/v1` and
    `/api` are dropped where they are the last part of the path.
    """
    text = text.strip().strip("\"'").strip()
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "http", text
    address, _, path = rest.partition("/")
    if "@" in address:
        return f"{scheme}://{rest}"  # refused by `checked`, which says why
    host, port = _split_host_port(address)
    default = {"http": 80, "https": 443}.get(scheme, OLLAMA_PORT) if found else OLLAMA_PORT
    if not found and host == "ollama.com":
        scheme, default = "https", 443
    if not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65536:
        port = str(default)
    if host in {"", "0.0.0.0", "::"}:
        host = "127.0.0.1"
    path = path.rstrip("/")
    for last in ("v1", "api"):
        if path == last or path.endswith("/" + last):
            path = path[: -len(last)].rstrip("/")
    written = f"[{host}]" if ":" in host else host
    usual = {"http": "80", "https": "443"}.get(scheme)
    return f"{scheme}://{written}{'' if port == usual else ':' + port}{path and '/' + path}"


def _split_host_port(address: str) -> tuple[str, str]:
    """Splits `h`, `h:5`, `:5`, `[::1]`, `[::1]:5` and a bare IPv6 address."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, port.removeprefix(":")
    if address.count(":") > 1:
        return address, ""
    host, _, port = address.partition(":")
    return host, port
