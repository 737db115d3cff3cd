"""Runs the command with a pty as stdin, stdout or stderr, and captures each stream by itself."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.support.binary import RUN_TIMEOUT_SECONDS, Easyllm, wait_until
from tests.support.emulator import Emulator, emulate_terminal
from tests.support.pseudoterminal import END, Pty

SGR = re.compile(r"\x1b\[[0-9;]*m")  # styles and colours


def set_size(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


class CapturedStream:
    """Captures what a child writes to a pty or a pipe; `data` holds it so far."""

    def __init__(self, terminal: bool, columns: int) -> None:
        self.data = b""
        self.mine, self.childs = os.openpty() if terminal else os.pipe()
        if terminal:
            set_size(self.childs, columns)
        self._open = terminal
        self._thread = threading.Thread(target=self._read, daemon=True)

    def watch(self) -> None:
        """Start reading, once the child has its end.

        A terminal's end also stays open here: Linux may drop unread bytes when the last one closes.
        """
        if not self._open:
            os.close(self.childs)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self.mine, 1 << 16)
            except OSError:
                return  # Linux raises EIO once the other end is closed
            if not piece:
                return
            self.data += piece
            if self._open and self.data.endswith(END):
                self.data = self.data.removesuffix(END)
                return

    def wait_for(self, wanted: bytes, seconds: float = 10.0) -> None:
        """Wait until the child has written these bytes."""
        deadline = time.monotonic() + seconds
        while wanted not in self.data:
            assert time.monotonic() < deadline, f"{wanted!r} never came: {self.data!r}"
            time.sleep(0.01)

    def whole(self) -> str:
        """Return all output, with LF for CR LF, once the child has ended."""
        self._finish()
        return self.data.decode().replace("\r\n", "\n")

    def close(self) -> None:
        self._finish()
        os.close(self.mine)

    def _finish(self) -> None:
        """Read the rest, once the child has ended."""
        if self._open and self._thread.is_alive():
            os.write(self.childs, END)
        self._thread.join(10)
        if self._open:
            os.close(self.childs)
            self._open = False


class Terminal:
    """One run; `terminals` lists the descriptors that are terminals.

    Other outputs are pipes, and stdin is then /dev/null. Write to `keys` to type.
    """

    def __init__(
        self,
        easyllm: Easyllm,
        *args: str,
        profiles: str | None = None,
        env: Mapping[str, str | None] | None = None,
        terminals: str = "012",
        columns: int = 80,
        command: list[str] | None = None,
    ) -> None:
        self.stdout = CapturedStream("1" in terminals, columns)
        self.stderr = CapturedStream("2" in terminals, columns)
        self.keys, keys_end = os.openpty()
        set_size(keys_end, columns)
        self._child = easyllm.start(
            *args,
            profiles=profiles,
            env={"TERM": "xterm-256color", **(env or {})},
            stdin=keys_end if "0" in terminals else subprocess.DEVNULL,
            stdout=self.stdout.childs,
            stderr=self.stderr.childs,
            start_new_session=True,
            command=command,
        )
        os.close(keys_end)
        self.stdout.watch()
        self.stderr.watch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        self.stdout.close()
        self.stderr.close()
        os.close(self.keys)

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return exit code, stdout and stderr, with LF for CR LF."""
        return self._child.wait(RUN_TIMEOUT_SECONDS), self.stdout.whole(), self.stderr.whole()


def run_on_terminals(
    easyllm: Easyllm,
    *args: str,
    profiles: str | None = None,
    env: Mapping[str, str | None] | None = None,
    terminals: str = "012",
    columns: int = 80,
    command: list[str] | None = None,
) -> tuple[int, str, str]:
    """Run to the end on terminals; return exit code, stdout and stderr."""
    with Terminal(
        easyllm,
        *args,
        profiles=profiles,
        env=env,
        terminals=terminals,
        columns=columns,
        command=command,
    ) as terminal:
        return terminal.end()


def run_on_one_terminal(
    easyllm: Easyllm, *args: str, profiles: str, size: tuple[int, int] = (80, 24), stop: str = ""
) -> tuple[int, Emulator]:
    """Run with one terminal as stdin, stdout and stderr; return exit code and screen.

    `stop`: send Ctrl-C as soon as the screen shows this text.
    """
    with Pty(*size) as pty:
        child = easyllm.start(
            *args, profiles=profiles, env={"TERM": "xterm-256color"}, stdin=pty.descriptor,
            stdout=pty.descriptor, stderr=pty.descriptor, start_new_session=True,
        )  # fmt: skip
        try:
            if stop:
                wait_until(lambda: stop in "\n".join(pty.seen().text()))
                child.send_signal(signal.SIGINT)
            code = child.wait(RUN_TIMEOUT_SECONDS)
        finally:
            child.kill()
            child.wait()
        return code, emulate_terminal(pty.whole(), *pty.size)
