"""One profile of a comparison, and one of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..completion import Completion
from ..config.profile import Profile
from ..errors import EasyLLMError, FirstTokenTimeout, IncompleteAnswer
from ..frozen_dataclass import FrozenDataclass
from ..messages import Message
from ..pipeline.call import Call
from .answer_history import AnswerHistory
from .results import CommandResult, answer_object

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema
    from .cost import AnswerCost


class ComparedProfile(FrozenDataclass):
    """A profile, what it is asked, and where its answers are kept.

    `label`: the profile as the user named it; no other of the comparison has the same.
    """

    label: str
    profile: Profile
    messages: list[Message]
    history: AnswerHistory


class ComparedAnswer:
    """One answer: its record, and how it ended.

    `error`: why it is not accepted; None = it is, or it is not over yet (`is_over`). `has_output`:
    whether any of it has arrived. `answer_format`: the form that it must have. `notify`: prints a
    note if its cost cannot be found.
    """

    is_over = False
    has_output = False

    def __init__(
        self,
        compared: ComparedProfile,
        call: Call,
        answer_format: Schema | Choices | None,
        notify: Callable[[str], None],
    ) -> None:
        self.compared = compared
        self.call = call
        self.answer_format = answer_format
        self.error: EasyLLMError | None = None
        self._notify = notify

    def end(self, error: EasyLLMError | None = None) -> None:
        """The answer is over, with this error or without one."""
        self.error = error
        self.is_over = True

    def stop(self, stop: EasyLLMError) -> None:
        """The command ended before the answer did: by a signal, or by --timeout."""
        error = copy(stop)
        if isinstance(stop, IncompleteAnswer | FirstTokenTimeout):
            has_begun = self.call.ms_first_token is not None
            kind = IncompleteAnswer if has_begun else FirstTokenTimeout
            error = kind(stop.message, hint=stop.hint)
        error.where = error.where or f"profile {self.compared.label}"
        self.end(error)

    @cached_property
    def cost(self) -> AnswerCost:
        """What it cost, and who says so; once it is over."""
        from .cost import find_cost

        return find_cost(self.call, self._notify)

    @cached_property
    def completion(self) -> Completion:
        """The answer, or the longest text that arrived of it; with a schema the JSON alone."""
        completion = self.call.longest() if self.error else self.call.completion()
        if self.answer_format and self.error is None:
            return Completion(completion, text=self.answer_format.printed(completion["text"]))
        return completion

    @cached_property
    def json_object(self) -> dict[str, Any]:
        """The object that `chat --json` prints for such an answer."""
        return answer_object(
            CommandResult(
                error=self.error,
                completion=self.completion,
                profile=self.call.profile_name or self.compared.profile.name or None,
                call=self.call,
                conversation=self.compared.history.conversation(self.call),
                cost=self.cost,
            )
        )

    def keep(self) -> None:
        """Keep it in the history, as an answer of `chat`."""
        code = self.error.exit_code if self.error else 0
        self.compared.history.save(self.call, code, self.error, find_cost=lambda: self.cost)


def make_labels(selectors: Sequence[str]) -> list[str]:
    """The selectors; one that is named again gets a number behind it: `a`, `a #2`."""
    labels: list[str] = []
    for number, selector in enumerate(selectors):
        count = selectors[: number + 1].count(selector)
        labels.append(f"{selector} #{count}" if count > 1 else selector)
    return labels
