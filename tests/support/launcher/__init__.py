"""Runs the command line in children forked from one process that has imported it already.

Starting Python and importing the command line takes 130 ms of CPU, a fork of a process that has
done both takes 10. A child gets arguments, environment, folder, umask, descriptors, session and
signals as the installed command would, runs the same entry point, and is waited for as a process.

What only a start of Python shows stays with the installed command: imports, variables that Python
reads (`LC_ALL`, `PYTHONWARNINGS`), closed descriptors, another user, limits set before the start.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.launcher import warm_process
from tests.support.launcher.warm_process import LENGTH, read_exactly

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
# Variables that Python or the C library reads once, at the start of a process.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "OPENSSL_", "SSLKEYLOGFILE")
STARTED_WITH = {"LC_ALL": "C.UTF-8"}  # those of the warm process


class Launcher:
    """The warm process; it ends when this object is closed, or with the process that made it."""

    def __init__(self, command: str) -> None:
        """`command`: the installed script, which children have as their arguments[0]."""
        # A child's own parent ends at once; the kernel then gives the child to this process,
        # which waits for it as for any other.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._socket, far_end = socket.socketpair()
        self._lock = threading.Lock()
        with far_end:
            self._process = subprocess.Popen(
                [sys.executable, warm_process.__file__, str(far_end.fileno()), command],
                stdin=subprocess.DEVNULL, pass_fds=[far_end.fileno()],
                env={"PATH": os.environ["PATH"], **STARTED_WITH},
            )  # fmt: skip

    def launch(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The process ID of a new child. `descriptors`: its stdin, stdout and stderr."""
        return self._ask(request, descriptors)

    def warm_up(self, request: Mapping[str, Any]) -> None:
        """Runs the request once, and imports for all later children what it imported."""
        with open(os.devnull, "r+b") as null:
            self._ask({**request, "warm_up": True}, [null.fileno()] * 3)

    def _ask(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        data = json.dumps(request).encode()
        with self._lock:
            socket.send_fds(self._socket, [LENGTH.pack(len(data))], descriptors)
            self._socket.sendall(data)
            return int(LENGTH.unpack(read_exactly(self._socket, LENGTH.size))[0])

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)


def request_of(
    arguments: Sequence[str], environment: Mapping[str, str], cwd: str | os.PathLike[str],
    umask: int = -1, new_session: bool = False, process_group: int = -1,
) -> dict[str, Any]:  # fmt: skip
    """What a child is to be; the defaults are subprocess.Popen's."""
    return {
        "arguments": list(arguments), "environment": dict(environment), "cwd": os.fspath(cwd),
        "umask": umask if umask >= 0 else current_umask(), "new_session": new_session,
        "process_group": process_group,
    }  # fmt: skip


class LaunchedProcess(subprocess.Popen[bytes]):
    """A process that a Launcher starts; everything but its start is subprocess.Popen's."""

    def __init__(self, launcher: Launcher, args: list[str], **options: Any) -> None:
        self._launcher = launcher
        super().__init__(args, **options)

    def _execute_child(self, args: list[str], *rest: Any) -> None:
        """What Popen calls once its pipes are made (Lib/subprocess.py, the same since 3.11)."""
        (
            _executable, _preexec_fn, _close_fds, _pass_fds, cwd, env, _startupinfo, _flags,
            _shell, stdin, stdin_here, stdout_here, stdout, stderr_here, stderr,
            _restore_signals, _gid, _gids, _uid, umask, new_session, process_group,
        ) = rest  # fmt: skip
        sys.audit("tests.launch")
        request = request_of(args[1:], env, cwd, umask, new_session, process_group)
        given = [one if one >= 0 else number for number, one in enumerate((stdin, stdout, stderr))]
        self.pid = self._launcher.launch(request, given)
        self._child_created = True
        self._close_pipe_fds(  # type: ignore[attr-defined]
            stdin, stdin_here, stdout_here, stdout, stderr_here, stderr
        )


def can_launch(environment: Mapping[str, str], options: Mapping[str, Any]) -> bool:
    """Whether a forked child shows what the test wants to see: nothing that only a start sets."""
    known = {"cwd", "umask", "start_new_session", "process_group"}
    early = {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
    path = early.pop("PYTHONPATH", "")  # children search it, but for what runs at a start
    if any(Path(folder, "sitecustomize.py").exists() for folder in path.split(os.pathsep)):
        return False
    return sys.platform == "linux" and set(options) <= known and early == STARTED_WITH


def current_umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
