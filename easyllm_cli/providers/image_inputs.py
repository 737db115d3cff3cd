"""Pictures for providers: what they do not take is refused, what they do not fetch is fetched.

A photo that is to be turned before it is seen gets a word.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..config.endpoints import Endpoint
from ..config.profile import Profile
from ..errors import UsageError
from ..image_header import read_orientation
from ..images import Image
from ..messages import Message
from ..transport.image_download import download_image
from ..vendors import IMAGE_TYPES_BY_HOST, LLAMACPP_IMAGE_TYPES, get_vendor
from .openai.model_families import is_openai_only_model

# What a viewer has to do, by EXIF's numbers; 1 = nothing.
ORIENTATION_NAMES = {
    2: "mirrored", 3: "upside down", 4: "upside down and mirrored", 5: "on its side, mirrored",
    6: "on its side", 7: "on its side, mirrored", 8: "on its side",
}  # fmt: skip


async def with_image_bytes(
    messages: list[Message], image_types: Collection[str], profile: Profile, provider: str
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
                given, part = part, await download_image(part, profile)
                require_image_type(part, image_types, provider)
                notes += orientation_note(part) if part is not given else []
            parts.append(part)
        made.append(replace(message, parts=tuple(parts)))
    return made, notes


def require_image_type(image: Image, image_types: Collection[str], provider: str) -> None:
    """Raise UsageError where `who` does not take the image's kind; a URL's is unknown."""
    if not image.url and image.media_type not in image_types:
        raise UsageError(
            f"{provider} takes no {image.media_type}",
            where=image.name,
            hint="convert the picture to PNG or JPEG",
        )


def refuse_unsupported_images(
    messages: list[Message], endpoint: Endpoint, provider: str, model: str
) -> None:
    """Refuse, before anything is sent, the kinds of image that the vendor does not take.

    It is known by its host, or by its provider's variable where a gateway stands before it. What
    OPENAI_BASE_URL names may be any server: there the model tells.
    Raises:
        UsageError: a kind that it does not document.
    """
    kinds, who = IMAGE_TYPES_BY_HOST.get(endpoint.host, ()), endpoint.host
    if not kinds:
        gateway = endpoint.variable and (provider != "openai" or is_openai_only_model(model))
        own = get_vendor(provider).hosts[:1] if gateway else ()
        kinds, who = IMAGE_TYPES_BY_HOST.get("".join(own), ()), provider
    if provider == "llamacpp":
        kinds = LLAMACPP_IMAGE_TYPES
    for image in (image for message in messages for image in message.images if kinds):
        require_image_type(image, kinds, who)


def orientation_notes(messages: list[Message]) -> list[str]:
    """A word on each photo whose EXIF says that it is to be turned."""
    return [
        note for message in messages for image in message.images for note in orientation_note(image)
    ]


def orientation_note(image: Image) -> list[str]:
    """The word on one photo: many models see the pixels as they are stored."""
    number = read_orientation(image.data)
    if number == 1:
        return []
    return [
        f"{image.name} is stored {ORIENTATION_NAMES[number]} (EXIF orientation {number}), and "
        "some models see it so: turn it first, e.g. magick IN -auto-orient OUT"
    ]
