"""The warm process: it has imported the command line, and forks a child for each request.

It imports nothing of the tests, so that a child has the same modules as a started command.
"""

import gc
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

LENGTH = struct.Struct("!I")
REPORT = "\nmodules: "
# What takes up to several seconds to import is imported here first: a run that warms up would
# import it in its child, and then this process would do so again.
SLOW_MODULES = ("easyllm_cli.cli.app", "easyllm_cli.transport.http")
# Packages that need not be installed, and our modules that import them.
OPTIONAL_PACKAGES = {
    "openai": "easyllm_cli.transport.openai_sdk",
    "litellm": "easyllm_cli.providers.litellm.provider",
    "sqlalchemy": "easyllm_cli.config.database",
}
# Environment variables that a module set during its import, as litellm does.
SET_BY_IMPORTS: dict[str, str] = {}


def serve(connection: socket.socket, command: str) -> None:
    """Fork a child for each request, until the test run closes its end of the socket."""
    while True:
        header, descriptors, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        if not header:
            return
        request = json.loads(read_exactly(connection, LENGTH.unpack(header)[0]))
        if "reap" in request:
            _, status, used = os.wait4(request["reap"], 0)
            connection.sendall(LENGTH.pack(status) + LENGTH.pack(used.ru_maxrss))
            continue
        if request.get("warm_up"):
            number = import_what_it_imports(request, descriptors, command)
        else:
            number = fork_child(request, descriptors, command)
        connection.sendall(LENGTH.pack(number))
        for descriptor in descriptors:
            os.close(descriptor)


def read_exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise EOFError("the launcher's other end is gone")
        data += piece
    return data


def fork_child(request: dict[str, Any], descriptors: list[int], command: str) -> int:
    """Fork a child, and return its ID; it stays a zombie after its end until `reap`.

    As with a started command, its session and signals are set by then: the child's end of the pipe
    closes after them.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        run_child(request, descriptors, command)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    return child


def run_child(request: dict[str, Any], descriptors: list[int], command: str) -> NoReturn:
    """Set this process up like a started command, and run the entry point."""
    try:
        become(request, descriptors, command)
        from easyllm_cli.cli import main

        main()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(1)


def become(request: dict[str, Any], descriptors: list[int], command: str) -> None:
    """Set descriptors, session, signals, folder, environment and arguments of this process."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    if request["new_session"]:
        os.setsid()
    elif request["process_group"] >= 0:
        os.setpgid(0, request["process_group"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # tells `fork_child`, too
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update({**SET_BY_IMPORTS, **request["environment"]})
    if path := request["environment"].get("PYTHONPATH"):
        sys.path[1:1] = path.split(os.pathsep)
    sys.argv[:] = [command, *request["arguments"]]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        original = getattr(sys, name)
        stream = open(  # noqa: SIM115
            number, "w" if number else "r", buffering=1 if name == "stderr" else -1,
            encoding=original.encoding, errors=original.errors, newline="\n", closefd=False,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def import_what_it_imports(request: dict[str, Any], descriptors: list[int], command: str) -> int:
    """Run a child to its end, and import its modules here; return their number."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, descriptors[2])
        report_modules_at_exit()
        run_child(request, descriptors, command)
    os.close(writer)
    with open(reader, encoding="utf-8") as report:
        text = report.read()
    os.waitpid(child, 0)
    names = json.loads(text[text.index(REPORT) + len(REPORT) :])
    import_all(names)
    return len(names)


def import_all(names: Sequence[str]) -> None:
    """Import the modules, for all later children."""
    variables_before = dict(os.environ)
    gc.disable()  # all that an import makes is kept
    for name in names:
        import_module(name)
    SET_BY_IMPORTS.update(
        {name: value for name, value in os.environ.items() if name not in variables_before}
    )
    gc.freeze()
    gc.enable()


def report_modules_at_exit() -> None:
    """Write the names of all modules to stderr before os._exit, with which the command ends."""
    really_exit = os._exit

    def report_and_exit(status: int) -> NoReturn:
        names = [name for name, module in sys.modules.items() if getattr(module, "__spec__", None)]
        os.write(2, (REPORT + json.dumps(names)).encode())
        really_exit(status)

    os._exit = report_and_exit


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    command = sys.argv[2]
    sys.path[0] = str(Path(command).parent)  # as for the installed script
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test run only
    import_all(SLOW_MODULES)
    if sys.argv[3:] == ["packages"]:
        import_all([name for package, name in OPTIONAL_PACKAGES.items() if find_spec(package)])
    serve(connection, command)


if __name__ == "__main__":
    main()
