"""Whether an answer that ended by itself counts: exit codes are made here and in errors.py."""

from __future__ import annotations

from ..errors import EasyLLMError, IncompleteAnswer
from ..events import Completion
from ..profiles import Profile

# Where a limit may stand when the user gave it as `-o`: every provider's own name for it.
LIMIT_NAMES = ("max_tokens", "max_completion_tokens", "num_predict", "maxOutputTokens")


def limit_is_the_users(profile: Profile) -> bool:
    """Whether the user set how long the answer may be."""
    options = profile.options or {}
    nested = [value for value in options.values() if isinstance(value, dict)]
    named = any(name in table for table in (options, *nested) for name in LIMIT_NAMES)
    return profile.max_tokens is not None or profile.send_defaults or named


def verdict(
    completion: Completion, profile: Profile, reasoning: str
) -> tuple[EasyLLMError | None, str]:
    """The failure of an answer that ended, or None, and a note ("" = none); DESIGN §7."""
    if reasoning == "only" and not completion["reasoning"]:
        return _incomplete("the model sent no reasoning", "leave out --reasoning only"), ""
    if completion["complete"]:
        return None, ""
    reason = completion["finish_reason"]
    if reason == "length":
        if limit_is_the_users(profile):
            return None, "the answer was cut at the token limit that you set (length)"
        return _incomplete(
            "the answer was cut at the model's own token limit", "set --max-tokens"
        ), ""
    if reason == "content_filter":
        return _incomplete("the provider's filter cut the answer", "rephrase the prompt"), ""
    if reason == "tool_calls":
        return _incomplete("the model called a tool, and none was offered", "ask again"), ""
    return _incomplete(f'the answer ended with finish_reason "{reason}"', "ask again"), ""


def _incomplete(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)
