"""Bytes: one request out, its answer back in pieces, and what can go wrong on the way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import not_installed

if TYPE_CHECKING:
    from .base import Carrier

# What `transport = "sdk"` means for an adapter's `sdk`: (module, class).
SDKS = {"openai": ("openai_sdk", "OpenAICarrier"), "google": ("google_sdk", "GoogleCarrier")}


def carrier_for(profile: Profile, endpoint: Endpoint, sdk: str, *client: Any) -> Carrier:
    """The way to an endpoint that the profile's `transport` names, imported here and now.

    `sdk`: the key in SDKS of the one that speaks this adapter's protocol. `client`: the SDK's own
    client, where a user of the library hands one in.
    Raises:
        ConfigError: the SDK is not installed, or `client` is none of its clients.
    """
    if profile.transport == "http":
        from .http import Client

        return Client(profile, endpoint.url)
    module, class_name = SDKS[sdk]
    try:
        made: Any = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        missing = not_installed(error)
        if missing is None:
            raise
        missing.where = 'transport = "sdk"'
        raise missing from None
    carrier: Carrier = made(profile, endpoint, *client)
    return carrier
