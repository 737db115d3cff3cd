"""Adds an instruction to think inside `<think>` tags, for models without reasoning (--elicit)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import EasyLLMError
from ..messages import Message, with_system_instruction

if TYPE_CHECKING:
    from .source import Source

THINK_INSTRUCTION = (
    "First think step by step inside <think> and </think>. "
    "Then write the answer alone behind </think>."
)


async def with_think_prompt(
    source: Source, messages: list[Message], is_wanted: bool | None = None
) -> tuple[list[Message], str]:
    """The messages, with the instruction if it is needed, and a note for the user ("" = none).

    `is_wanted`: whether it is needed; None = find out, which may ask the server.
    """
    if not (await needs_think_prompt(source) if is_wanted is None else is_wanted):
        return messages, ""
    always = source.profile.elicit == "always"
    note = f"{source.model or 'the model'} is asked to think inside <think> tags"
    return apply_think_prompt(
        source, messages
    ), note if always else f"{note}: it has no reasoning of its own"


async def needs_think_prompt(source: Source) -> bool:
    """Whether to add the instruction.

    `always` adds it in any case. `auto` adds it only if the server reports that the model has no
    reasoning, and neither a schema (its JSON cannot contain tags) nor --effort off is set.
    """
    profile = source.profile
    if profile.elicit != "auto" or profile.schema is not None or profile.reasoning == "off":
        return profile.elicit == "always"
    try:
        return await source.reasons() is False
    except EasyLLMError:  # the request for the answer reports what is wrong
        return False


def apply_think_prompt(source: Source, messages: list[Message]) -> list[Message]:
    """Add the instruction to the messages, and take the reasoning parameters off the profile.

    Models without reasoning refuse those parameters (Ollama: 400 "does not support thinking").
    With `always`, the user's effort is still sent. Inline tags are split even if they were "off".
    """
    profile = source.profile
    tags = "auto" if profile.reasoning_tags == "off" else profile.reasoning_tags
    effort = profile.reasoning if profile.elicit == "always" else None
    source.profile = replace(profile, think=False, reasoning=effort, reasoning_tags=tags)
    return with_system_instruction(messages, THINK_INSTRUCTION)
