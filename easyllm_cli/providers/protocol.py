"""Which of OpenAI's two protocols is spoken where the profile names none."""

from __future__ import annotations

from ..config.endpoints import endpoint_of
from ..config.profile import Profile
from ..vendors import VENDORS
from .openai.model_families import can_reason


def protocol_of(profile: Profile) -> str:
    """`responses` where only it returns the reasoning that is asked for, else `chat`.

    That is OpenAI's own host with a model of its reasoning families, under `--think` or `cot`
    (WIRE §1c, §1b c). An effort alone asks for no reasoning to be shown, and changes nothing.
    Raises:
        ConfigError: the endpoint is no URL.
    """
    asked = profile.think and profile.reasoning != "off"
    if not asked or profile.provider != "openai" or not can_reason(profile.model or ""):
        return "chat"
    official = endpoint_of(profile).host in VENDORS["openai"].hosts
    return "responses" if official else "chat"
