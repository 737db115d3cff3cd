"""The preparation stage: builds the messages that one source is sent, and completes its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import EasyLLMError
from ..events import Event, Note
from ..messages import with_system_prompt
from .call import Attempt, Call


def prepare(call: Call, attempt: Attempt) -> Attempt:
    """Build the messages and the notes about them, then ask.

    An error gets its partial answer, its place and a hint. So does the CancelledError of a call
    that is stopped: `.partial` is the longest answer of all attempts.
    Raises:
        EasyLLMError: the source failed. Any other exception of a plugin becomes a ConfigError
            that names the plugin.
    """

    async def prepared() -> AsyncGenerator[Event, None]:
        source = call.source
        assert source is not None
        try:
            call.source = source.per_answer_copy()
            for note in [*source.input_notes(call.messages), *await _build_messages(call)]:
                yield call.record(Note(note))
            async with aclosing(attempt()) as events:
                async for event in events:
                    yield event
        except asyncio.CancelledError as error:
            error.partial = call.best()  # type: ignore[attr-defined]
            raise
        except (Exception, SystemExit) as error:  # whatever the code of a plugin raises
            failure = await _complete_error(call, error)
            if failure is error:
                raise
            raise failure from error

    return prepared


async def _build_messages(call: Call) -> list[str]:
    """Set `call.request_messages`; returns notes for the user."""
    source = call.source
    assert source is not None
    messages = with_system_prompt(call.messages, source.profile.system)
    source.refuse_unsupported(messages)
    call.request_messages, call.asks_for_tags = messages, False
    if not source.profile.elicit:
        return []
    from .think_prompt import with_think_prompt  # only `cot` needs it

    call.request_messages, note = await with_think_prompt(source, messages)
    call.asks_for_tags = bool(note)
    return [note] if note else []


async def _complete_error(call: Call, error: BaseException) -> BaseException:
    """The error to raise, with its partial answer, its place and a hint."""
    source = call.source
    assert source is not None
    failure = error if isinstance(error, EasyLLMError) else source.plugin_error(error)
    if failure is None:
        return error  # a bug of ours
    failure.partial = call.best()
    failure.where = failure.where or source.where
    try:
        await source.add_hint(failure)
    except Exception as hint_error:
        other = source.plugin_error(hint_error)
        if other is None:
            raise
        other.partial, failure = failure.partial, other
    call.fail(failure)
    return failure
