"""The reasoning stage: splits inline reasoning off the text of one attempt, and limits its size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import EasyLLMError
from ..events import Event
from .call import OUTPUT_EVENTS, Attempt, Call
from .collector import ByteLimit
from .reasoning_tags import TagSplitter


def split_reasoning(call: Call, attempt: Attempt) -> Attempt:
    """Turn reasoning inside the text into Reasoning events (see TagSplitter).

    The size is counted before the splitter holds text back. Held text is yielded before an error
    is raised again; when the call is cancelled, it is recorded.
    Raises:
        IncompleteAnswer: the text and reasoning of the attempt exceed `call.max_bytes`.
    """

    async def split() -> AsyncGenerator[Event, None]:
        source = call.source
        assert source is not None
        hold = source.has_inline_reasoning() or call.asks_for_tags
        splitter, limit = (
            TagSplitter(source.profile.reasoning_tags, hold),
            ByteLimit(call.max_bytes),
        )
        async with aclosing(attempt()) as events:
            try:
                async for event in events:
                    if isinstance(event, OUTPUT_EVENTS):
                        limit.add(event.text)
                    for part in splitter.split(event):
                        yield part
            except EasyLLMError:
                for part in splitter.end():
                    yield part
                raise
            except asyncio.CancelledError:
                for part in splitter.end():
                    call.record(part)
                raise

    return split
