"""Prepares images for a request: checks the type, downloads URLs, and notes rotated photos."""

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

# How the pixels are stored, by EXIF orientation; 1 = upright.
ORIENTATION_NAMES = {
    2: "mirrored", 3: "upside down", 4: "upside down and mirrored", 5: "on its side, mirrored",
    6: "on its side", 7: "on its side, mirrored", 8: "on its side",
}  # fmt: skip


async def with_image_bytes(
    messages: list[Message], image_types: Collection[str], profile: Profile, provider: str
) -> tuple[list[Message], list[str]]:
    """Replace image URLs by downloaded bytes, for providers that take no URLs.

    Returns the messages, and notes about downloaded images that are stored rotated.
    Raises:
        UsageError: the provider does not accept the image type.
        EasyLLMError: a download failed.
    """
    converted, notes = [], []
    for message in messages:
        parts: list[str | Image] = []
        for part in message.parts:
            if isinstance(part, Image):
                original, part = part, await download_image(part, profile)
                require_image_type(part, image_types, provider)
                notes += orientation_note(part) if part is not original else []
            parts.append(part)
        converted.append(replace(message, parts=tuple(parts)))
    return converted, notes


def require_image_type(image: Image, image_types: Collection[str], provider: str) -> None:
    """Raise UsageError if the provider does not accept the image's type; a URL's is unknown."""
    if not image.url and image.media_type not in image_types:
        raise UsageError(
            f"{provider} takes no {image.media_type}",
            where=image.name,
            hint="convert the image to PNG or JPEG",
        )


def refuse_unsupported_images(
    messages: list[Message], endpoint: Endpoint, provider: str, model: str
) -> None:
    """Refuse image types that the vendor does not document, before the request is sent.

    The vendor follows from the endpoint's host. For a gateway named by the provider's endpoint
    variable, it follows from the provider, but OPENAI_BASE_URL may be any server: there, only the
    name of a model that only OpenAI offers identifies OpenAI.
    Raises:
        UsageError: the vendor does not document the image type.
    """
    image_types, vendor = IMAGE_TYPES_BY_HOST.get(endpoint.host, ()), endpoint.host
    if not image_types:
        gateway = endpoint.variable and (provider != "openai" or is_openai_only_model(model))
        hosts = get_vendor(provider).hosts[:1] if gateway else ()
        image_types, vendor = IMAGE_TYPES_BY_HOST.get("".join(hosts), ()), provider
    if provider == "llamacpp":
        image_types = LLAMACPP_IMAGE_TYPES
    for image in (image for message in messages for image in message.images if image_types):
        require_image_type(image, image_types, vendor)


def orientation_notes(messages: list[Message]) -> list[str]:
    """A note for each photo that is stored rotated, according to its EXIF data."""
    return [
        note for message in messages for image in message.images for note in orientation_note(image)
    ]


def orientation_note(image: Image) -> list[str]:
    """The note for one photo, or an empty list. Many models ignore the EXIF orientation."""
    number = read_orientation(image.data)
    if number == 1:
        return []
    return [
        f"{image.name} is stored {ORIENTATION_NAMES[number]} (EXIF orientation {number}), and some "
        "models see it that way: rotate it first, e.g. magick IN -auto-orient OUT"
    ]
