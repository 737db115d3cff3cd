"""Chooses a transport: one of two HTTP clients, or a vendor's SDK."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import missing_package_error

if TYPE_CHECKING:
    from .base import Transport

# The transport class for each SDK, as (module, class); used with `transport = "sdk"`.
SDK_TRANSPORTS = {
    "openai": ("openai_sdk", "OpenAITransport"),
    "google": ("google_sdk", "GoogleTransport"),
}
AIOHTTP_TRANSPORT = ("aiohttp_client", "AiohttpTransport")


def transport_for(profile: Profile, endpoint: Endpoint, sdk: str, *client: Any) -> Transport:
    """Return the transport that the profile's `transport` setting names; imports its module.

    `sdk`: the adapter's key in SDK_TRANSPORTS; used with `transport = "sdk"` only. `client`: an SDK
    client that the library's user supplies; without one the transport makes its own.
    Raises:
        ConfigError: aiohttp or the SDK is not installed, or `client` is not a client of that SDK.
    """
    if profile.transport == "http":
        from .http import HTTPTransport

        return HTTPTransport(profile, endpoint.url)
    module, class_name = SDK_TRANSPORTS[sdk] if profile.transport == "sdk" else AIOHTTP_TRANSPORT
    try:
        transport_class: Any = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        missing = missing_package_error(error)
        if missing is None:
            raise
        missing.where = f'transport = "{profile.transport}"'
        raise missing from None
    transport: Transport = transport_class(profile, endpoint, *client)
    return transport
