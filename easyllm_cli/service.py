"""LLMService: any configuration in, an answer out; other profiles stand in for one that fails."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self

from .completion import Completion
from .config.profile import Profile
from .errors import BusyError, EasyLLMError, IncompleteAnswer, NetworkError, UsageError
from .events import MAX_TEXT_BYTES, UNLIMITED_BYTES, Event, Retrying, Text
from .messages import Message, build_vision_messages, parse_messages
from .pipeline.collector import Collector, collect
from .pipeline.completeness import longer_of
from .pipeline.reasoning_tags import TagSplitter
from .providers import provider_names
from .providers.base import SHOWN_KINDS, BaseLLMProvider, Messages, Verdict
from .providers.ignored_settings import library_warnings
from .providers.provider_cache import ProviderCache
from .transport.connections import CLOSED_LOCALLY

# DESIGN §5: fallback profiles are tried on exit codes 5, 6 and on 7 with nothing shown.
FALLBACK_ERRORS = (BusyError, NetworkError, IncompleteAnswer)
Config = Profile | Mapping[str, Any]
log = logging.getLogger(__name__)


class LLMService:
    """The one way in: give it a Profile or the spec's config dict, and messages.

    A message is a dict in OpenAI's shape or a Message. A dict as config is the spec's: its
    defaults (temperature 0.7, max_tokens 8192, top_p 0.9) are sent softly unless it says
    otherwise; a Profile sends only what it names. Providers, and with them connections, are kept
    for the next call; `async with LLMService() as service:` closes those of its event loop.

    Every call raises EasyLLMError by its class: ConfigError and UsageError for what is wrong
    before anything is sent, AuthError, RefusedError, BusyError, NetworkError, and
    IncompleteAnswer for an answer that is cut, empty or cannot be read. What had come is in the
    error's `.partial`.

    `db_session`: a SQLAlchemy Session or sessionmaker, for configs that stand in a database.
    `config_class`: the host application's mapped class; without it database.ModelConfig.
    `provider_of`: tells a provider's name for what a row says in `provider_id`, where that is an
    id of the host's own; None = it knows none.
    `trust_configs`: every config dict is your own. Without it a dict, which may be the words of a
    stranger, cannot name a command, file, variable, proxy or stored key, and a picture that is
    given as text is never a path. A Profile and a pathlib.Path are always your own words.
    """

    def __init__(
        self,
        db_session: Any = None,
        config_class: type | None = None,
        *,
        trust_configs: bool = False,
        provider_of: Callable[[Any], str | None] | None = None,
    ) -> None:
        self.db_session = db_session
        self.config_class = config_class
        self.trust_configs = trust_configs
        self.provider_of = provider_of
        self._provider_cache = ProviderCache()
        self._warned_settings: set[str] = set()  # settings that do nothing in a library

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection of the running event loop; the service may be used again."""
        await self._provider_cache.aclose()

    def clear_cache(self) -> None:
        """Forget every provider; the next call makes a new one.

        An answer that is under way goes on to its end. Connections that nobody uses are closed
        by their event loop as soon as it runs; those of a loop that has ended were closed then.
        """
        self._provider_cache.clear()

    def __copy__(self) -> Self:
        """Another service with the same settings and database, and connections of its own."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), _provider_cache=ProviderCache(), _warned_settings=set())
        return copy

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def list_supported_providers(self) -> list[str]:
        """The names that a config's `provider` takes: built-in ones, then those of plugins."""
        return provider_names()

    async def chat(
        self, config: Config, messages: Messages, *, fallbacks: Sequence[Config] = ()
    ) -> Completion:
        """The whole answer to one plain request; `fallbacks`: as `stream`.

        The dict has `text` (str), `reasoning` (str, None = none), `usage` (`prompt_tokens`,
        `completion_tokens`, `total_tokens`, `reasoning_tokens`, `cached_tokens`: int, None = not
        reported), `response` (the provider's body as parsed), `finish_reason`, `complete` (False
        where a limit or a filter cut the text), `model` and `provider`.

        Raises:
            EasyLLMError: by its class; IncompleteAnswer for a cut, unparsable or empty answer.
        """
        return await collect(
            self.stream(config, messages, stream=False, shown=(), fallbacks=fallbacks)
        )

    async def chat_stream(
        self, config: Config, messages: Messages, *, fallbacks: Sequence[Config] = ()
    ) -> AsyncGenerator[str, None]:
        """The answer's text in pieces as it comes, without reasoning; `fallbacks`: as `stream`.

        Raises:
            EasyLLMError: as `chat`, at the piece where it goes wrong: a loop over it that ends
            without an error has had the whole answer.
        """
        async with aclosing(self.stream(config, messages, fallbacks=fallbacks)) as events:
            async for event in events:
                if isinstance(event, Text):
                    yield event.text

    async def vision_chat(
        self,
        config: Config,
        prompt: str,
        image_data: bytes | str | os.PathLike[str],
        mime_type: str | None = None,
        *,
        fallbacks: Sequence[Config] = (),
    ) -> Completion:
        """The answer to a question about one picture, as `chat`.

        `image_data`: bytes, base64, a data URL, a pathlib.Path or an https URL, at most 20 MB; a
        str may be a path only beside a Profile, or with `trust_configs`.
        `mime_type` is accepted for the spec's sake; the kind is told by the bytes.

        Raises:
            UsageError: it is no picture that can be read. EasyLLMError: as `chat`.
        """
        profile = self._profile_from_config(config)
        messages = build_vision_messages(prompt, image_data, not profile.untrusted)
        return await self.chat(profile, messages, fallbacks=fallbacks)

    async def get_response(self, config: Config, prompt: str | Messages) -> str:
        """The answer's text alone; `prompt` is a question or messages. Raises as `chat`."""
        text: str = (await self.chat(config, _messages_from_prompt(prompt)))["text"]
        return text

    async def get_response_with_cot(self, config: Config, prompt: str | Messages) -> dict[str, str]:
        """The answer and its chain of thought, as `extract_answer_and_cot` gives them.

        Raises as `chat`.
        """
        return self.extract_answer_and_cot(await self.chat(config, _messages_from_prompt(prompt)))

    def extract_answer_and_cot(self, response: Mapping[str, Any] | str) -> dict[str, str]:
        """{"answer", "cot"} of a response of `chat`, or of any text; "" where there is none.

        The response's `reasoning` is the chain of thought; without it the text's inline tags
        (`<think>`, `<thinking>`, `<thought>`, at its start, or a lone `</think>`) mark it.

        Raises:
            UsageError: it is neither text nor a dict with `text`.
        """
        text = response.get("text") if isinstance(response, Mapping) else response
        if not isinstance(text, str):
            raise UsageError(
                "no text to take an answer from", hint="give it what chat() returned, or a text"
            )
        reasoning = response.get("reasoning") if isinstance(response, Mapping) else None
        if reasoning:
            return {"answer": text, "cot": reasoning}
        collector, splitter = Collector(UNLIMITED_BYTES), TagSplitter("auto", hold=True)
        for event in [*splitter.feed(text), *splitter.end()]:
            collector.feed(event)
        completion = collector.completion()
        return {"answer": completion["text"], "cot": completion["reasoning"] or ""}

    def load_config_from_db(self, model_config_id: Any) -> dict[str, Any]:
        """The config in the database row with this id, for `chat` and the others; its api_key is
        a Secret. Runs one query in the caller's thread.

        Raises:
            ConfigError: as database.load_config, or there is no `db_session`.
        """
        from .config.database import load_config

        return load_config(self.db_session, model_config_id, self.config_class, self.provider_of)

    async def chat_with_config_id(self, model_config_id: Any, messages: Messages) -> Completion:
        """`chat` with the config in a database row; a sessionmaker is asked in a thread.

        Raises:
            ConfigError: as `load_config_from_db`. EasyLLMError: as `chat`.
        """
        from .config.database import load_config_in_thread

        config = await load_config_in_thread(
            self.db_session, model_config_id, self.config_class, self.provider_of
        )
        return await self.chat(config, messages)

    async def stream(
        self,
        config: Config,
        messages: Messages,
        *,
        stream: bool = True,
        shown: Collection[str] = SHOWN_KINDS,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
        fallbacks: Sequence[Config] = (),
    ) -> AsyncGenerator[Event, None]:
        """The answer as events; Start names who answers, Retrying says that it begins again.

        `fallbacks`: asked in turn when the one before is busy, cannot be reached or gives no whole
        answer, unless a kind in `shown` was handed on. The others: as BaseLLMProvider.stream.
        `collect` makes a Completion of it, whose `response` is {"frames": n, "last": …}.
        Raises the last one's error, with the longest text that came as `.partial`.
        """
        parsed_messages = parse_messages(messages)  # once for all: an iterator has no second turn
        providers = self._resolve_providers(config, fallbacks)
        attempts, best = 1, Collector().completion()
        while providers:
            provider, has_shown = providers.pop(0), False
            try:
                answer = provider.stream(parsed_messages, stream, shown, max_bytes, verdict)
                async with aclosing(answer) as events:
                    async for event in events:
                        has_shown = has_shown or event.kind in shown
                        if isinstance(event, Retrying):  # counted through all profiles
                            event = Retrying(attempts := attempts + 1, event.wait, event.why)
                        yield event
                return
            except EasyLLMError as error:
                best = error.partial = longer_of(best, error.partial or best)
                if has_shown or not providers or not _can_fall_back(error):
                    raise
                why = f"{error.what} ({error.where}); asking profile {providers[0].profile.name}"
            attempts += 1
            log.warning("%r", why)
            yield Retrying(attempts, 0.0, why)

    def _profile_from_config(self, config: Config) -> Profile:
        return Profile.from_config(config, self.trust_configs)

    def _resolve_providers(
        self, config: Config, fallbacks: Sequence[Config]
    ) -> list[BaseLLMProvider]:
        """Who is asked in turn, each once; warns of settings that only the command line follows."""
        profiles = [self._profile_from_config(each) for each in (config, *fallbacks)]
        for warning in library_warnings(profiles[0], bool(fallbacks)):
            if warning not in self._warned_settings:
                self._warned_settings.add(warning)
                log.warning("%s", warning)
        return list(dict.fromkeys(self._provider_cache.get(profile) for profile in profiles))


def _can_fall_back(error: EasyLLMError) -> bool:
    """Whether another configuration may do better; not where we ended the answer ourselves."""
    return isinstance(error, FALLBACK_ERRORS) and error.code != CLOSED_LOCALLY


def _messages_from_prompt(prompt: str | Messages) -> Messages:
    return [Message("user", (prompt,))] if isinstance(prompt, str) else prompt
