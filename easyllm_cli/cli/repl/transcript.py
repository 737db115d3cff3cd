"""Transcript: the finished turns of a conversation, and how many of them the history has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...messages import Message

if TYPE_CHECKING:
    from ...history.conversation import Conversation

Answerer = tuple[str, str | None]  # the names of a profile and of its model


class Transcript:
    """Questions and their complete answers, in order; never changed, but replaced.

    `conversation`: the id under which the history keeps them, None = not yet. `stored`: how many of
    the messages it has; the next turn that ends well adds the others. `answered_by`: profile and
    model of the last answer, None = nobody knows.
    """

    def __init__(
        self,
        messages: Sequence[Message] = (),
        conversation: str | None = None,
        stored: int = 0,
        answered_by: Answerer | None = None,
    ) -> None:
        self.messages = tuple(messages)
        self.conversation = conversation
        self.stored = stored
        self.answered_by = answered_by

    @classmethod
    def of_conversation(cls, conversation: Conversation) -> Transcript:
        """The turns that the history has kept."""
        messages, profile = conversation.messages, conversation.answered_by
        answered_by = (profile, conversation.answering_model) if profile else None
        return cls(messages, conversation.id, len(messages), answered_by)

    @property
    def count(self) -> int:
        """The number of answers."""
        return sum(message.role == "assistant" for message in self.messages)

    def to_send(self, question: Message, system: str | None) -> list[Message]:
        """All messages of the next request; a system prompt replaces the one of a message list."""
        if system is None:
            return [*self.messages, question]
        rest = [message for message in self.messages if message.role != "system"]
        return [Message("system", (system,)), *rest, question]

    def to_add(self, question: Message) -> list[Message]:
        """The messages that the history does not have yet."""
        return [*self.messages[self.stored :], question]

    def answered(
        self,
        question: Message,
        answer: str,
        conversation: str | None,
        answered_by: Answerer | None = None,
    ) -> Transcript:
        """With one more turn, which the history has kept unless `conversation` is None."""
        messages = (*self.messages, question, Message("assistant", (answer,)))
        stored = self.stored if conversation is None else len(messages)
        return Transcript(messages, conversation, stored, answered_by)

    def failed(self, conversation: str | None) -> Transcript:
        """The same turns, after one that failed: it began a conversation without a turn."""
        return Transcript(self.messages, conversation, self.stored, self.answered_by)

    def forked(self) -> Transcript:
        """The same turns, which the next one keeps as a new conversation."""
        return Transcript(self.messages, answered_by=self.answered_by)

    def without_last(self) -> Transcript:
        """Without the last turn, as a new conversation. Raises UsageError: there is none."""
        messages = self.messages[: self._last_question()]
        return Transcript(messages, answered_by=self.answered_by if messages else None)

    def last(self) -> tuple[Message, ...]:
        """The last question and what followed it. Raises UsageError: there is none."""
        return self.messages[self._last_question() :]

    def _last_question(self) -> int:
        for index in reversed(range(len(self.messages))):
            if self.messages[index].role == "user":
                return index
        raise UsageError("there is no turn yet", hint="type a question")
