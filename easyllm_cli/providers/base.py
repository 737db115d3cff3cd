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
from ..config.profile import DEFAULT_SAMPLING, Profile
from ..errors import ConfigError, EasyLLMError
from ..events import MAX_TEXT_BYTES, Done, Event, Model, Note, Text
from ..messages import Message, build_vision_messages, parse_messages, with_system_prompt
from ..pipeline.collector import collect
from ..pipeline.completeness import BestAttempt, require_complete
from ..pipeline.reasoning_tags import split_tags
from ..pipeline.retry import stream_with_retries
from ..vendors import get_vendor
from .ignored_settings import ignored_settings_note, library_warnings, refuse_unsupported_fields

Messages = Sequence[Message | Mapping[str, Any]]
METADATA_TIMEOUT_SECONDS = 10.0  # for small questions beside the answer: model lists, capabilities
Verdict = Callable[[Completion, bool], str]
SHOWN_KINDS = ("text", "reasoning")
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
    _settings_noted = False

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        """`trust_configs`: the dict is your own, and may name files, commands and variables."""
        made = Profile.from_config(profile, trust_configs)
        self.profile = made if made.provider else made.replace_set(provider=self.provider)
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
        self.metadata_timeout = METADATA_TIMEOUT_SECONDS
        for said in () if isinstance(profile, Profile) else library_warnings(made):
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

    def per_answer_copy(self) -> Self:
        """What answers: a provider that finds out things which are true for one answer only (a
        model, a key) does so on a copy, which shares its connections."""
        return self

    def message_fields(self) -> Collection[str]:
        """What of a message goes out beside role, text and pictures (message_fields.FIELDS, and
        `detail` of a picture); a message that says anything else is refused."""
        return ()

    def refuse_unsupported(self, messages: list[Message]) -> None:
        """Raise UsageError for fields of messages that would not be sent."""
        refuse_unsupported_fields(messages, self.message_fields(), self.profile.provider or "")

    @property
    def where(self) -> str:
        """The profile, for error lines."""
        return f"profile {self.profile.name}" if self.profile.name else self.provider

    def has_inline_reasoning(self) -> bool:
        """Whether text is held until no lone `</think>` can follow (DESIGN §7, inline tags)."""
        return False

    async def reasons(self) -> bool | None:
        """Whether the server says that the model reasons by itself; None = it does not say."""
        return None

    def matches_model(self, model_id: str) -> bool:
        """Whether a name of the server's list means the profile's model."""
        return model_id == self.model or get_vendor(self.profile.provider).ignores_model_name

    async def find_model(self) -> Model | None:
        """The profile's model as the server describes it; None = it is not in the list."""
        return next((one for one in await self.models() if self.matches_model(one.id)), None)

    async def check_key(self) -> None:
        """Ask whether the key is accepted, where the model list is given to everybody.

        Raises:
            AuthError: it is not.
        """

    async def add_hint(self, error: EasyLLMError) -> None:
        """Complete an error's hint with what only this server knows."""

    async def stream(
        self,
        messages: Messages,
        stream: bool = True,
        shown: Collection[str] = SHOWN_KINDS,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
    ) -> AsyncGenerator[Event, None]:
        """The answer as events, retried by the profile's rules, inline reasoning split off.

        `stream` False: one plain request. `shown`: kinds of events that the caller shows at once;
        after one nothing is retried. `max_bytes`: of text and reasoning. `verdict`: told the
        Completion; raises when it does not count, gives a note ("" = none). Raises EasyLLMError;
        its `.partial` holds what came, as on a CancelledError that passes.
        """
        one = self.per_answer_copy()
        asked, note = await one._build_messages(messages)
        for said in [*filter(None, (self._ignored_settings_note(), note)), *_image_notes(asked)]:
            yield Note(said)
        taken = BestAttempt(max_bytes)

        def attempt() -> AsyncIterator[Event]:
            heard, hold = taken.collect_raw(one.events(asked, stream)), one.has_inline_reasoning()
            return split_tags(heard, one.profile.reasoning_tags, hold or bool(note))

        try:
            async with aclosing(stream_with_retries(attempt, self.profile, shown)) as events:
                async for event in events:
                    taken.feed(event)
                    if isinstance(event, Done):
                        require_complete(taken.collector, event, self.profile.strict)
                        if verdict and (said := verdict(taken.completion(), event.limited)):
                            yield Note(said)
                    yield event
        except (EasyLLMError, asyncio.CancelledError) as error:
            error.partial = taken.best()  # type: ignore[union-attr]
            if isinstance(error, EasyLLMError):
                error.where = error.where or one.where
                await one.add_hint(error)
            raise

    async def _build_messages(self, messages: Messages) -> tuple[list[Message], str]:
        """What is sent, and a note about it ("" = none)."""
        asked = with_system_prompt(parse_messages(messages), self.profile.system)
        self.refuse_unsupported(asked)
        if not self.profile.elicit:
            return asked, ""
        from ..pipeline.think_prompt import with_think_prompt  # for `cot` alone

        return await with_think_prompt(self, asked)

    def _ignored_settings_note(self) -> str:
        """What to say, once, about settings that do nothing here; "" = nothing."""
        if self._settings_noted or not get_vendor(self.profile.provider).adapter:
            return ""
        self._settings_noted = True
        said = ignored_settings_note(self.profile, self.ignored)
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
        return await self.chat(
            build_vision_messages(prompt, image_data, not self.profile.untrusted)
        )

    async def list_models(self) -> list[str]:
        """The ids of what the server offers."""
        return [model.id for model in await self.models()]


def _image_notes(messages: list[Message]) -> list[str]:
    """Notes on the pictures that are asked about."""
    if not any(message.images for message in messages):
        return []
    from .image_inputs import orientation_notes  # for pictures alone

    return orientation_notes(messages)


def _or_default(profile: Profile, key: str) -> Any:
    value = getattr(profile, key)
    return DEFAULT_SAMPLING[key] if value is None else value
