"""Records an attempt as it passes, with its error, into the file of --record."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from ..config.known_keys import find_known_keys
from ..errors import EasyLLMError
from ..events import Event, Start
from ..recordings.attempt import RecordedAttempt
from ..recordings.file import Recorder
from .call import Call
from .request_identity import identify_first_request


async def record_attempt(
    call: Call, events: AsyncGenerator[Event, None], recorder: Recorder
) -> AsyncGenerator[Event, None]:
    """The events of an attempt, which are recorded at their end; also if it is an error.

    An attempt that the user stops is not recorded. An answer from the cache is recorded as it was,
    without the note about the cache.
    Raises:
        EasyLLMError: as the events, and as `Recorder.record`.
    """
    source, identity = call.source, identify_first_request(call)
    assert source is not None
    await recorder.require_writable(identity)
    recorder.known_keys = find_known_keys(source.profile.profiles_path)
    recorder.refuse_known_key(identity)
    attempt = RecordedAttempt(time.time())
    try:
        async with aclosing(events):
            async for event in events:
                attempt.add(event)
                # Start comes before anything is sent.
                if isinstance(event, Start) and call.cached_attempt is None:
                    with suppress(EasyLLMError):  # the request will fail with it
                        source.limit_scope()  # the key, which a command or the keyring may hold
                    recorder.refuse_known_key(identity)
                if attempt.done is not None:
                    await recorder.record(identity, call.cached_attempt or attempt)
                yield event
    except EasyLLMError as error:
        if attempt.done is None:
            await source.add_hint(error)  # when it is replayed, no server can be asked
            attempt.error = error
            await recorder.record(identity, attempt)
        raise
