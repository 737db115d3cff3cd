"""Answers an attempt from the cache, or keeps its answer there when it is accepted."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..completion import Completion
from ..durations import format_age
from ..errors import EasyLLMError
from ..events import Event, Note, Start
from ..recordings.attempt import RecordedAttempt
from ..recordings.store import read_cached, write_cached
from .call import Call
from .collector import Collector
from .completeness import require_complete
from .reasoning_tags import TagSplitter
from .request_identity import identify_request

log = logging.getLogger(__name__)


async def answer_from_cache(
    call: Call, events: AsyncGenerator[Event, None], max_age: float
) -> AsyncGenerator[Event, None]:
    """The events of the answer in the cache; else those given, kept when they are accepted.

    The request is identified before the first event; where it names no model, again after Start,
    which names the server's choice and comes before anything is sent. `max_age` is in seconds.
    Raises as the events.
    """
    source = call.source
    assert source is not None
    asked = RecordedAttempt(time.time())
    async with aclosing(events):
        identity = identify_request(source, call.request_messages)
        if not identity.model:
            async for event in events:
                yield asked.add(event)
                if isinstance(event, Start):
                    break
            identity = identify_request(source, call.request_messages)
        cached = read_cached(identity.cache_key, max_age)
        if cached is not None and _is_accepted(call, cached):
            call.mark_replayed("cache", cached)
            yield Note(f"from the cache, {format_age(cached.age_seconds)}")
            is_begun = bool(asked.events)  # its notes and its Start are given already
            for event in cached.events_for(source.profile.name):
                if not is_begun:
                    yield event
                is_begun = is_begun and not isinstance(event, Start)
            return
        try:
            async for event in events:
                yield asked.add(event)
        except GeneratorExit:  # the caller needs nothing that follows Done
            _keep(call, identity.cache_key, asked)
            raise
        if note := _keep(call, identity.cache_key, asked):
            yield Note(note)


def _is_accepted(call: Call, cached: RecordedAttempt) -> bool:
    """Whether the stages outside this one will accept an answer of the cache.

    Another call has accepted it, but this one may want code or a schema.
    """
    source = call.source
    assert source is not None
    hold = source.has_inline_reasoning() or call.asks_for_tags
    splitter = TagSplitter(source.profile.reasoning_tags, hold)
    collector = Collector(limit=None)
    for _, event in cached.events:
        for part in splitter.split(event):
            collector.feed(part)
    assert cached.done is not None
    try:
        require_complete(collector, cached.done, bool(source.profile.strict))
        if call.verdict is not None:
            call.verdict(Completion(collector.completion(), id=call.id), cached.done.limited)
    except EasyLLMError:
        return False
    return call.is_cacheable


def _keep(call: Call, key: str, attempt: RecordedAttempt) -> str:
    """Write an accepted, complete answer to the cache; returns a note if that fails, else ""."""
    is_wanted = call.accepted and call.is_cacheable
    is_complete = attempt.done is not None and attempt.done.complete
    if not is_wanted or not is_complete or attempt.holds_known_key():
        return ""
    try:
        write_cached(key, attempt)
    except OSError as error:
        log.warning("the answer is not kept in the cache: %s", error)
        return f"the answer is not kept in the cache: {error.strerror or error}"
    return ""
