"""Bytes: one request out, its answer back in pieces, and what can go wrong on the way."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..endpoints import Endpoint
from ..errors import ConfigError
from ..profiles import Profile

if TYPE_CHECKING:
    from .carrier import Carrier

# What `transport = "sdk"` means: (module, class, the extra that installs it, "" = always there).
SDKS = {
    "openai": ("openai_sdk", "OpenAICarrier", ""),
    "google": ("google_sdk", "GoogleCarrier", "gemini"),
}


def carrier_for(profile: Profile, endpoint: Endpoint, sdk: str, client: Any = None) -> Carrier:
    """The way to an endpoint that the profile's `transport` names, imported here and now.

    `sdk`: the key in SDKS of the one that speaks this adapter's protocol. `client`: the SDK's own
    client, made by a user of the library.
    Raises:
        ConfigError: the SDK is not installed, or `client` is none of its clients.
    """
    if profile.transport == "http":
        from .client import Client

        return Client(profile, endpoint.url)
    module, class_name, extra = SDKS[sdk]
    try:
        made: Any = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        raise ConfigError(
            f'transport = "sdk" needs a package that is not installed: {error.name or error}',
            hint=f"pip install 'easyllm-cli[{extra}]'" if extra else "pip install openai",
        ) from None
    carrier: Carrier = (
        made(profile, endpoint) if client is None else made(profile, endpoint, client)
    )
    return carrier
