"""Base class of all providers: derives streaming, chat and retries from an adapter's `events`."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..completion import Completion
from ..config.profile import Profile
from ..config.settings import DEFAULT_SAMPLING
from ..errors import ConfigError, EasyLLMError
from ..events import MAX_TEXT_BYTES, Event, Model, Note, Text
from ..messages import Message, build_vision_messages, has_images, parse_messages
from ..pipeline import complete, run
from ..pipeline.call import SHOWN_KINDS, Call, Verdict
from ..secret import Secret
from ..vendors import get_vendor
from .ignored_settings import (
    ignored_settings_note,
    library_warnings,
    refuse_system_images,
    refuse_unsupported_fields,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Messages = Sequence[Message | Mapping[str, Any]]
METADATA_TIMEOUT_SECONDS = 10.0  # for requests such as the model list and capabilities
log = logging.getLogger(__name__)
# Without a handler, Python prints warnings to stderr; a library should log only if asked to.
logging.getLogger("easyllm_cli").addHandler(logging.NullHandler())


class BaseLLMProvider(ABC):
    """A connection to one model, configured by a Profile or a dict of settings.

    Adapters implement `events`, `models` and `aclose`; only `stream` calls `events`. `sdk`: the
    provider's SDK in transport.SDK_TRANSPORTS, "" = none.
    Raises:
        ConfigError: the profile is not valid.
    """

    provider: ClassVar[str] = ""
    sdk: ClassVar[str] = ""
    models_note: str = ""  # describes `models` if it is not the server's own list
    ignored: ClassVar[tuple[str, ...]] = ()  # settings without effect here; a note names them
    system_is_text: ClassVar[bool] = False  # whether the protocol's system prompt takes no images
    # The entry point that offered the class to the registry, which sets it; None = it is built in.
    entry_point: EntryPoint | None = None
    # Whether `events` yields Start before anything is sent that costs money.
    starts_before_request: ClassVar[bool] = False
    # The longest answer that a budget pays for, in tokens; `events` sends it unless the profile
    # sets a limit of its own. None = no budget.
    output_limit: int | None = None
    # Waits until another request of the same attempt may be sent; the rate-limit stage sets it.
    before_repeat: Callable[[], AsyncGenerator[Note, None]] | None = None
    _settings_noted = False

    def __init__(
        self, profile: Profile | Mapping[str, Any], *, trust_configs: bool = False
    ) -> None:
        """`trust_configs`: allow a dict to name files, commands and environment variables."""
        parsed = Profile.from_config(profile, trust_configs)
        self.profile = parsed if parsed.provider else parsed.replace_set(provider=self.provider)
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
        for warning in () if isinstance(profile, Profile) else library_warnings(parsed):
            log.warning("%s", warning)

    @abstractmethod
    def events(self, messages: list[Message], stream: bool) -> AsyncIterator[Event]:
        """Run one attempt: yield Start, then Reasoning, Text and Usage, then Done.

        `stream` False sends a buffered request. Adapters do not retry here.
        Raises:
            EasyLLMError: the attempt failed.
        """

    async def wait_to_repeat(self) -> AsyncGenerator[Note, None]:
        """Wait for the rate limit; adapters call it before each further request of an attempt."""
        if self.before_repeat is not None:
            async with aclosing(self.before_repeat()) as notes:
                async for note in notes:
                    yield note

    @abstractmethod
    async def models(self) -> list[Model]:
        """The models that the server offers."""

    async def aclose(self) -> None:
        """Close all connections. The provider may be used again afterwards."""

    def per_answer_copy(self) -> Self:
        """A copy for one answer, which shares the connections.

        What is true for one answer only is set on it: its limit, its model, its key.
        """
        return self.__copy__()

    def __copy__(self) -> Self:
        """What copy.copy does, at a third of its cost."""
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def message_fields(self) -> Collection[str]:
        """Message fields that the adapter sends besides role, text and images.

        Names of message_fields.MESSAGE_FIELDS, and `detail` of an image. Others are refused.
        """
        return ()

    def refuse_unsupported(self, messages: list[Message]) -> None:
        """Raise UsageError for what the adapter cannot send of the messages."""
        if self.system_is_text:
            refuse_system_images(messages, self.profile.provider or "")
        refuse_unsupported_fields(messages, self.message_fields(), self.profile.provider or "")

    @property
    def where(self) -> str:
        """The profile's name (or the provider's), for error messages."""
        return f"profile {self.profile.name}" if self.profile.name else self.provider

    def has_inline_reasoning(self) -> bool:
        """Whether to hold text back until no lone `</think>` can follow; see TagSplitter."""
        return False

    async def reasons(self) -> bool | None:
        """Whether the model reasons by itself, according to the server; None = unknown."""
        return None

    def matches_model(self, model_id: str) -> bool:
        """Whether an id of the model list is the profile's model."""
        return model_id == self.model or get_vendor(self.profile.provider).ignores_model_name

    async def find_model(self) -> Model | None:
        """The profile's model as the server describes it; None = it is not in the list."""
        return next((model for model in await self.models() if self.matches_model(model.id)), None)

    async def check_key(self) -> None:
        """Check the key with a request, if the server's model list is public.

        Raises:
            AuthError: the server refuses the key.
        """

    async def add_hint(self, error: EasyLLMError) -> None:
        """Set a more specific hint on an error; may send a request, e.g. for the model list."""

    @property
    def rate_limit_headers(self) -> Mapping[str, str]:
        """The rate-limit headers of the last response, with lower-case names."""
        return {}

    def limit_output(self, tokens: int | None) -> None:
        """Set `output_limit`. An adapter that sends it overrides this method.

        Raises:
            ConfigError: nobody limits the answer, neither this adapter nor the profile.
        """
        if tokens is not None and self.profile.output_limit() is None:
            raise ConfigError(
                f"a budget is set, and {self.profile.provider} may not limit its answers",
                where=self.where, hint="set max_tokens in the profile, or --max-tokens",
            )  # fmt: skip
        self.output_limit = tokens

    def limit_scope(self) -> tuple[str, Secret | None]:
        """Who is asked, and the key; profiles that have both in common share their rate limit.

        It is the base URL, of which the origin counts, or the provider and the model.
        """
        return f"{self.profile.provider} {self.model}", None

    def input_notes(self, messages: list[Message]) -> list[str]:
        """Notes about settings without effect, once per provider object, and about images."""
        notes = [] if self._settings_noted else [self._ignored_settings_note()]
        self._settings_noted = True
        return [*filter(None, notes), *_image_notes(messages)]

    def request_key(self, messages: list[Message]) -> dict[str, Any]:
        """All that decides the answer, without keys, as JSON values: the profile and the messages.

        HTTPProvider gives the request itself.
        """
        from .request_key import plain_request_key  # only replay needs it

        return plain_request_key(self.profile, messages)

    def plugin_error(self, error: BaseException) -> ConfigError | None:
        """An exception of a plugin's code as an error that names it; None for a built-in class."""
        if self.entry_point is None or isinstance(error, EasyLLMError):
            return None
        from ..plugins import plugin_error  # only plugins need it

        return plugin_error(self.entry_point, error)

    def stream(
        self,
        messages: Messages,
        stream: bool = True,
        shown: Collection[str] = SHOWN_KINDS,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Answer the messages as a stream of events, through the stages of `pipeline`.

        `stream` False: buffered request. `shown`: kinds of events that the caller shows at once;
        no retry after one of them. `max_bytes`: limit for text and reasoning. `verdict`: gets the
        Completion and Done.limited; raises to reject the answer, or returns a note ("" = none).
        Raises EasyLLMError; `.partial` is the partial answer, as on a CancelledError.
        """
        call = Call(
            parse_messages(messages), stream=stream, shown=shown, max_bytes=max_bytes,
            verdict=verdict,
        )  # fmt: skip
        return run(call, lambda: [self])

    def _ignored_settings_note(self) -> str:
        """A note about settings without effect here; "" = none."""
        if not get_vendor(self.profile.provider).adapter:
            return ""
        note = ignored_settings_note(self.profile, self.ignored)
        if note:
            log.warning("%s", note)
        return note

    async def chat(self, messages: Messages) -> Completion:
        """Answer with a buffered request. `response` of the Completion is the parsed body.

        Raises:
            EasyLLMError: no attempt succeeded; IncompleteAnswer if the answer is cut off, cannot be
                parsed or is empty.
        """
        call = Call(parse_messages(messages), stream=False, shown=())
        return await complete(call, lambda: [self])

    async def chat_stream(self, messages: Messages) -> AsyncGenerator[str, None]:
        """Yield the answer's text as it arrives, without reasoning. Raises as `chat`."""
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
        """Ask about one image: bytes, base64, a data URL, a pathlib.Path or an https URL.

        A str may be a path only if the provider was created from a Profile or a trusted dict.
        `mime_type` is accepted but ignored: the type is read from the bytes.

        Raises:
            UsageError: there is no image, or the prompt is not text.
            EasyLLMError: as `chat`.
        """
        return await self.chat(
            build_vision_messages(prompt, image_data, not self.profile.untrusted)
        )

    async def list_models(self) -> list[str]:
        """The ids of the models that the server offers."""
        return [model.id for model in await self.models()]


def _image_notes(messages: list[Message]) -> list[str]:
    """Notes about images that are stored rotated."""
    if not has_images(messages):
        return []
    from .image_inputs import orientation_notes  # only images need it

    return orientation_notes(messages)


def _or_default(profile: Profile, key: str) -> Any:
    value = getattr(profile, key)
    return DEFAULT_SAMPLING[key] if value is None else value
