"""Records an attempt as it passes, with its error, into the file of --record."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from copy import copy

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

    An attempt that the user stops is not recorded, nor is an error of this machine's own, such as a
    used-up budget. An answer from the cache is recorded as it was, without the note about the
    cache.
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
    except (Exception, SystemExit) as error:  # whatever the code of a plugin raises
        if attempt.done is None and (failure := _failure_to_record(call, error)) is not None:
            with suppress(Exception, SystemExit):  # it is called again, and then told
                await source.add_hint(failure)  # when it is replayed, no server can be asked
            attempt.error = failure
            await recorder.record(identity, attempt)
        raise


def _failure_to_record(call: Call, error: BaseException) -> EasyLLMError | None:
    """A copy of the error, of a plugin's exception the error that names it; None = do not record.

    A copy has no traceback, which would refer to the caller's frame.
    """
    failure = copy(error) if isinstance(error, EasyLLMError) else call.name_plugin(error)
    return None if failure is None or failure.is_own else failure
