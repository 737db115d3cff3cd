"""Runs a command in tmux, which rewraps rows when it is resized and keeps a history."""

import fcntl
import os
import shlex
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

TMUX_TIMEOUT_SECONDS = 20.0


class Tmux:
    """One window with a tmux server of its own, which ends with the `with` block."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        if shutil.which("tmux") is None:
            pytest.fail("tmux is not installed: apt-get install tmux", pytrace=False)
        self._socket = folder / "tmux"
        self._folder = folder
        self._size = ("-x", str(columns), "-y", str(rows))

    def start(self, command: list[str], env: Mapping[str, str]) -> None:
        """Run the command; the window stays open after its end."""
        words = [f"{name}={value}" for name, value in env.items()]
        line = shlex.join(["env", "-i", *words, *command])
        self._tmux("new-session", "-d", *self._size, f"{line}; echo ENDED; exec sleep 1000")
        self._terminal = self._tmux("display", "-p", "#{pane_tty}").strip()

    def _tmux(self, *words: str) -> str:
        env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        env.pop("TMUX", None)
        result = subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), "-f", os.devnull, *words],
            env=env, cwd=self._folder, capture_output=True, text=True, timeout=TMUX_TIMEOUT_SECONDS,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout

    def text(self) -> str:
        """Return the history and the screen, with wrapped rows joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-")

    def screen(self) -> list[str]:
        """Return the visible rows."""
        return self._tmux("capture-pane", "-p").split("\n")

    def wait_for(self, wanted: str) -> str:
        """Wait until the text is on the screen or in the history; return both."""
        deadline = time.monotonic() + TMUX_TIMEOUT_SECONDS
        while wanted not in (text := self.text()):
            assert time.monotonic() < deadline, f"{wanted!r} never came:\n{text}"
            time.sleep(0.2)  # a look starts a process
        return text

    def press(self, *keys: str) -> None:
        """Keys by tmux's names ("Enter", "C-z"), or text."""
        self._tmux("send-keys", *keys)

    def paste(self, text: str) -> None:
        """Paste a text as a terminal does: marked, where the program has asked for marks."""
        file = self._folder / "paste"
        file.write_text(text, "utf-8")
        self._tmux("load-buffer", str(file))
        self._tmux("paste-buffer", "-p", "-d")

    def resize(self, columns: int, rows: int) -> None:
        """Resize, and wait until the command's terminal has the size: tmux may delay that."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))
        deadline = time.monotonic() + TMUX_TIMEOUT_SECONDS
        with open(self._terminal, "rb") as terminal:
            wanted = (rows, columns)
            while struct.unpack("HHHH", fcntl.ioctl(terminal, termios.TIOCGWINSZ, b" " * 8))[
                :2
            ] != (wanted):
                assert time.monotonic() < deadline, f"the terminal never was {wanted}"
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tmux("kill-server")
