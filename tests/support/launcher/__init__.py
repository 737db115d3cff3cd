"""Runs the command line in children forked from a process that has already imported it.

Starting Python and importing the command line takes 130 ms of CPU; forking a process that has
done both takes 10 ms. A child gets the arguments, environment, folder, umask, descriptors,
session and signals of the installed command, and runs the same entry point. It is a child of the
warm process, which keeps its wait status until the test run asks for it.

Tests of what only a start of Python shows run the installed command instead: imports, variables
that Python reads (`LC_ALL`, `PYTHONWARNINGS`), closed descriptors, another user, limits set before
the start.
"""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.launcher import warm_process
from tests.support.launcher.warm_process import LENGTH, read_exactly

# Variables that Python or the C library reads once, at the start of a process.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OPENSSL_", "SSLKEYLOGFILE")
READ_LATER = {"PYTHON_KEYRING_BACKEND"}  # by the package keyring, not by Python
STARTED_WITH = {"LC_ALL": "C.UTF-8"}  # the variables of this kind of the warm process


class Launcher:
    """The warm process; it ends when this object is closed or this process ends."""

    def __init__(self, command: str, packages: bool) -> None:
        """Start the warm process.

        `command`: the installed script, the children's argv[0]. `packages`: whether it imports
        the SDKs and SQLAlchemy where they are installed.
        """
        self._socket, far_end = socket.socketpair()
        self._lock = threading.Lock()
        with far_end:
            self._process = subprocess.Popen(
                [
                    sys.executable, warm_process.__file__, str(far_end.fileno()), command,
                    *(["packages"] if packages else []),
                ],
                stdin=subprocess.DEVNULL, pass_fds=[far_end.fileno()],
                env={"PATH": os.environ["PATH"], **STARTED_WITH},
            )  # fmt: skip

    def launch(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Start a child; return its process ID. `descriptors`: its stdin, stdout and stderr."""
        return self._ask(request, descriptors)

    def reap(self, child: int) -> tuple[int, int]:
        """Return the wait status of a child that has ended, and its peak memory in bytes.

        The process ID of the child is free afterwards.
        """
        with self._lock:
            self._send({"reap": child}, [])
            return self._read_number(), self._read_number() * 1024

    def warm_up(self, request: Mapping[str, Any]) -> None:
        """Run the request once, and import the modules it imported for all later children."""
        with open(os.devnull, "r+b") as null:
            self._ask({**request, "warm_up": True}, [null.fileno()] * 3)

    def _ask(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        with self._lock:
            self._send(request, descriptors)
            return self._read_number()

    def _send(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        data = json.dumps(request).encode()
        socket.send_fds(self._socket, [LENGTH.pack(len(data))], descriptors)
        self._socket.sendall(data)

    def _read_number(self) -> int:
        return int(LENGTH.unpack(read_exactly(self._socket, LENGTH.size))[0])

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)


def request_of(
    arguments: Sequence[str], environment: Mapping[str, str], cwd: str | os.PathLike[str],
    umask: int = -1, new_session: bool = False, process_group: int = -1,
) -> dict[str, Any]:  # fmt: skip
    """Return the description of a child; the defaults are those of subprocess.Popen."""
    return {
        "arguments": list(arguments), "environment": dict(environment), "cwd": os.fspath(cwd),
        "umask": umask if umask >= 0 else current_umask(), "new_session": new_session,
        "process_group": process_group,
    }  # fmt: skip


class LaunchedProcess(subprocess.Popen[bytes]):
    """A subprocess.Popen whose process is started by a Launcher.

    `peak`: the peak resident set of the ended process, in bytes.
    """

    peak = 0

    def __init__(self, launcher: Launcher, args: list[str], **options: Any) -> None:
        self._launcher = launcher
        super().__init__(args, **options)

    def _execute_child(self, args: list[str], *rest: Any) -> None:
        """Start the child; Popen calls this after making the pipes (same since Python 3.11)."""
        (
            _executable, _preexec_fn, _close_fds, _pass_fds, cwd, env, _startupinfo, _flags,
            _shell, stdin, parent_stdin, parent_stdout, stdout, parent_stderr, stderr,
            _restore_signals, _gid, _gids, _uid, umask, new_session, process_group,
        ) = rest  # fmt: skip
        sys.audit("tests.launch")
        request = request_of(args[1:], env, cwd, umask, new_session, process_group)
        descriptors = [
            descriptor if descriptor >= 0 else number
            for number, descriptor in enumerate((stdin, stdout, stderr))
        ]
        self.pid = self._launcher.launch(request, descriptors)
        self._pidfd = os.pidfd_open(self.pid)
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            stdin, parent_stdin, parent_stdout, stdout, parent_stderr, stderr
        )

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        """Return the exit code, or None while the child runs; what Popen calls, but for _wait."""
        code: int | None = super()._internal_poll(  # type: ignore[misc]
            _deadstate, self._wait_for_status
        )
        return code

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """Wait for the end; Popen._wait calls this."""
        return self._wait_for_status(self.pid, wait_flags)

    def _wait_for_status(self, pid: int, flags: int) -> tuple[int, int]:
        """Do what os.waitpid does for a child of this process; this one is the warm process's."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not poll.poll(0 if flags & os.WNOHANG else None):
            return 0, 0
        status, self.peak = self._launcher.reap(pid)
        os.close(self._pidfd)
        return pid, status


def can_launch(environment: Mapping[str, str], options: Mapping[str, Any]) -> bool:
    """Return whether a forked child behaves like a started one with this environment."""
    supported = {"cwd", "umask", "start_new_session", "process_group"}
    start_variables = {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name not in READ_LATER
    }
    path = start_variables.pop(
        "PYTHONPATH", ""
    )  # children search it, but do not run its sitecustomize
    if any(Path(folder, "sitecustomize.py").exists() for folder in path.split(os.pathsep)):
        return False
    return sys.platform == "linux" and set(options) <= supported and start_variables == STARTED_WITH


def current_umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
