"""Asks a model that has no reasoning of its own to think inside tags (DESIGN §7, --elicit)."""

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


async def with_think_prompt(source: Source, messages: list[Message]) -> tuple[list[Message], str]:
    """The messages to send, and a note for the user ("" = nothing was asked for)."""
    if not await needs_think_prompt(source):
        return messages, ""
    always = source.profile.elicit == "always"
    note = f"{source.model or 'the model'} is asked to think inside <think> tags"
    return apply_think_prompt(
        source, messages
    ), note if always else f"{note}: it has no reasoning of its own"


async def needs_think_prompt(source: Source) -> bool:
    """`auto`: the server says that the model has no reasoning, and --effort is not off.

    A schema leaves no room for tags. Where the server says nothing, nothing is asked for.
    """
    profile = source.profile
    if profile.elicit != "auto" or profile.schema is not None or profile.reasoning == "off":
        return profile.elicit == "always"
    try:
        return await source.reasons() is False
    except EasyLLMError:  # the answer's own request tells what is wrong
        return False


def apply_think_prompt(source: Source, messages: list[Message]) -> list[Message]:
    """The messages with the instruction; from now on the source asks for nothing else.

    A model without reasoning refuses its parameters (WIRE §3a, §6a); what the user said of how
    hard to think goes to one that was named by `always`.
    """
    profile = source.profile
    tags = "auto" if profile.reasoning_tags == "off" else profile.reasoning_tags
    effort = profile.reasoning if profile.elicit == "always" else None
    source.profile = replace(profile, think=False, reasoning=effort, reasoning_tags=tags)
    return with_system_instruction(messages, THINK_INSTRUCTION)
