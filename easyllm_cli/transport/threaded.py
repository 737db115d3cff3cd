"""Pieces that a blocking iterator gives, read in a thread and handed to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress


async def in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces; an empty one ends them. Raises what the iterator raises.

    A blocking call cannot be interrupted: who leaves early must end the iterator himself. The
    thread is a daemon, so that one which nobody ends does not hold up the process.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def hand_over(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(came.put_nowait, item)

    def read() -> None:
        last: bytes | Exception = b""
        try:
            for piece in pieces:
                hand_over(piece)
        except Exception as error:
            last = error
        hand_over(last)

    threading.Thread(target=read, name="easyllm-sdk", daemon=True).start()
    while item := await came.get():
        if isinstance(item, Exception):
            raise item
        yield item
