"""Source: the part of a provider that the think-prompt stage uses.

It keeps `pipeline` independent of `providers`, which imports `pipeline`.
"""

from __future__ import annotations

from typing import Protocol

from ..config.profile import Profile


class Source(Protocol):
    """A provider as the pipeline's stages see it."""

    profile: Profile
    model: str

    async def reasons(self) -> bool | None:
        """Whether the model reasons by itself, according to the server; None = unknown."""
