"""Pictures for providers that take bytes only: URLs fetched, kinds they cannot read refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..errors import UsageError
from ..messages import Image, Message
from ..profiles import Profile
from ..transport.fetch import fetched


async def with_bytes(
    messages: list[Message], kinds: Collection[str], profile: Profile, provider: str
) -> list[Message]:
    """The messages with every picture's bytes.

    Raises:
        UsageError: a kind that the provider does not take. EasyLLMError: a URL cannot be fetched.
    """
    made = []
    for message in messages:
        parts: list[str | Image] = []
        for part in message.parts:
            if isinstance(part, Image):
                part = await fetched(part, profile)
                if part.media_type not in kinds:
                    raise UsageError(
                        f"{provider} takes no {part.media_type}",
                        where=part.name,
                        hint="convert the picture to PNG or JPEG",
                    )
            parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
    return made
