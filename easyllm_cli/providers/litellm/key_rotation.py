"""Takes turns among a vendor's API keys, and keeps OPENAI_* variables out of the headers."""

from __future__ import annotations

import os
import time

from ...config.endpoints import Endpoint
from ...config.profile import Profile
from ...errors import BusyError, EasyLLMError
from ...secret import Secret
from ..headers import account_headers
from .client import RouterShuffle

KEY_COOLDOWN_SECONDS = 60.0  # how long a failed key comes last, without a server's retry_after


class KeyRotation:
    """Order in which API keys are tried; keys are indices from 0, never the secrets."""

    def __init__(self) -> None:
        self._shuffle: RouterShuffle | None = None
        self._cooldown_until: dict[int, float] = {}

    async def order(self, count: int) -> list[int]:
        """Return every index from 0 to `count` - 1 once; [0] for no key.

        The key that litellm's Router chooses is first; keys that failed recently are last.
        """
        if count < 2:
            return [0]
        self._shuffle = self._shuffle or RouterShuffle(count)
        chosen, now = await self._shuffle.choose(), time.monotonic()
        return sorted(
            range(count),
            key=lambda index: (self._cooldown_until.get(index, 0.0) > now, index != chosen),
        )

    def report_failure(self, key_index: int, error: EasyLLMError) -> bool:
        """Put a key on cooldown if the error is about the key; return whether it is.

        A BusyError with a status other than 429 is about the server.
        """
        if isinstance(error, BusyError) and error.status != 429:
            return False
        self._cooldown_until[key_index] = time.monotonic() + (
            error.retry_after or KEY_COOLDOWN_SECONDS
        )
        return True


def openai_headers(profile: Profile, endpoint: Endpoint) -> dict[str, str | Secret]:
    """Return the profile's organization and project headers.

    The openai package also sends OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS to
    any base URL (observed). With an endpoint, empty headers override these. Their case must match
    the package's, or both headers are sent.

    Raises:
        ConfigError: a value of the profile contains characters that are invalid in a header.
    """
    headers: dict[str, str | Secret] = {}
    if endpoint.url:
        for header, variables in (
            ("OpenAI-Organization", ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION")),
            ("OpenAI-Project", ("OPENAI_PROJECT_ID",)),
        ):
            if any(os.environ.get(name) for name in variables):
                headers[header] = ""
        custom_lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        headers |= {line.partition(":")[0].strip(): "" for line in custom_lines if ":" in line}
    return headers | account_headers(profile)
