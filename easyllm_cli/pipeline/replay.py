"""The replay stage: answers an attempt from a recording or the cache, and keeps what was answered.

It is imported only where a call asks for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy
from typing import TYPE_CHECKING

from ..events import Event, Note
from ..messages import Message
from ..recordings import cache_seconds
from ..recordings.store import read_cached
from .call import Attempt, Call
from .request_identity import identify_first_request, identify_request
from .think_prompt import apply_think_prompt

if TYPE_CHECKING:
    from ..recordings.file import Recording


def replay_attempt(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """The events of one attempt: replayed, or asked for and then kept.

    Raises:
        NotFoundError: there is no recording of the request.
        EasyLLMError: the attempt failed, now or when it was recorded; or the recording cannot be
            read or written.
    """
    recordings, max_age = call.recordings, _max_age(call)
    if recordings is not None and recordings.recording is not None:
        return _replay_recording(call, recordings.recording)
    events = attempt()
    if max_age is not None:
        from .answer_cache import answer_from_cache

        events = answer_from_cache(call, events, max_age)
    if recordings is not None and recordings.recorder is not None:
        from .record import record_attempt

        events = record_attempt(call, events, recordings.recorder)
    return events


async def _replay_recording(call: Call, recording: Recording) -> AsyncGenerator[Event, None]:
    """Replay the request's recorded events without delay, or raise its recorded error."""
    assert call.source is not None
    call.is_offline = True
    identity = identify_first_request(call)
    recording.has(identity.replay_key)  # reads the file: its notes come even if `take` fails
    while recording.notes:
        yield Note(recording.notes.pop(0))
    attempt = recording.take(identity)
    call.mark_replayed("file", attempt)
    for event in attempt.events_for(call.source.profile.name):
        yield event
    if attempt.error is not None:
        raise copy(attempt.error)  # its place and hint are added to the copy


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
