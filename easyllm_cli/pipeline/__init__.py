"""The pipeline: the stages around an attempt at an answer, in their order.

An answer is a stream of events (`events.py`). An attempt is one request to one provider, as such a
stream: the `events` of an adapter. A stage gives the events of the attempt inside it, as it changes
them, and all stages of an answer share its record, the Call (`call.py`).

Each stage stands where it does for a reason:

- `fall_back` is the outermost: the next profile begins anew, with its own messages and retries.
- `prepare_messages` happens once for each profile. It is outside `check_completeness`, so that an
  answer that is rejected gets its partial text and a hint like any other error.
- `check_completeness` judges what all attempts came to. It is outside the retries: an answer that
  is complete in form but has no text is no reason to ask again.
- `retry_attempts` makes the attempts. What is inside it happens once an attempt.
- `split_reasoning` is inside it, because each attempt begins with a new state: text that it
  holds back belongs to one attempt.
- `answer_from_recordings` is inside it: reasoning, retries and the rest happen for real, too, when
  an attempt is answered from the cache or a recording.
- `limit_rate` and `reserve_budget` are inside that: retries and fallbacks count, too. A replayed
  attempt waits for no limit and costs nothing. Nothing is reserved while an attempt waits.
- Inside it is the attempt itself.

A new stage is a file with a function `(call, attempt) -> events`, and one more name in STAGES. The
outermost place sees every event that the caller gets. `check_completeness` records the events of
the stages inside it; a stage outside it that yields events of its own calls `call.record`. A stage
closes the events inside it in a `finally`, which costs less than `aclosing` at every request.
Readers of a finished answer (-u, --json) are no stages: they read the Call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any

from ..completion import Completion
from ..events import Event
from .budget import reserve_budget
from .call import Attempt, Call, Stage
from .completeness import check_completeness
from .fallback import fall_back
from .preparation import prepare_messages
from .rate_limit import limit_rate
from .reasoning_split import split_reasoning
from .retry import retry_attempts
from .source import Source


def answer_from_recordings(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Answer from the cache or a recording where the call asks for it: the stage of replay.py."""
    call.replayed, call.cached_attempt, call.is_offline = None, None, False
    if not call.uses_recordings:
        return attempt()
    from .replay import replay_attempt  # most calls do not need it

    return replay_attempt(call, attempt)


# Outermost first.
STAGES: tuple[Stage, ...] = (
    fall_back,
    prepare_messages,
    check_completeness,
    retry_attempts,
    split_reasoning,
    answer_from_recordings,
    limit_rate,
    reserve_budget,
)


def run(call: Call, find_sources: Callable[[], Sequence[Source]]) -> AsyncGenerator[Event, None]:
    """The events of the answer: the stages around the attempts of the call's sources.

    `find_sources` gives the sources to ask in turn; it is called when the first event is awaited,
    in the event loop that answers.
    Raises, during the iteration:
        EasyLLMError: no source gave a complete answer; `.partial` is the longest text of all
            attempts, as on a CancelledError.
    """
    call.find_sources = find_sources
    attempt: Attempt = partial(_ask, call)
    for stage in reversed(STAGES):
        attempt = partial(stage, call, attempt)
    return attempt()


async def complete(call: Call, find_sources: Callable[[], Sequence[Source]]) -> Completion:
    """Read the whole answer. Raises as `run`."""
    async for _ in run(call, find_sources):
        pass
    return call.completion()


def _ask(call: Call) -> AsyncGenerator[Event, None]:
    """The events of one attempt.

    Raises:
        TypeError: the adapter's `events` is not an async generator.
    """
    assert call.source is not None
    events: Any = call.source.events(call.request_messages, call.stream)
    if not hasattr(events, "aclose"):
        if hasattr(events, "close"):
            events.close()  # a coroutine: avoids the "never awaited" warning
        raise TypeError("events is not an async generator")
    generator: AsyncGenerator[Event, None] = events
    return generator
