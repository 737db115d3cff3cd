"""Bytes: one request out, its answer back in pieces, and what can go wrong on the way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import missing_package_error

if TYPE_CHECKING:
    from .base import Transport

# What `transport = "sdk"` means for an adapter's `sdk`: (module, class).
SDK_TRANSPORTS = {
    "openai": ("openai_sdk", "OpenAITransport"),
    "google": ("google_sdk", "GoogleTransport"),
}


def transport_for(profile: Profile, endpoint: Endpoint, sdk: str, *client: Any) -> Transport:
    """The way to an endpoint that the profile's `transport` names, imported here and now.

    `sdk`: the key in SDKS of the one that speaks this adapter's protocol. `client`: the SDK's own
    client, where a user of the library hands one in.
    Raises:
        ConfigError: the SDK is not installed, or `client` is none of its clients.
    """
    if profile.transport == "http":
        from .http import HTTPTransport

        return HTTPTransport(profile, endpoint.url)
    module, class_name = SDK_TRANSPORTS[sdk]
    try:
        transport_class: Any = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        missing = missing_package_error(error)
        if missing is None:
            raise
        missing.where = 'transport = "sdk"'
        raise missing from None
    transport: Transport = transport_class(profile, endpoint, *client)
    return transport
