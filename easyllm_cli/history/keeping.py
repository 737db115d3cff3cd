"""Keeps the calls of the library in the history: each one when its events have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import EasyLLMError, Interrupted
from ..events import Event
from ..pipeline.call import Call
from . import save

log = logging.getLogger(__name__)
STOPPED_EXIT_CODE = Interrupted.exit_code  # the caller cancelled the call, or left its events
BUG_EXIT_CODE = EasyLLMError.exit_code


async def keep_call(call: Call, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Yield the events of a call, and write the call in a thread when they end in any way.

    A history that cannot be written is a warning in the log. Raises as `events`.
    """
    exit_code = STOPPED_EXIT_CODE
    try:
        async with aclosing(events):
            async for event in events:
                yield event
        exit_code = 0
    except EasyLLMError as error:
        exit_code = error.exit_code
        raise
    except Exception:
        exit_code = BUG_EXIT_CODE
        raise
    finally:
        await asyncio.to_thread(_try_save, call, exit_code)


def _try_save(call: Call, exit_code: int) -> None:
    """Write the call; nothing that fails here may change what the caller gets."""
    try:
        _save(call, exit_code)
    except EasyLLMError as error:
        log.warning("the answer is not kept in the history: %s", error)
    except Exception as error:
        log.warning("the answer is not kept in the history: a bug in easyllm: %r", error)


def _save(call: Call, exit_code: int) -> None:
    """Write the call, with its texts unless the profile's `history` says otherwise."""
    profile = call.profile
    mode = profile.history if profile else "off"
    if profile is None or mode == "off":
        return
    from ..pricing import total_cost
    from .record import LIBRARY, CallContext, record_from_call

    cost_usd, cost_source = total_cost(call.attempts, {profile.name: profile}, call.started_at)
    context = CallContext(
        LIBRARY,
        exit_code,
        messages=call.messages,
        conversation=None if mode == "metadata" else call.id,
        cost_usd=cost_usd,
        cost_source=cost_source,
    )
    save(record_from_call(call, context))
