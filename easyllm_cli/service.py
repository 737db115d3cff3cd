"""LLMService: any configuration in, an answer out; other profiles stand in for one that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from .errors import BusyError, EasyLLMError, IncompleteAnswer, NetworkError
from .events import MAX_TEXT_BYTES, Completion, Event, Retrying, collect
from .profiles import Profile
from .providers import provider_for
from .providers.base import SHOWN_AS_IT_COMES, Messages, Verdict, longer

# DESIGN §5: fallback profiles are tried on exit codes 5, 6 and on 7 with nothing shown.
FALLS_BACK = (BusyError, NetworkError, IncompleteAnswer)


class LLMService:
    """The one way in: give it a Profile or the spec's config dict, and messages.

    `db_session`: a SQLAlchemy Session or sessionmaker, for configs that stand in a database.
    `config_class`: the host application's mapped class; without it database.ModelConfig.
    """

    def __init__(self, db_session: Any = None, config_class: type | None = None) -> None:
        self.db_session = db_session
        self.config_class = config_class

    def load_config_from_db(self, model_config_id: Any) -> dict[str, Any]:
        """The config in the database row with this id, for `chat` and the others; its api_key is
        a Secret. Runs one query in the caller's thread.

        Raises:
            ConfigError: as database.load_config, or there is no `db_session`.
        """
        from .database import load_config

        return load_config(self.db_session, model_config_id, self.config_class)

    async def chat_with_config_id(self, model_config_id: Any, messages: Messages) -> Completion:
        """`chat` with the config in a database row; a sessionmaker is asked in a thread.

        Raises:
            ConfigError: as `load_config_from_db`. EasyLLMError: as `chat`.
        """
        from .database import load_config_in_thread

        config = await load_config_in_thread(self.db_session, model_config_id, self.config_class)
        return await self.chat(config, messages)

    async def chat(self, config: Profile | Mapping[str, Any], messages: Messages) -> Completion:
        """One plain request; raises as `stream`."""
        return await collect(self.stream(config, messages, stream=False, shown=()))

    async def stream(
        self,
        config: Profile | Mapping[str, Any],
        messages: Messages,
        *,
        stream: bool = True,
        shown: Collection[str] = SHOWN_AS_IT_COMES,
        max_bytes: int = MAX_TEXT_BYTES,
        verdict: Verdict | None = None,
        fallbacks: Sequence[Profile | Mapping[str, Any]] = (),
    ) -> AsyncIterator[Event]:
        """The answer as events; Start names who answers, Retrying says that it begins again.

        `shown`: the kinds of events the caller shows at once; after the first of them no other
        profile is asked. `fallbacks`: asked in turn when the one before is busy, cannot be
        reached, or gives no whole answer. `max_bytes`, `verdict`: as BaseLLMProvider.stream.
        Raises the last one's error, with the longest text that came as `.partial`.
        """
        waiting = [provider_for(Profile.of(one)) for one in (config, *fallbacks)]
        attempts, best = 1, Completion(text="", reasoning=None)
        while waiting:
            provider, seen = waiting.pop(0), False
            chain: Any = provider.stream(messages, stream, shown, max_bytes, verdict)
            try:
                async with aclosing(chain) as events:
                    async for event in events:
                        seen = seen or event.kind in shown
                        if isinstance(event, Retrying):  # counted through all profiles
                            event = Retrying(attempts := attempts + 1, event.wait, event.why)
                        yield event
                return
            except EasyLLMError as error:
                best = error.partial = longer(best, error.partial or best)
                if seen or not waiting or not isinstance(error, FALLS_BACK):
                    raise
                why = f"{error.what} ({error.where}); asking profile {waiting[0].profile.name}"
            finally:
                await provider.aclose()
            attempts += 1
            yield Retrying(attempts, 0.0, why)
