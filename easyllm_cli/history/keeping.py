"""Keeps the calls of the library in the history: each one when its events have ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..config.settings import HISTORY_MODES
from ..errors import EasyLLMError, Interrupted
from ..events import Event
from ..pipeline.call import Call
from . import retention_seconds, save

if TYPE_CHECKING:
    from ..config.profile import Profile

log = logging.getLogger(__name__)
STOPPED_EXIT_CODE = Interrupted.exit_code  # the caller cancelled the call, or left its events
BUG_EXIT_CODE = EasyLLMError.exit_code


async def save_call_at_end(
    call: Call, events: AsyncGenerator[Event, None], profiles: Sequence[Profile]
) -> AsyncGenerator[Event, None]:
    """Yield the events of a call, and write the call in a thread when they end in any way.

    `profiles`: all that may have been asked; read when the events have ended. A history that cannot
    be written is a warning in the log. Raises as `events`.
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
        await asyncio.to_thread(_try_save, call, exit_code, profiles)


def _try_save(call: Call, exit_code: int, profiles: Sequence[Profile]) -> None:
    """Write the call; nothing that fails here may change what the caller gets."""
    try:
        _save(call, exit_code, profiles)
    except EasyLLMError as error:
        log.warning("the answer is not kept in the history: %s", error)
    except Exception as error:
        log.warning("the answer is not kept in the history: a bug in easyllm: %r", error)


def _save(call: Call, exit_code: int, profiles: Sequence[Profile]) -> None:
    """Write the call, with its texts unless a profile or EASYLLM_HISTORY says otherwise."""
    mode = chosen_mode(profiles)
    if call.profile is None or mode == "off":
        return
    from ..pricing import total_cost
    from .record import LIBRARY, CallContext, record_from_call

    cost_usd, cost_source = total_cost(call.attempts, call.started_at)
    context = CallContext(
        LIBRARY,
        exit_code,
        messages=call.messages,
        conversation=None if mode == "metadata" else call.id,
        cost_usd=cost_usd,
        cost_source=cost_source,
    )
    save(record_from_call(call, context), retention_seconds, shows_notes=False)


def chosen_mode(profiles: Sequence[Profile]) -> str:
    """What is kept: of the settings of all profiles and the variable, the one that keeps least."""
    wanted = [profile.history for profile in profiles] + [os.environ.get("EASYLLM_HISTORY")]
    modes = [mode if mode in HISTORY_MODES else "off" for mode in wanted if mode]
    return max(modes, key=HISTORY_MODES.index, default="full")
