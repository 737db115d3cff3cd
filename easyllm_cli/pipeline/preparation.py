"""The preparation stage: builds one profile's messages, and adds details to its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from ..errors import EasyLLMError
from ..events import Event, Note
from ..messages import with_system_prompt
from .call import Attempt, Call

if TYPE_CHECKING:
    from .source import Source


async def prepare_messages(call: Call, attempt: Attempt) -> AsyncGenerator[Event, None]:
    """Build the messages and the notes about them, then ask.

    An error gets its partial answer, its place and a hint. A CancelledError gets the partial
    answer, too: `.partial` is the longest of all attempts.
    Raises:
        EasyLLMError: the source failed. What else the code of a plugin raises becomes a ConfigError
            that names the plugin.
    """
    source = call.source
    assert source is not None
    call.name_plugin = source.plugin_error
    try:
        for note in await _prepare(call, source):
            yield call.record(Note(note))
        events = attempt()
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()
    except asyncio.CancelledError as error:
        call.cancelled = True
        error.partial = call.longest()  # type: ignore[attr-defined]
        raise
    except EasyLLMError as error:
        other = await _complete_error(call, error)
        if other is None:
            raise
        raise other from error


async def _prepare(call: Call, source: Source) -> list[str]:
    """Set what the source is sent; returns notes for the user."""
    try:
        call.source = answering = source.per_answer_copy()
        messages = with_system_prompt(call.messages, answering.profile.system)
        answering.refuse_unsupported(messages)
        call.request_messages, call.asks_for_tags = messages, False
        notes = source.input_notes(messages)
        if answering.profile.elicit:
            from .think_prompt import with_think_prompt  # only `cot` needs it

            is_wanted = None
            if call.uses_recordings and answering.profile.elicit == "auto":
                from .replay import was_asked_for_tags

                is_wanted = was_asked_for_tags(call, messages)
            call.request_messages, note = await with_think_prompt(answering, messages, is_wanted)
            call.asks_for_tags = bool(note)
            notes += [note] if note else []
    except (Exception, SystemExit) as error:
        failure = call.name_plugin(error)
        if failure is None:
            raise
        raise failure from error
    return notes


async def _complete_error(call: Call, error: EasyLLMError) -> EasyLLMError | None:
    """Complete the error; returns another one that takes its place if finding a hint failed.

    The caller's frame must not hold the error: its traceback refers to the frame, and such a circle
    stays in memory until the cycle collector runs.
    """
    source = call.source
    assert source is not None
    error.partial = call.longest()
    error.where = error.where or source.where
    other: EasyLLMError | None = None
    try:
        if not call.is_offline:
            await source.add_hint(error)
    except asyncio.CancelledError as cancelled:
        call.cancelled = True
        cancelled.partial = error.partial  # type: ignore[attr-defined]
        raise
    except (Exception, SystemExit) as failure:
        other = failure if isinstance(failure, EasyLLMError) else call.name_plugin(failure)
        if other is None:
            raise
        other.partial, other.where = error.partial, other.where or source.where
    call.fail(other or error)
    return other
