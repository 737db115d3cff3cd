"""A terminal stream that discards its output and counts the bytes."""

import os

from easyllm_cli.render.output import OutputStream


class CountingStream(OutputStream):
    """Writes to the null device; `bytes` is the number of bytes written so far."""

    def __init__(self) -> None:
        super().__init__(os.open(os.devnull, os.O_WRONLY), terminal=True)
        self.bytes = 0

    def write_raw(self, text: str) -> None:
        self.bytes += len(text.encode())
        super().write_raw(text)
