"""The reasoning stage: splits inline reasoning off the text of one attempt, and limits its size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from ..errors import IncompleteAnswer
from ..events import Event
from .call import OUTPUT_EVENTS, Attempt, Call
from .collector import ByteLimit
from .reasoning_tags import TagSplitter


async def split_reasoning(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Turn reasoning inside the text into Reasoning events (see TagSplitter).

    The size is counted before the splitter holds text back. Held text is yielded before an error
    is raised again; when the call is cancelled, it is recorded.
    Raises:
        IncompleteAnswer: the text and reasoning of the attempt exceed `call.max_bytes`.
        ConfigError: the code of a plugin raised something that is no EasyLLMError.
    """
    source = call.source
    assert source is not None
    splitter: TagSplitter | None = None
    try:
        hold = source.has_inline_reasoning() or call.asks_for_tags
        splitter = TagSplitter(source.profile.reasoning_tags, hold)
        limit = ByteLimit(call.max_bytes)
        events = attempt()
        try:
            async for event in events:
                if isinstance(event, OUTPUT_EVENTS):
                    _count(call, limit, event)
                elif not isinstance(event, Event):
                    raise TypeError(f"events yielded {type(event).__name__}, not an Event")
                for part in splitter.split(event):
                    yield part
        finally:
            await events.aclose()
    except asyncio.CancelledError as error:
        for part in (*_rest_of(splitter), *_usage_of(error)):
            call.record(part)
        raise
    except (Exception, SystemExit) as error:  # whatever the code of a plugin raises
        for part in _rest_of(splitter):
            yield part
        failure = call.name_plugin(error)
        if failure is None:
            raise
        raise failure from error


def _rest_of(splitter: TagSplitter | None) -> Iterable[Event]:
    """What the splitter holds back; None = there is none yet."""
    return () if splitter is None else splitter.end()


def _count(call: Call, limit: ByteLimit, event: Event) -> None:
    """Count an event's bytes.

    If the first piece exceeds the limit, it is recorded and not passed on: the partial answer of a
    buffered response, which comes in one piece, would else be empty.
    Raises:
        IncompleteAnswer: the attempt exceeds the limit.
    """
    is_first = limit.byte_count == 0
    if is_first:
        call.mark_first_token()  # it may be held back, and recorded later
    try:
        limit.add(getattr(event, "text", ""))
    except IncompleteAnswer:
        if is_first:
            call.record(event)
        raise


def _usage_of(error: asyncio.CancelledError) -> list[Event]:
    """The Usage that a cancelled attempt had reported, which its error carries."""
    usage = getattr(error, "usage", None)
    return [usage] if usage is not None else []
