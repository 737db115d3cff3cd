"""The events of an attempt, as a stream that is replayed, recorded, or kept in the cache."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from copy import copy
from typing import Any

from ..durations import format_age
from ..errors import EasyLLMError
from ..events import Event, Note, Start
from .file import Recorder, Recording
from .form import RecordedAttempt
from .key import RequestIdentity
from .store import read_cached, write_cached

Events = AsyncGenerator[Event, None]
# Gets "cache" or "file", and the attempt that is replayed.
OnReplay = Callable[[str, RecordedAttempt], None]
log = logging.getLogger(__name__)


class _Keeper:
    """Gathers the events of an attempt as they pass."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._events: list[tuple[int, Event]] = []
        self.attempt = RecordedAttempt(time.time(), self._events)

    def add(self, event: Event) -> Event:
        self._events.append((round((time.monotonic() - self._started) * 1000), event))
        return event


async def replay_events(
    recording: Recording, identity: RequestIdentity, profile_name: str, on_replay: OnReplay
) -> Events:
    """Replay a request's recorded events without delay, or raise its recorded error."""
    recording.has(identity.replay_key)  # reads the file: its notes come even if `take` fails
    while recording.notes:
        yield Note(recording.notes.pop(0))
    attempt = recording.take(identity)
    on_replay("file", attempt)
    for event in _events_of(attempt, profile_name):
        yield event
    if attempt.error is not None:
        raise copy(attempt.error)  # its place and hint are added to the copy


async def record_events(
    events: Events,
    identity: RequestIdentity,
    recorder: Recorder,
    add_hint: Callable[[EasyLLMError], Awaitable[None]],
    find_key: Callable[[], None],
    from_cache: Callable[[], RecordedAttempt | None],
) -> Events:
    """The events, which are recorded at their end; also if it is an error.

    An attempt that the user stops is not recorded. `add_hint` completes an error: when it is
    replayed, no server can be asked. `find_key` looks up the request's key, which the prompt must
    not hold: Start comes before anything is sent. `from_cache`: the attempt that the events come
    from, None = from a server; it is recorded as it was, without the note about the cache.
    Raises:
        EasyLLMError: as the events, and as `Recorder.record`.
    """
    recorder.require_writable()
    keeper = _Keeper()
    try:
        async with aclosing(events):
            async for event in events:
                keeper.add(event)
                if isinstance(event, Start) and from_cache() is None:
                    find_key()
                    recorder.refuse_known_key(identity)
                if keeper.attempt.done is not None:
                    recorder.record(identity, from_cache() or keeper.attempt)
                yield event
    except EasyLLMError as error:
        if keeper.attempt.done is None:
            await add_hint(error)
            keeper.attempt.error = error
            recorder.record(identity, keeper.attempt)
        raise


async def cached_events(
    events: Events,
    identify: Callable[[], RequestIdentity],
    max_age: float,
    profile_name: str,
    on_replay: OnReplay,
    accepts: Callable[[RecordedAttempt], bool],
    is_accepted: Callable[[], bool],
) -> Events:
    """The events of the answer in the cache; else those given, kept when they are accepted.

    `identify` is asked before the first event; where it names no model, again after Start, which
    names the server's choice and comes before anything is sent. `max_age` is in seconds.
    `accepts`: whether a kept answer is given; another call may have accepted what this one
    rejects. `is_accepted` is asked after Done. Raises as the events.
    """
    keeper = _Keeper()
    async with aclosing(events):
        identity = identify()
        if not identity.model:
            async for event in events:
                yield keeper.add(event)
                if isinstance(event, Start):
                    break
            identity = identify()
        cached = read_cached(identity.cache_key, max_age)
        if cached is not None and accepts(cached):
            on_replay("cache", cached)
            yield Note(f"from the cache, {format_age(describe_replay('cache', cached)['age_s'])}")
            is_begun = bool(keeper.attempt.events)  # its notes and its Start are given already
            for event in _events_of(cached, profile_name):
                if not is_begun:
                    yield event
                is_begun = is_begun and not isinstance(event, Start)
            return
        async for event in events:
            yield keeper.add(event)
        if is_accepted() and (note := _keep(identity.cache_key, keeper.attempt)):
            yield Note(note)


def _keep(key: str, attempt: RecordedAttempt) -> str:
    """Write a complete answer to the cache; returns a note if that fails ("" = it did not)."""
    if attempt.done is None or not attempt.done.complete or attempt.holds_known_key():
        return ""
    try:
        write_cached(key, attempt)
    except OSError as error:
        log.warning("the answer is not kept in the cache: %s", error)
        return f"the answer is not kept in the cache: {error.strerror or error}"
    return ""


def _events_of(attempt: RecordedAttempt, profile_name: str) -> Iterator[Event]:
    """The events, with the name of the profile that is asked now."""
    for _, event in attempt.events:
        if isinstance(event, Start):
            event = Start(event.provider, event.model, profile_name)
        yield event


def describe_replay(source: str, attempt: RecordedAttempt) -> dict[str, Any]:
    """`replayed` of --json: {"from": "cache" or "file", "age_s": seconds}."""
    return {"from": source, "age_s": max(0, int(time.time() - attempt.made_at))}
