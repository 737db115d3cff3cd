"""Which finished answers are accepted: the rules behind exit code 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..completion import Completion
from ..errors import IncompleteAnswer

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema

INCOMPLETE_REASONS = {
    "length": ("the answer was cut at the model's own token limit", "set --max-tokens"),
    "content_filter": ("the provider's filter cut the answer", "rephrase the prompt"),
    "tool_calls": ("the model called a tool, and tools are not supported", "ask again"),
}


def check_acceptable(
    completion: Completion,
    has_user_limit: bool,
    reasoning_option: str,
    answer_format: Schema | Choices | None = None,
) -> str:
    """Accept or reject a finished answer; returns a note for the user ("" = none).

    An incomplete answer is accepted only if the user's own token limit cut it.
    `has_user_limit`: the request contained such a limit. `reasoning_option`: value of --reasoning.
    Raises:
        IncompleteAnswer: the answer is not accepted.
        MalformedAnswer: it does not fit `answer_format`.
    """
    if reasoning_option == "only" and not completion["reasoning"]:
        raise _incomplete_error("the model sent no reasoning", "leave out --reasoning only")
    reason = completion["finish_reason"]
    cut_by_user_limit = reason == "length" and has_user_limit
    if answer_format and (completion["complete"] or cut_by_user_limit):
        answer_format.check(completion)
    if completion["complete"]:
        return ""
    if cut_by_user_limit:
        return "the answer was cut at the token limit that you set (length)"
    default = (f'the answer ended with finish_reason "{reason}"', "ask again")
    raise _incomplete_error(*INCOMPLETE_REASONS.get(reason or "", default))


def _incomplete_error(message: str, hint: str) -> IncompleteAnswer:
    return IncompleteAnswer(message, hint=hint, retryable=False)
