"""A repl at a pty of its own: types questions, waits for what it shows, and compares its modes."""

import termios
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tests.support.binary import RUN_TIMEOUT_SECONDS, Easyllm, wait_until
from tests.support.pseudoterminal import Pty

KEEPS_TEXTS: dict[str, str | None] = {"EASYLLM_HISTORY": None}


class ReplProcess:
    """One `easyllm repl`, whose stdin, stdout and stderr are one terminal."""

    def __init__(
        self,
        easyllm: Easyllm,
        *args: str,
        profiles: str | None = None,
        env: Mapping[str, str | None] = KEEPS_TEXTS,
    ) -> None:
        self.pty = Pty(80, 24)
        self.modes: list[Any] = termios.tcgetattr(self.pty.descriptor)
        self._seen = 0  # bytes of the output that `wait_for` has passed
        self.child = easyllm.start(
            "repl", *args, profiles=profiles, env={"TERM": "xterm-256color", **env},
            stdin=self.pty.descriptor, stdout=self.pty.descriptor, stderr=self.pty.descriptor,
            start_new_session=True,
        )  # fmt: skip

    def wait_for(self, text: str) -> None:
        """Wait until the repl has written this text behind what was waited for before."""
        wanted = text.encode()
        wait_until(lambda: wanted in self.pty.written()[self._seen :])
        self._seen = self.pty.written().index(wanted, self._seen) + len(wanted)

    def enter(self, line: str, then: str = "> ") -> None:
        """Type a line, and wait for what follows it: the next prompt."""
        self.pty.type_keys(f"{line}\r")
        self.wait_for(line)
        self.wait_for(then)

    def end(self) -> int:
        """Wait for the end; returns the exit code. The terminal's modes are as before."""
        code = self.child.wait(RUN_TIMEOUT_SECONDS)
        assert termios.tcgetattr(self.pty.descriptor) == self.modes
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.kill()
        self.child.wait()
        self.pty.__exit__(kind, error, trace)
