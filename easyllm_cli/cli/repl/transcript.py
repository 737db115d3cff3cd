"""Transcript: the finished turns of a conversation, and how many of them the history has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...messages import Message

if TYPE_CHECKING:
    from ...history.conversation import Conversation


class Transcript:
    """Questions and their complete answers, in order; never changed, but replaced.

    `conversation`: the id under which the history keeps them, None = not yet. `stored`: how many of
    the messages it has; the next turn that ends well adds the others.
    """

    def __init__(
        self, messages: Sequence[Message] = (), conversation: str | None = None, stored: int = 0
    ) -> None:
        self.messages = tuple(messages)
        self.conversation = conversation
        self.stored = stored

    @classmethod
    def of_conversation(cls, conversation: Conversation) -> Transcript:
        """The turns that the history has kept."""
        messages = conversation.messages
        return cls(messages, conversation.id, len(messages))

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

    def answered(self, question: Message, answer: str, conversation: str | None) -> Transcript:
        """With one more turn, which the history has kept unless `conversation` is None."""
        messages = (*self.messages, question, Message("assistant", (answer,)))
        return Transcript(
            messages, conversation, self.stored if conversation is None else len(messages)
        )

    def failed(self, conversation: str | None) -> Transcript:
        """The same turns, after one that failed: it began a conversation without a turn."""
        return Transcript(self.messages, conversation, self.stored)

    def forked(self) -> Transcript:
        """The same turns, which the next one keeps as a new conversation."""
        return Transcript(self.messages)

    def without_last(self) -> Transcript:
        """Without the last turn, as a new conversation. Raises UsageError: there is none."""
        return Transcript(self.messages[: self._last_question()])

    def last(self) -> tuple[Message, ...]:
        """The last question and what followed it. Raises UsageError: there is none."""
        return self.messages[self._last_question() :]

    def _last_question(self) -> int:
        for index in reversed(range(len(self.messages))):
            if self.messages[index].role == "user":
                return index
        raise UsageError("there is no turn yet", hint="type a question")
