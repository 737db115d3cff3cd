"""A real pty whose other end is read all the time, so that nobody waits who writes to it."""

import fcntl
import os
import struct
import termios
import threading
from types import TracebackType
from typing import Self

from tests.support.emulator import Emulator, emulate_terminal

END = b"<all is written>"


class Pty:
    """`descriptor` is a terminal of this size for code in this process."""

    def __init__(self, columns: int, rows: int) -> None:
        self._mine, self.descriptor = os.openpty()
        self._data = bytearray()
        self.resize(columns, rows)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def seen(self) -> Emulator:
        """The screen so far."""
        return emulate_terminal(bytes(self._data), *self.size)

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns or 80, rows or 24)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._mine, 1 << 16)
            except OSError:
                return  # Linux says EIO when nobody has the other end any more
            if not piece:
                return
            self._data += piece
            if self._data.endswith(END):
                del self._data[-len(END) :]
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.whole()
        os.close(self._mine)

    def whole(self) -> bytes:
        """All that was written; nothing more can be.

        It is read before this end is closed: Linux may drop what is still on its way then.
        """
        if self.descriptor >= 0:
            os.write(self.descriptor, END)
            self._thread.join(10)
            os.close(self.descriptor)
            self.descriptor = -1
        return bytes(self._data)
