"""Finds and checks a provider's base URL: the profile's, a variable's or the built-in one."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..frozen_dataclass import FrozenDataclass
from ..vendors import get_endpoint_variable, get_vendor
from .profile import Profile

OLLAMA_PORT = 11434
# Request paths that users paste together with the base URL, as vendors' pages show them. `/models`
# is removed only after a version: alone it may be the base (Azure AI model inference).
REQUEST_PATH_PATTERNS = {
    "openai": r"(?:/chat/completions|/responses|(?<=/v\d)/(?:models|completions|chat))$",
    "anthropic": r"(?:/+v1(?:/messages(?:/[^/]+){0,3}|/models(?:/[^/]+)?|/complete)?|/messages)$",
    "gemini": r"/models(?:/[^/]+)?$",
    "cohere": r"/v[12](?:/(?:chat|models))?$",
    "ollama": r"/(?:api|v1)/(?:chat|generate|tags|show|chat/completions|models|completions)$",
}


class Endpoint(FrozenDataclass):
    """A base URL without a trailing slash, and the variable it comes from ("" = none).

    The URL is "" when none is set and the provider needs none (litellm).
    """

    url: str
    variable: str = ""

    @property
    def host(self) -> str:
        return _host_of(self.url)


@lru_cache(maxsize=64)
def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def runs_in_process(provider: str | None) -> bool:
    """Return whether the provider's models run in this process, which has no endpoint."""
    return get_vendor(provider).adapter == "local"


def resolve_adapter(profile: Profile) -> str:
    """Return the name of the adapter whose protocol the profile's endpoint speaks."""
    vendor = get_vendor(profile.provider)
    return "anthropic" if profile.api == "anthropic" and vendor.messages_url else vendor.adapter


def _built_in_url(profile: Profile) -> str:
    """Return the base URL of the provider's protocol; "" = none is known."""
    vendor = get_vendor(profile.provider)
    is_messages = profile.api == "anthropic" and vendor.messages_url
    return vendor.messages_url if is_messages else vendor.base_url


def resolve_endpoint(profile: Profile) -> Endpoint:
    """Return the profile's endpoint, else the provider's variable, else its built-in URL.

    Raises:
        ConfigError: the URL is not http(s), has a user name or password, or none is known.
    """
    name = profile.provider or ""
    variable = ""
    raw = profile.endpoint
    if raw is None:
        variable = get_endpoint_variable(name)
        raw = os.environ.get(variable, "").strip()
        if not raw:
            variable = ""
            raw = expand_base_url(_built_in_url(profile))
            if not raw and get_vendor(name).adapter == "litellm":
                return Endpoint("")  # litellm knows each vendor's URL
            if not raw:
                raise ConfigError(
                    f"no endpoint is known for {name}",
                    hint=f"set endpoint in the profile, or {get_endpoint_variable(name)}",
                )
    adapter = resolve_adapter(profile)
    if get_vendor(name).adapter == "ollama":
        raw = parse_ollama_host(strip_request_path(raw, "ollama"))
    url = strip_request_path(validate_base_url(raw, variable or "endpoint"), adapter)
    if not urlsplit(url).path:
        url += get_vendor(name).endpoint_path
    return Endpoint(url, variable)


def expand_base_url(base_url: str) -> str:
    """Return a vendor's `base_url` with the environment variable `{NAME}` in it replaced.

    Raises:
        ConfigError: the variable is not set, or it has other characters than a region's name.
    """
    before, brace, rest = base_url.partition("{")
    if not brace:
        return base_url
    variable, _, after = rest.partition("}")
    value = os.environ.get(variable, "").strip()
    if not re.fullmatch(r"[a-z0-9-]+", value):
        raise ConfigError(
            f'{variable} = "{value[:80]}" is not a region' if value else f"{variable} is not set",
            hint=f"export {variable}=us-east-1, or set endpoint in the profile",
        )
    return before + value + after


def strip_request_path(url: str, adapter: str) -> str:
    """Cut a request path such as `/chat/completions` off the URL."""
    pattern = REQUEST_PATH_PATTERNS.get(
        "openai" if adapter in ("openrouter", "litellm") else adapter
    )
    if not pattern or "?" in url:
        return url
    return re.sub(pattern, "", url.rstrip("/")).rstrip("/")


def validate_base_url(url: str, setting_name: str) -> str:
    """Check a base URL and return it without trailing slashes.

    Raises:
        ConfigError: not an http(s) URL, or it has a user name, password, query or fragment.
    """
    shown = url.rpartition("@")[2][:80]  # never the user name or password before it
    try:
        parts = urlsplit(url)
        _ = parts.port
        if not url.isprintable() or " " in url:  # urlsplit drops some of them, HTTP clients do not
            raise ValueError
    except ValueError:
        raise ConfigError(f"{setting_name} is not a valid URL", where=shown) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f'{setting_name} = "{shown}" is not a URL', hint="begin it with http:// or https://"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"{setting_name} holds a user name or password",
            hint="set the key with api_key_env instead",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"{setting_name} has a query", where=parts.netloc, hint="leave out ? and #"
        )
    return url.rstrip("/")


def parse_ollama_host(text: str) -> str:
    """Convert any form of Ollama's OLLAMA_HOST variable to the base URL of its native API.

    The default port is 11434 without a scheme, 80 with http:// and 443 with https://; it replaces
    an invalid port (as Ollama's envconfig does). 0.0.0.0 and :: are bind addresses and become
    127.0.0.1. `/v1` or `/api` at the end of the path is removed.
    """
    text = text.strip().strip("\"'").strip()
    scheme, has_scheme, rest = text.partition("://")
    if not has_scheme:
        scheme, rest = "http", text
    address, _, path = rest.partition("/")
    if "@" in address:
        return f"{scheme}://{rest}"  # `validate_base_url` refuses it with a reason
    host, port = _split_host_port(address)
    default = {"http": 80, "https": 443}.get(scheme, OLLAMA_PORT) if has_scheme else OLLAMA_PORT
    if not has_scheme and host == "ollama.com":
        scheme, default = "https", 443
    if not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65536:
        port = str(default)
    if host in {"", "0.0.0.0", "::"}:
        host = "127.0.0.1"
    path = path.rstrip("/")
    for last in ("v1", "api"):
        if path == last or path.endswith("/" + last):
            path = path[: -len(last)].rstrip("/")
    bracketed = f"[{host}]" if ":" in host else host
    scheme_port = {"http": "80", "https": "443"}.get(scheme)
    return f"{scheme}://{bracketed}{'' if port == scheme_port else ':' + port}{path and '/' + path}"


def _split_host_port(address: str) -> tuple[str, str]:
    """Split `h`, `h:5`, `:5`, `[::1]`, `[::1]:5` and a bare IPv6 address."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, port.removeprefix(":")
    if address.count(":") > 1:
        return address, ""
    host, _, port = address.partition(":")
    return host, port
