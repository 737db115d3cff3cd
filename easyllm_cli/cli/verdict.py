"""Whether an answer that ended by itself, but is not complete, counts on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..completion import Completion
from ..errors import IncompleteAnswer

if TYPE_CHECKING:
    from ..json_schema import Schema

REASONS = {
    "length": ("the answer was cut at the model's own token limit", "set --max-tokens"),
    "content_filter": ("the provider's filter cut the answer", "rephrase the prompt"),
    "tool_calls": ("the model called a tool, and tools are not supported", "ask again"),
}


def verdict(
    completion: Completion, limited: bool, reasoning: str, schema: Schema | None = None
) -> str:
    """A note for the user ("" = none) about an answer that counts (DESIGN §7).

    `limited`: the request that was answered held a limit of the user's. `reasoning`: the option.
    Raises:
        IncompleteAnswer: the answer does not count. MalformedAnswer: it does not fit the schema.
    """
    if reasoning == "only" and not completion["reasoning"]:
        raise _incomplete("the model sent no reasoning", "leave out --reasoning only")
    reason = completion["finish_reason"]
    cut_as_asked = reason == "length" and limited
    if schema and (completion["complete"] or cut_as_asked):
        schema.check(completion)
    if completion["complete"]:
        return ""
    if cut_as_asked:
        return "the answer was cut at the token limit that you set (length)"
    usual = (f'the answer ended with finish_reason "{reason}"', "ask again")
    raise _incomplete(*REASONS.get(reason or "", usual))


def _incomplete(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)
