"""TakesClient: an adapter to which a user of the library may hand the SDK's own client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config.profile import Profile
from ...secret import Secret
from ...transport import carrier_for
from ..http import HTTPProvider


class TakesClient(HTTPProvider):
    """Speaks OpenAI's protocol, over our own HTTP or through `openai`'s client."""

    def __init__(
        self,
        profile: Profile | Mapping[str, Any],
        client: Any = None,
        *,
        trust_configs: bool = False,
    ) -> None:
        """`client`: an AsyncOpenAI or AsyncAzureOpenAI of yours, whose address, key, headers and
        connections are used instead of the profile's. It stays yours: we never close it.

        Raises:
            ConfigError: it is something else.
        """
        self.handed_in = client is not None
        if client is None:
            super().__init__(profile, trust_configs=trust_configs)
            return
        address = str(getattr(client, "base_url", "")).partition("?")[0]
        super().__init__(
            Profile.asked_for(profile, trust_configs).with_(
                transport="sdk", endpoint=address or None
            )
        )
        self.no_key_hint = "check the key of the client that was handed in"
        self.carrier = carrier_for(self.profile, self.endpoint, self.sdk, client)

    @property
    def key(self) -> Secret | None:
        """As everywhere; a client that was handed in has its own."""
        return None if self.handed_in else super().key

    def options(self) -> dict[str, Any]:
        """The profile's `options` for the body; Azure's API version goes into the URL."""
        options = self.profile.options or {}
        if self.profile.transport == "http":
            return options
        return {key: value for key, value in options.items() if key != "api_version"}
