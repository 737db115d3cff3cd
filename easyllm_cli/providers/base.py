"""BaseLLMProvider: an adapter writes `events`; everything else is derived here."""

from __future__ import annotations

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, ClassVar, Self

from ..completion import Completion
from ..config.profile import DEFAULTS, Profile
from ..errors import ConfigError, EasyLLMError
from ..events import MAX_TEXT_BYTES, Done, Event, Model, Note, Text
from ..messages import Message, messages_of, question_about, with_system
from ..pipeline.collector import collect
from ..pipeline.completeness import Taken, judge
from ..pipeline.reasoning_tags import split_tags
from ..pipeline.retry import retrying
from ..vendors import vendor_of
from .ignored_settings import ignored_settings, not_for_a_library, refuse_lost_fields

Messages = Sequence[Message | Mapping[str, Any]]
LOOK_SECONDS = 10.0  # for small questions beside the answer: model lists, capabilities
Verdict = Callable[[Completion, bool], str]
SHOWN_AS_IT_COMES = ("text", "reasoning")
log = logging.getLogger(__name__)
# A library says nothing until its user asks: without this, warnings would go to stderr.
logging.getLogger("easyllm_cli").addHandler(logging.NullHandler())


class BaseLLMProvider(ABC):
    """One provider, reached as its profile says. Construct from a Profile or the spec's dict.

    Adapters write `events`, `models` and `aclose`; nobody but `stream` calls `events`. `sdk`: the
    provider's SDK in transport.SDKS, "" = none. Raises ConfigError for a profile that is wrong.
    """

    provider: ClassVar[str] = ""
    sdk: ClassVar[str] = ""
    models_note: ClassVar[str] = ""  # what `models` is, where it is not a server's own list
    ignored: ClassVar[tuple[str, ...]] = ()  # settings that do nothing here: the user is told
    _settings_told = False

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        """`trust_configs`: the dict is your own, and may name files, commands and variables."""
        made = Profile.asked_for(profile, trust_configs)
        self.profile = made if made.provider else made.with_(provider=self.provider)
        if self.profile.transport == "sdk" and not self.sdk:
            raise ConfigError(
                f'{self.profile.provider} has no transport = "sdk"',
                hint="leave transport out of the profile",
            )
        self.model = self.profile.model or ""
        self.temperature = _or_default(self.profile, "temperature")
        self.max_tokens = _or_default(self.profile, "max_tokens")
        self.top_p = _or_default(self.profile, "top_p")
        self.top_k = self.profile.top_k
        self.look_seconds = LOOK_SECONDS
        for said in () if isinstance(profile, Profile) else not_for_a_library(made):
            log.warning("%s", said)

    @abstractmethod
    def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """One attempt at an answer: Start, then Reasoning, Text and Usage, then Done.

        `stream` False sends one plain request. Raises EasyLLMError; never retries.
        """

    @abstractmethod
    async def models(self) -> list[Model]:
        """What the server offers."""

    async def aclose(self) -> None:
        """Close every connection; the provider may be used again afterwards."""

    def for_one_answer(self) -> Self:
        """What answers: a provider that finds out things which are true for one answer only (a
        model, a key) does so on a copy, which shares its connections."""
        return self

    def message_fields(self) -> Collection[str]:
        """What of a message goes out beside role, text and pictures (message_fields.FIELDS, and
        `detail` of a picture); a message that says anything else is refused."""
        return ()

    def refuse_what_is_lost(self, messages: list[Message]) -> None:
        """Raise UsageError for fields of messages that would not be sent."""
        refuse_lost_fields(messages, self.message_fields(), self.profile.provider or "")

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

    def is_mine(self, listed: str) -> bool:
        """Whether a name of the server's list means the profile's model."""
        return listed == self.model or vendor_of(self.profile.provider).any_name

    async def listed(self) -> Model | None:
        """The profile's model as the server describes it; None = it is not in the list."""
        return next((one for one in await self.models() if self.is_mine(one.id)), None)

    async def try_key(self) -> None:
        """Ask whether the key is accepted, where the model list is given to everybody.

        Raises:
            AuthError: it is not.
        """

    async def explain(self, error: EasyLLMError) -> None:
        """Complete an error's hint with what only this server knows."""

    async def stream(
        self,
        messages: Messages,
        stream: bool = True,
        shown: Collection[str] = SHOWN_AS_IT_COMES,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
    ) -> AsyncGenerator[Event, None]:
        """The answer as events, retried by the profile's rules, inline reasoning split off.

        `stream` False: one plain request. `shown`: kinds of events that the caller shows at once;
        after one nothing is retried. `max_bytes`: of text and reasoning. `verdict`: told the
        Completion; raises when it does not count, gives a note ("" = none). Raises EasyLLMError;
        its `.partial` holds what came, as on a CancelledError that passes.
        """
        one = self.for_one_answer()
        asked, note = await one._asked(messages)
        for said in [*filter(None, (self._left_out(), note)), *_on_pictures(asked)]:
            yield Note(said)
        taken = Taken(max_bytes)

        def attempt() -> AsyncIterator[Event]:
            heard, hold = taken.before_split(one.events(asked, stream)), one.holds_text()
            return split_tags(heard, one.profile.reasoning_tags, hold or bool(note))

        try:
            async with aclosing(retrying(attempt, self.profile, shown)) as events:
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
                error.where = error.where or one.where
                await one.explain(error)
            raise

    async def _asked(self, messages: Messages) -> tuple[list[Message], str]:
        """What is sent, and a note about it ("" = none)."""
        asked = with_system(messages_of(messages), self.profile.system)
        self.refuse_what_is_lost(asked)
        if not self.profile.elicit:
            return asked, ""
        from ..pipeline.think_prompt import elicited  # for `cot` alone

        return await elicited(self, asked)

    def _left_out(self) -> str:
        """What to say, once, about settings that do nothing here; "" = nothing."""
        if self._settings_told or not vendor_of(self.profile.provider).adapter:
            return ""
        self._settings_told = True
        said = ignored_settings(self.profile, self.ignored)
        if said:
            log.warning("%s", said)
        return said

    async def chat(self, messages: Messages) -> Completion:
        """One plain request; `response` is the provider's body as parsed.

        Raises:
            EasyLLMError: by its class; IncompleteAnswer for a cut, unparsable or empty answer.
        """
        return await collect(self.stream(messages, stream=False, shown=()))

    async def chat_stream(self, messages: Messages) -> AsyncGenerator[str, None]:
        """The answer's text in pieces as it comes, without reasoning. Raises as `chat`."""
        async with aclosing(self.stream(messages)) as events:
            async for event in events:
                if isinstance(event, Text):
                    yield event.text

    async def vision_chat(
        self,
        prompt: str,
        image_data: bytes | str | os.PathLike[str],
        mime_type: str | None = None,
    ) -> Completion:
        """A question about one picture: bytes, base64, a data URL, a pathlib.Path or an https
        URL. A str may be a path only where the provider was made of a Profile or a trusted dict.

        `mime_type` is accepted for the spec's sake; the kind is told by the bytes.

        Raises:
            UsageError: no picture, or a prompt that is no text. EasyLLMError: as `chat`.
        """
        return await self.chat(question_about(prompt, image_data, not self.profile.untrusted))

    async def list_models(self) -> list[str]:
        """The ids of what the server offers."""
        return [model.id for model in await self.models()]


def _on_pictures(messages: list[Message]) -> list[str]:
    """Notes on the pictures that are asked about."""
    if not any(message.images for message in messages):
        return []
    from .image_inputs import notes_on  # for pictures alone

    return notes_on(messages)


def _or_default(profile: Profile, key: str) -> Any:
    value = getattr(profile, key)
    return DEFAULTS[key] if value is None else value
