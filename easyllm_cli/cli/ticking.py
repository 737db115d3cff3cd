"""Time passes for a renderer that moves: seconds are counted and late rows drawn."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ..errors import EasyLLMError
from ..render.plain import Renderer

EVERY = 1 / 15  # seconds
CONTINUED = getattr(signal, "SIGCONT", None)  # Windows has none


@asynccontextmanager
async def ticking(renderer: Renderer) -> AsyncIterator[None]:
    """For as long as the block; a renderer that does not move costs nothing."""
    if not renderer.ticks:
        yield
        return
    task = asyncio.create_task(_tick(renderer))
    loop = asyncio.get_running_loop()
    if CONTINUED:
        loop.add_signal_handler(CONTINUED, renderer.resume)
    try:
        yield
    finally:
        task.cancel()
        if CONTINUED:
            loop.remove_signal_handler(CONTINUED)


async def _tick(renderer: Renderer) -> None:
    # What cannot be written is told by the next event, or by the end.
    with suppress(OSError, EasyLLMError):
        while True:
            await asyncio.sleep(EVERY)
            renderer.tick()
