"""A pty whose other end is read all the time, so that writing to it never blocks."""

import fcntl
import os
import struct
import termios
import threading
import time
from types import TracebackType
from typing import Self

from tests.support.emulator import Emulator, emulate_terminal

END = b"<all is written>"


class Pty:
    """A terminal of a given size; code in this process writes to `descriptor`."""

    def __init__(self, columns: int, rows: int) -> None:
        self._mine, self.descriptor = os.openpty()
        self._data = bytearray()
        self.resize(columns, rows)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def seen(self) -> Emulator:
        """Return the screen so far."""
        return emulate_terminal(bytes(self._data), *self.size)

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns or 80, rows or 24)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Type keys that end a line; when this is back, the driver echoes them before later output.

        Waiting for more bytes would not do: they may be those of an earlier output.
        """
        before = self._unread_keys()
        os.write(self._mine, keys.encode())
        while self._unread_keys() == before:
            time.sleep(0.001)

    def type_keys(self, keys: str) -> None:
        """Type keys for a program that reads each one at once, as a line editor does."""
        os.write(self._mine, keys.encode())

    def written(self) -> bytes:
        """Return everything that was written to it so far."""
        return bytes(self._data)

    def _unread_keys(self) -> int:
        """Return how many bytes of complete lines nobody has read."""
        count = fcntl.ioctl(self.descriptor, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", count)[0])

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._mine, 1 << 16)
            except OSError:
                return  # Linux raises EIO once the other end is closed
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
        """Close the terminal, and return everything that was written to it.

        Reads everything before closing, because Linux may then drop unread bytes.
        """
        if self.descriptor >= 0:
            os.write(self.descriptor, END)
            self._thread.join(10)
            os.close(self.descriptor)
            self.descriptor = -1
        return bytes(self._data)
