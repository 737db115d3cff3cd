"""Pictures for providers: what they do not take is refused, what they do not fetch is fetched.

A photo that is to be turned before it is seen gets a word.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import UsageError
from ..image_header import orientation
from ..images import Image
from ..messages import Message
from ..transport.image_download import fetched
from ..vendors import IMAGE_KINDS, LLAMACPP_IMAGES, vendor_of
from .openai.model_families import is_openais_own

# What a viewer has to do, by EXIF's numbers; 1 = nothing.
LIES = {
    2: "mirrored", 3: "upside down", 4: "upside down and mirrored", 5: "on its side, mirrored",
    6: "on its side", 7: "on its side, mirrored", 8: "on its side",
}  # fmt: skip


async def with_bytes(
    messages: list[Message], kinds: Collection[str], profile: Profile, provider: str
) -> tuple[list[Message], list[str]]:
    """The messages with every picture's bytes, and notes on those that were fetched.

    Raises:
        UsageError: a kind that the provider does not take. EasyLLMError: a URL cannot be fetched.
    """
    made, notes = [], []
    for message in messages:
        parts: list[str | Image] = []
        for part in message.parts:
            if isinstance(part, Image):
                given, part = part, await fetched(part, profile)
                refuse_kind(part, kinds, provider)
                notes += note_on(part) if part is not given else []
            parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
    return made, notes


def refuse_kind(image: Image, kinds: Collection[str], who: str) -> None:
    """Raise UsageError where `who` does not take the image's kind; a URL's is unknown."""
    if not image.url and image.media_type not in kinds:
        raise UsageError(
            f"{who} takes no {image.media_type}",
            where=image.name,
            hint="convert the picture to PNG or JPEG",
        )


def refuse_other_kinds(
    messages: list[Message], endpoint: Endpoint, provider: str, model: str
) -> None:
    """Refuse, before anything is sent, the kinds of image that the vendor does not take.

    It is known by its host, or by its provider's variable where a gateway stands before it. What
    OPENAI_BASE_URL names may be any server: there the model tells.
    Raises:
        UsageError: a kind that it does not document.
    """
    kinds, who = IMAGE_KINDS.get(endpoint.host, ()), endpoint.host
    if not kinds:
        gateway = endpoint.variable and (provider != "openai" or is_openais_own(model))
        own = vendor_of(provider).hosts[:1] if gateway else ()
        kinds, who = IMAGE_KINDS.get("".join(own), ()), provider
    if provider == "llamacpp":
        kinds = LLAMACPP_IMAGES
    for image in (image for message in messages for image in message.images if kinds):
        refuse_kind(image, kinds, who)


def notes_on(messages: list[Message]) -> list[str]:
    """A word on each photo whose EXIF says that it is to be turned."""
    return [note for message in messages for image in message.images for note in note_on(image)]


def note_on(image: Image) -> list[str]:
    """The word on one photo: many models see the pixels as they are stored."""
    number = orientation(image.data)
    if number == 1:
        return []
    return [
        f"{image.name} is stored {LIES[number]} (EXIF orientation {number}), and some models see "
        "it so: turn it first, e.g. magick IN -auto-orient OUT"
    ]
