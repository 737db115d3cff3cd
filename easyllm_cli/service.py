"""LLMService: the library's entry point; sends messages to any provider, with fallbacks."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self

from .completion import Completion
from .config.profile_loading import Config, resolve_configs
from .config.setting_values import has_type, is_dollar_amount
from .config.settings import AUTO_PROVIDER
from .errors import EasyLLMError, UsageError
from .events import MAX_TEXT_BYTES, Event, Text
from .messages import Message, build_vision_messages, parse_messages
from .pipeline import run
from .pipeline.call import SHOWN_KINDS, Call, Verdict
from .pipeline.collector import Collector
from .pipeline.reasoning_tags import TagSplitter
from .providers import provider_names
from .providers.base import BaseLLMProvider, Messages
from .providers.ignored_settings import library_warnings
from .providers.provider_cache import ProviderCache

if TYPE_CHECKING:
    from .config.profile import Profile
    from .recordings import Recordings

log = logging.getLogger(__name__)


class LLMService:
    """Asks language models: each call takes a config and messages.

    A config is a Profile, a dict, or a name for `load_profile` (never a text from somebody else: a
    named profile is used with your key). A dict also sends the defaults temperature 0.7, max_tokens
    8192 and top_p 0.9 unless it sets them or `send_defaults`; they are left out for models that
    refuse them. A Profile sends only its own settings. A message is a Message or a dict in OpenAI's
    shape.
    Providers and their connections are reused by later calls; `async with LLMService() as service:`
    closes those of its event loop.

    Every call raises subclasses of EasyLLMError: ConfigError and UsageError before a request is
    sent, AuthError, BillingError, RefusedError, BusyError, NetworkError, and IncompleteAnswer for
    an answer that is cut, empty or unreadable. The part that had arrived is in `error.partial`.

    `db_session`: a SQLAlchemy Session or sessionmaker, for configs in a database.
    `config_class`: the application's mapped class; default: config.database.ModelConfig.
    `provider_of`: maps the application's own `provider_id` of a row to a provider's name; None =
    unknown.
    `trust_configs`: trust config dicts. By default a dict may come from another person: it cannot
    name a command, file, environment variable, proxy, stored key or other profile, nor use the
    cache, and an image given as a str is never read as a path. A Profile, the name of one and a
    pathlib.Path are always trusted.
    `history`: keep every answer with its texts in the history (docs/history.md), unless its profile
    or the variable EASYLLM_HISTORY says `metadata` or `off`. It is written in a thread when the
    answer ends. `history_keep` of the user's profiles file counts, too.
    `cache`: how long an answer is kept and given again to the same request, e.g. `24h`; a profile's
    `cache` comes first. `record`: a file or folder to which every attempt is recorded. `replay`:
    one to answer from, without any request (docs/recordings.md). The `response` of an answer that
    is replayed is None.
    `max_cost`: what each call may cost with all its attempts, in US dollars; an attempt that may
    cost more is not sent: BudgetError. The prices in dicts from other people do not count.
    """

    def __init__(
        self,
        db_session: Any = None,
        config_class: type | None = None,
        *,
        trust_configs: bool = False,
        provider_of: Callable[[Any], str | None] | None = None,
        history: bool = False,
        cache: str | None = None,
        record: str | os.PathLike[str] | None = None,
        replay: str | os.PathLike[str] | None = None,
        max_cost: float | None = None,
    ) -> None:
        """Raises UsageError: as `Recordings`, e.g. `record` is given with `replay`; `max_cost`."""
        self.db_session = db_session
        self.config_class = config_class
        self.trust_configs = trust_configs
        self.provider_of = provider_of
        self.history = history
        self.recordings: Recordings | None = None
        if (cache, record, replay) != (None, None, None):
            from .recordings import Recordings  # most services need none of it

            self.recordings = Recordings(cache, record, replay)
        self.max_cost = max_cost
        is_amount = has_type(max_cost, "float") and is_dollar_amount(max_cost or 0)
        if max_cost is not None and not is_amount:
            raise UsageError("max_cost must be a number of US dollars, at least 0")
        self._provider_cache = ProviderCache()
        self._warned_settings: set[str] = set()  # settings that have no effect in a library

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection of the running event loop; the service may be used again."""
        await self._provider_cache.aclose()

    def clear_cache(self) -> None:
        """Forget every provider; the next call creates a new one.

        Answers in progress continue. Idle connections are closed by their event loop when it next
        runs; those of an event loop that has ended are closed already.
        """
        self._provider_cache.clear()

    def __copy__(self) -> Self:
        """A service with the same settings and database, but its own connections."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), _provider_cache=ProviderCache(), _warned_settings=set())
        return copy

    def __deepcopy__(self, memo: object) -> Self:
        return self.__copy__()

    def list_supported_providers(self) -> list[str]:
        """The names for a config's `provider`: the built-in ones, then those of plugins."""
        return provider_names()

    async def chat(
        self, config: Config, messages: Messages, *, fallbacks: Sequence[Config] | None = None
    ) -> Completion:
        """Ask with a buffered request and return the whole answer; `fallbacks`: as `stream`.

        The dict has `text` (str), `reasoning` (str, None = none), `usage` (`prompt_tokens`,
        `completion_tokens`, `total_tokens`, `reasoning_tokens`, `cached_tokens`: int, None = not
        reported), `response` (the provider's parsed body), `finish_reason`, `complete` (False if a
        limit or a filter cut the text), `model` and `provider`.

        Raises:
            EasyLLMError: a subclass; IncompleteAnswer for a cut, unreadable or empty answer.
        """
        call = Call(parse_messages(messages), stream=False, shown=())
        async for _ in self._run(call, config, fallbacks):
            pass
        return call.completion()

    async def chat_stream(
        self, config: Config, messages: Messages, *, fallbacks: Sequence[Config] | None = None
    ) -> AsyncGenerator[str, None]:
        """Stream the answer's text without reasoning; `fallbacks`: as `stream`.

        Raises:
            EasyLLMError: as `chat`, during the iteration: a loop that ends without an error has
                received the whole answer.
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
        fallbacks: Sequence[Config] | None = None,
    ) -> Completion:
        """Ask about one image; the rest as `chat`.

        `image_data`: bytes, base64, a data URL, a pathlib.Path or an https URL, at most 20 MB; a
        str may be a path only with a Profile, a profile's name or `trust_configs`.
        `mime_type` is accepted but ignored: the bytes tell the format.

        Raises:
            UsageError: it is not a readable image. EasyLLMError: as `chat`.
        """
        profile, *others = resolve_configs(config, fallbacks, self.trust_configs)
        messages = build_vision_messages(prompt, image_data, not profile.untrusted)
        return await self.chat(profile, messages, fallbacks=others)

    async def get_response(self, config: Config, prompt: str | Messages) -> str:
        """Return only the answer's text; `prompt` is a string or messages. Raises as `chat`."""
        text: str = (await self.chat(config, _messages_from_prompt(prompt)))["text"]
        return text

    async def get_response_with_cot(self, config: Config, prompt: str | Messages) -> dict[str, str]:
        """Ask and return {"answer", "cot"}, as `extract_answer_and_cot` does.

        Raises as `chat`.
        """
        return self.extract_answer_and_cot(await self.chat(config, _messages_from_prompt(prompt)))

    def extract_answer_and_cot(self, response: Mapping[str, Any] | str) -> dict[str, str]:
        """Split a response of `chat`, or any text, into {"answer", "cot"}; "" = none.

        The chain of thought is the response's `reasoning`. If that is empty, it is the text inside
        `<think>`, `<thinking>` or `<thought>` at the start, or before a lone `</think>`.

        Raises:
            UsageError: it is neither a string nor a dict with `text`.
        """
        text = response.get("text") if isinstance(response, Mapping) else response
        if not isinstance(text, str):
            raise UsageError(
                "no text to take an answer from", hint="pass the response of chat(), or a string"
            )
        reasoning = response.get("reasoning") if isinstance(response, Mapping) else None
        if reasoning:
            return {"answer": text, "cot": reasoning}
        collector, splitter = Collector(limit=None), TagSplitter("auto", hold=True)
        for event in [*splitter.feed(text), *splitter.end()]:
            collector.feed(event)
        completion = collector.completion()
        return {"answer": completion["text"], "cot": completion["reasoning"] or ""}

    def load_config_from_db(self, model_config_id: Any) -> dict[str, Any]:
        """Load the config dict from the database row with this id; its `api_key` is a Secret.

        Runs one query in the caller's thread.

        Raises:
            ConfigError: as config.database.load_config, or there is no `db_session`.
        """
        from .config.database import load_config

        return load_config(self.db_session, model_config_id, self.config_class, self.provider_of)

    async def chat_with_config_id(self, model_config_id: Any, messages: Messages) -> Completion:
        """`chat` with the config of a database row; with a sessionmaker the query runs in a thread.

        Raises:
            ConfigError: as `load_config_from_db`. EasyLLMError: as `chat`.
        """
        from .config.database import load_config_in_thread

        config = await load_config_in_thread(
            self.db_session, model_config_id, self.config_class, self.provider_of
        )
        return await self.chat(config, messages)

    def stream(
        self,
        config: Config,
        messages: Messages,
        *,
        stream: bool = True,
        shown: Collection[str] = SHOWN_KINDS,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
        fallbacks: Sequence[Config] | None = None,
        retry_on: Callable[[EasyLLMError], bool] | None = None,
        on_call: Callable[[Call], object] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Stream the answer as events; each new attempt starts with Retrying.

        `fallbacks`: configs to try in order if the one before is busy, unreachable or incomplete,
        unless a kind in `shown` was yielded; None = the config's own. `retry_on`: whether an error
        is retried; default: its `retryable`. `on_call` gets the record of the answer at once; it is
        complete when the events end. The others: as BaseLLMProvider.stream.
        `collect` makes a Completion of the events; its `response` is {"frames": n, "last": …}.
        Raises UsageError at once for messages that are wrong; EasyLLMError of the last config
        during the iteration: `.partial` is the longest text of all attempts.
        """
        call = Call(
            parse_messages(messages), stream=stream, shown=shown, max_bytes=max_bytes,
            verdict=verdict, retry_on=retry_on,
        )  # fmt: skip
        if on_call is not None:
            on_call(call)
        return self._run(call, config, fallbacks)

    def _run(
        self, call: Call, config: Config, fallbacks: Sequence[Config] | None
    ) -> AsyncGenerator[Event, None]:
        """The events of the answer; with `history`, the answer is kept when they end."""
        call.recordings = self.recordings
        asked: list[Profile] = []

        def find_providers() -> list[BaseLLMProvider]:
            profiles = self._resolve_profiles(config, fallbacks)
            asked.extend(profiles)
            if profiles[0].provider == AUTO_PROVIDER:
                profiles = [*_choose_profiles(profiles[0], call), *profiles[1:]]
                asked.extend(profiles)
            return list(dict.fromkeys(map(self._provider_cache.get, profiles)))

        events = run(call, find_providers)
        if not self.history:
            return events
        from .history.keeping import save_call_at_end

        return save_call_at_end(call, events, asked)

    def _resolve_profiles(
        self, config: Config, fallbacks: Sequence[Config] | None
    ) -> list[Profile]:
        """The profiles to ask in turn; warns of a dict's settings without effect."""
        profiles = resolve_configs(config, fallbacks, self.trust_configs)
        if self.max_cost is not None:
            profiles = [_limit_cost(profile, self.max_cost) for profile in profiles]
        for warning in library_warnings(profiles[0], follows_fallback=True):
            if warning not in self._warned_settings:
                self._warned_settings.add(warning)
                log.warning("%s", warning)
        return profiles


def _choose_profiles(auto: Profile, call: Call) -> list[Profile]:
    """The candidates of an auto profile in the order to ask them. Raises as `require_candidate`."""
    from .config.auto_profile import find_candidates
    from .routing import choose_route  # most calls need no choice

    candidates = [each.replace_set(max_cost=auto.max_cost) for each in find_candidates(auto)]
    recording = call.recordings.recording if call.recordings else None
    route = choose_route(auto, candidates, call.messages, recording=recording)
    route.require_candidate()
    route.apply(call)
    return route.profiles


def _limit_cost(profile: Profile, max_cost: float) -> Profile:
    """The profile with this limit of what an answer may cost, unless its own is lower."""
    if profile.max_cost is not None:
        max_cost = min(profile.max_cost, max_cost)
    return profile.replace_set(max_cost=max_cost)


def _messages_from_prompt(prompt: str | Messages) -> Messages:
    return [Message("user", (prompt,))] if isinstance(prompt, str) else prompt
