"""LLMService: any configuration in, an answer out; other profiles stand in for one that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from .errors import BusyError, EasyLLMError, IncompleteAnswer, NetworkError
from .events import MAX_TEXT_BYTES, Completion, Event, Retrying
from .profiles import Profile
from .providers import provider_for
from .providers.base import SHOWN_AS_IT_COMES, Messages, Verdict, longer

# DESIGN §5: fallback profiles are tried on exit codes 5, 6 and on 7 with nothing shown.
FALLS_BACK = (BusyError, NetworkError, IncompleteAnswer)


class LLMService:
    """The one way in: give it a Profile or the spec's config dict, and messages."""

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
