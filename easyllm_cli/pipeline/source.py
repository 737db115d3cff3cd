"""Source: what a stage of the pipeline may ask of the provider behind it.

A file of its own, so that the stages need nothing of `providers`, which stands above them.
"""

from __future__ import annotations

from typing import Protocol

from ..config.profile import Profile


class Source(Protocol):
    """The provider of an attempt, as far as a stage sees it."""

    profile: Profile
    model: str

    async def reasons(self) -> bool | None:
        """Whether the server says that the model reasons by itself; None = it does not say."""
