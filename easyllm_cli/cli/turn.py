"""Turn: one question of a conversation that the process holds in memory, as `easyllm repl` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Runner

    from ..errors import EasyLLMError
    from ..messages import Message
    from ..pipeline.call import Call
    from ..service import LLMService
    from .cost import AnswerCost

# Gets the record of the answer, the error that ended it (None = it is complete), and its cost.
OnEnd = Callable[["Call", "EasyLLMError | None", "AnswerCost"], object]


class Turn:
    """What `answer_request` takes as it is, instead of reading words, stdin and the history.

    `messages`: all that is sent. `added`: those of them that the history's conversation does not
    have yet. `conversation`: its id, None = this turn begins one. `name`, `title`: of a new one.
    `service`, `runner`: those of all turns. `answered_by`: profile and model of the last answer,
    with which an auto profile stays; None = there is none. `on_end`: called when the answer has
    been kept.
    """

    def __init__(
        self,
        messages: list[Message],
        added: list[Message],
        *,
        conversation: str | None,
        name: str | None,
        title: str,
        service: LLMService,
        runner: Runner,
        answered_by: tuple[str, str | None] | None,
        on_end: OnEnd,
    ) -> None:
        self.messages = messages
        self.added = added
        self.conversation = conversation
        self.name = name
        self.title = title
        self.service = service
        self.runner = runner
        self.answered_by = answered_by
        self.on_end = on_end
