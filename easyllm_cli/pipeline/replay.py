"""The replay stage: answers an attempt from a recording or the cache, and keeps what was answered.

It is imported only where a call asks for it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from copy import copy

from ..completion import Completion
from ..config.profile import Profile
from ..errors import EasyLLMError
from ..events import Event
from ..messages import Message
from ..recordings import Recordings, cache_seconds
from ..recordings.form import RecordedAttempt
from ..recordings.key import RequestIdentity
from ..recordings.store import read_cached
from ..recordings.streams import (
    cached_events,
    describe_replay,
    record_events,
    replay_events,
)
from .call import Attempt, Call
from .collector import Collector
from .completeness import require_complete
from .reasoning_tags import TagSplitter
from .source import Source
from .think_prompt import apply_think_prompt


def replay_attempt(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """The events of one attempt: replayed, or asked for and then kept.

    Raises:
        NotFoundError: there is no recording of the request.
        EasyLLMError: the attempt failed, now or when it was recorded; or the recording cannot be
            read or written.
    """
    source, recordings = call.source, call.recordings or Recordings()
    assert source is not None
    name, max_age = source.profile.name, _max_age(call)
    cached: list[RecordedAttempt] = []

    def identify() -> RequestIdentity:
        return identify_request(source, call.request_messages)

    first_request = _first_request(call, source)

    def note_replay(place: str, kept: RecordedAttempt) -> None:
        call.replayed, call.is_offline = describe_replay(place, kept), True
        if place == "cache":
            call.attempts[-1].from_cache = True
            cached.append(kept)

    if recordings.recording is not None:
        call.is_offline = True
        return replay_events(recordings.recording, first_request, name, note_replay)
    events = attempt()
    if max_age is not None:
        events = cached_events(
            events, identify, max_age, name, note_replay,
            accepts=lambda kept: _accepts(call, kept),
            is_accepted=lambda: call.accepted and call.is_cacheable,
        )  # fmt: skip
    if recordings.recorder is not None:
        events = record_events(
            events, first_request, recordings.recorder, source.add_hint,
            find_key=lambda: _find_key(source), from_cache=lambda: cached[0] if cached else None,
        )  # fmt: skip
    return events


def _accepts(call: Call, kept: RecordedAttempt) -> bool:
    """Whether the stages outside this one will accept a kept answer.

    Another call has accepted it, but this one may want code or a schema.
    """
    source = call.source
    assert source is not None
    hold = source.has_inline_reasoning() or call.asks_for_tags
    splitter = TagSplitter(source.profile.reasoning_tags, hold)
    collector = Collector(limit=None)
    for _, event in kept.events:
        for part in splitter.split(event):
            collector.feed(part)
    assert kept.done is not None
    try:
        require_complete(collector, kept.done, bool(source.profile.strict))
        if call.verdict is not None:
            call.verdict(Completion(collector.completion(), id=call.id), kept.done.limited)
    except EasyLLMError:
        return False
    return call.is_cacheable


def _find_key(source: Source) -> None:
    """Look the API key up, so that a text that holds it is found; its errors come later."""
    with suppress(EasyLLMError):
        source.limit_scope()


def _first_request(call: Call, source: Source) -> RequestIdentity:
    """The request of the source's first attempt, for its retries, too.

    An attempt may set the source's model and limits; a replay makes none, so that its retries ask
    for the first request again.
    """
    if call.recorded_request is None or call.recorded_request[0] is not source:
        identity = identify_request(source, call.request_messages)
        call.recorded_request = source, identity
    return call.recorded_request[1]


def was_asked_for_tags(call: Call, messages: list[Message]) -> bool | None:
    """Whether the recorded request asked for reasoning in tags; None = no recording says it.

    It spares the question to the server whether its model reasons by itself.
    """
    source, max_age = call.source, _max_age(call)
    recording = call.recordings.recording if call.recordings else None
    assert source is not None
    for is_asked in (False, True):
        other = copy(source)  # the instruction changes its profile
        identity = identify_request(
            other, apply_think_prompt(other, messages) if is_asked else messages
        )
        if recording is not None and recording.has(identity.replay_key):
            return is_asked
        if recording is None and max_age and read_cached(identity.cache_key, max_age):
            return is_asked
    return None if recording is None else False


def _max_age(call: Call) -> float | None:
    """How old an answer of the cache may be, in seconds; None = the cache is not used."""
    default = call.recordings.cache if call.recordings else None
    return cache_seconds((call.profile and call.profile.cache) or default)


def identify_request(source: Source, messages: list[Message]) -> RequestIdentity:
    """The identity of the request that would carry these messages."""
    profile = source.profile
    return RequestIdentity(
        profile.provider or "", source.model, source.request_key(messages),
        headers=[_header_values(profile), profile.organization, profile.project],
        prompt=messages[-1].text if messages else "",
    )  # fmt: skip


def _header_values(profile: Profile) -> dict[str, str | None]:
    """The profile's `headers` as they are sent; None = the variable of `env:NAME` is not set."""
    return {
        name: os.environ.get(value[4:]) if value.startswith("env:") else value
        for name, value in (profile.headers or {}).items()
    }
