"""Several keys for one vendor: the order in which they are tried, and which one rests."""

from __future__ import annotations

import os
import re
import time

from ...config.endpoints import Endpoint
from ...config.profile import Profile
from ...errors import BusyError, EasyLLMError
from ...secret import Secret
from ..headers import account_headers
from .client import RouterShuffle

KEY_COOLDOWN_SECONDS = 60.0  # seconds that a failed key comes last, unless the server says how long


class KeyRotation:
    """Whose turn it is among a model's keys; holds no key: a number names one, from 0."""

    def __init__(self) -> None:
        self._shuffle: RouterShuffle | None = None
        self._cooldown_until: dict[int, float] = {}

    async def order(self, count: int) -> list[int]:
        """Every number once ([0] where there is no key): first the one that litellm's Router
        chooses, last those whose key failed a short while ago."""
        if count < 2:
            return [0]
        self._shuffle = self._shuffle or RouterShuffle(count)
        chosen, now = await self._shuffle.choose(), time.monotonic()
        return sorted(
            range(count),
            key=lambda index: (self._cooldown_until.get(index, 0.0) > now, index != chosen),
        )

    def report_failure(self, key_index: int, error: EasyLLMError) -> bool:
        """Whether the error is about the key and not about the server; such a key rests."""
        if isinstance(error, BusyError) and error.status != 429:
            return False
        self._cooldown_until[key_index] = time.monotonic() + (
            error.retry_after or KEY_COOLDOWN_SECONDS
        )
        return True


def keys_from_environment() -> list[Secret]:
    """What the environment holds that looks like a key: litellm reads a vendor's by itself, and
    while a Secret of it lives it is cut out of every text."""
    key_names = re.compile(r"(API_KEY|_TOKEN|_SECRET|ACCESS_KEY)\d*$")
    return [Secret(value) for name, value in os.environ.items() if key_names.search(name) and value]


def openai_headers(profile: Profile, endpoint: Endpoint) -> dict[str, str | Secret]:
    """The profile's organization and project; at an endpoint also empty headers for what the
    openai package would fill from variables meant for OpenAI (WIRE §1h, trap 25).

    Spelled as there: a header in other capitals would stand beside it.

    Raises:
        ConfigError: one of the profile's holds characters that no header can.
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
