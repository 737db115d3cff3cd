"""BaseLLMProvider: an adapter writes `events`; everything else is derived here."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar

from ..errors import EasyLLMError, FilteredError, IncompleteAnswer, MalformedAnswer
from ..events import (
    MAX_TEXT_BYTES,
    Collector,
    Completion,
    Done,
    Event,
    Model,
    Note,
    Retrying,
    Text,
    collect,
)
from ..messages import Image, Message, messages_of
from ..profiles import DEFAULTS, Profile
from ..reasoning import split_tags
from ..retry import retrying

Messages = Sequence[Message | Mapping[str, Any]]
LOOK_SECONDS = 10.0  # for small questions beside the answer: model lists, capabilities
Verdict = Callable[[Completion, bool], str]
SHOWN_AS_IT_COMES = ("text", "reasoning")


class BaseLLMProvider(ABC):
    """One provider, reached as its profile says. Construct from a Profile or the spec's dict.

    Adapters write `events`, `models` and `aclose`; nobody but `stream` calls `events`.
    """

    provider: ClassVar[str] = ""

    def __init__(self, profile: Profile | Mapping[str, Any]) -> None:
        made = Profile.of(profile)
        self.profile = made if made.provider else made.with_(provider=self.provider)
        self.model = self.profile.model or ""
        self.temperature = _or_default(self.profile, "temperature")
        self.max_tokens = _or_default(self.profile, "max_tokens")
        self.top_p = _or_default(self.profile, "top_p")
        self.top_k = self.profile.top_k
        self.look_seconds = LOOK_SECONDS

    @abstractmethod
    def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """One attempt at an answer: Start, then Reasoning, Text and Usage, then Done.

        `stream` False sends one plain request. Raises EasyLLMError; never retries.
        """

    @abstractmethod
    async def models(self) -> list[Model]:
        """What the server offers."""

    async def aclose(self) -> None:
        """Close every connection."""

    @property
    def where(self) -> str:
        """The profile, for error lines."""
        return f"profile {self.profile.name}" if self.profile.name else self.provider

    def holds_text(self) -> bool:
        """Whether text is held until no lone `</think>` can follow (DESIGN §7, inline tags)."""
        return False

    async def reasons(self) -> bool | None:
        """Whether the server says that the model reasons by itself; None = it does not say."""
        return None

    async def explain(self, error: EasyLLMError) -> None:
        """Complete an error's hint with what only this server knows."""

    async def stream(
        self,
        messages: Messages,
        stream: bool = True,
        shown: Collection[str] = SHOWN_AS_IT_COMES,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
    ) -> AsyncIterator[Event]:
        """The answer as events, retried by the profile's rules, inline reasoning split off.

        `shown`: kinds of events that the caller shows at once (empty = nothing before the end);
        after the first of them nothing is retried. `max_bytes`: of text and reasoning. `verdict`:
        told the Completion at its end; raises when it does not count, gives a note ("" = none).
        Raises EasyLLMError; its `.partial` holds what came, as on a CancelledError that passes.
        """
        asked, note = await self._asked(messages)
        if note:
            yield Note(note)
        taken = Taken(max_bytes)

        def attempt() -> AsyncIterator[Event]:
            heard = taken.before_split(self.events(asked, stream))
            return split_tags(heard, self.profile.reasoning_tags, self.holds_text() or bool(note))

        chain: Any = retrying(attempt, self.profile, shown)
        try:
            async with aclosing(chain) as events:
                async for event in events:
                    taken.feed(event)
                    if isinstance(event, Done):
                        judge(taken.gathered, event, self.profile.strict)
                        if verdict and (said := verdict(taken.completion(), event.limited)):
                            yield Note(said)
                    yield event
        except (EasyLLMError, asyncio.CancelledError) as error:
            error.partial = taken.most()  # type: ignore[union-attr]
            if isinstance(error, EasyLLMError):
                error.where = error.where or self.where
                await self.explain(error)
            raise

    async def _asked(self, messages: Messages) -> tuple[list[Message], str]:
        """What is sent, and a note about it ("" = none)."""
        if not self.profile.elicit:
            return messages_of(messages), ""
        from .elicit import elicited  # for `cot` alone

        return await elicited(self, messages_of(messages))

    async def chat(self, messages: Messages) -> Completion:
        """One plain request; `response` is the provider's body as parsed.

        Raises:
            EasyLLMError: by its class; IncompleteAnswer for a cut, unparsable or empty answer.
        """
        return await collect(self.stream(messages, stream=False, shown=()))

    async def chat_stream(self, messages: Messages) -> AsyncIterator[str]:
        """The answer's text in pieces as it comes, without reasoning. Raises as `chat`."""
        chain: Any = self.stream(messages)
        async with aclosing(chain) as events:
            async for event in events:
                if isinstance(event, Text):
                    yield event.text

    async def vision_chat(
        self, prompt: str, image_data: bytes | str, mime_type: str | None = None
    ) -> Completion:
        """A question about one picture: bytes, base64, a data URL, a path or an https URL.

        `mime_type` is accepted for the spec's sake; the kind is told by the bytes.
        """
        return await self.chat([Message("user", (prompt, Image.of(image_data)))])

    async def list_models(self) -> list[str]:
        """The ids of what the server offers."""
        return [model.id for model in await self.models()]


def _or_default(profile: Profile, key: str) -> Any:
    value = getattr(profile, key)
    return DEFAULTS[key] if value is None else value


class Taken:
    """What has come of an answer, the attempts before included."""

    def __init__(self, max_bytes: int) -> None:
        self.gathered = Collector(max_bytes)
        self._raw = Collector(max_bytes)
        self._max_bytes = max_bytes
        self._best: Completion | None = None

    async def before_split(self, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """One attempt's events, counted before any of their text is held back for a tag.

        Raises:
            IncompleteAnswer: there are more bytes than the limit.
        """
        raw = self._raw = Collector(self._max_bytes)
        stream: Any = events
        async with aclosing(stream):
            async for event in stream:
                raw.feed(event)
                yield event

    def feed(self, event: Event) -> None:
        """An event that is handed on."""
        if isinstance(event, Retrying):
            self._best = self.most()
        self.gathered.feed(event)

    def completion(self) -> Completion:
        return self.gathered.completion()

    def most(self) -> Completion:
        """The attempt with the most text; held text where nothing was handed on."""
        nothing = not self.gathered.text and not self.gathered.reasoning
        return longer(self._best, (self._raw if nothing else self.gathered).completion())


def longer(one: Completion | None, other: Completion) -> Completion:
    """The one with more text, else with more reasoning: no byte of an answer is lost."""
    if one is None:
        return other

    def size(completion: Completion) -> tuple[int, int]:
        return len(completion["text"]), len(completion["reasoning"] or "")

    return one if size(one) > size(other) else other


def judge(gathered: Collector, done: Done, strict: bool) -> None:
    """An answer without text is an error; so is one that is not complete where `strict` asks.

    Raises:
        FilteredError: a filter left no text.
        IncompleteAnswer: only reasoning, or strict and not complete.
        MalformedAnswer: nothing at all came.
    """
    reason = done.finish_reason
    if any(piece.strip() for piece in gathered.text):
        if strict and not done.complete:
            raise IncompleteAnswer(f"the answer is not complete: {reason}", retryable=False)
        return
    if reason == "content_filter":
        raise FilteredError("the provider's filter left no text", hint="rephrase the prompt")
    if gathered.reasoning or gathered.hidden:
        raise IncompleteAnswer(
            "the model only reasoned and gave no answer",
            hint="raise --max-tokens" if reason == "length" else "ask again, or raise --max-tokens",
            retryable=False,
        )
    if reason == "length":
        raise IncompleteAnswer(
            "all tokens were used up before any text came",
            hint="raise --max-tokens: a reasoning model spends them on thinking first",
            retryable=False,
        )
    if reason == "tool_calls":
        raise IncompleteAnswer("the model called a tool, and none was offered", retryable=False)
    raise MalformedAnswer("the answer is empty", hint="ask again, or try another model")
