"""How it is asked: the `easyllm` command, and how every ending becomes one line and a code."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # Ctrl-C in an import up here would print a traceback: the fewer, the better
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """The entry point of `easyllm`; ends the process with one of errors.EXIT_CODES."""
    try:
        fill_closed_descriptors()
        # Nothing that is imported is garbage: looking for some costs 5 % of a short answer.
        gc.disable()
        try:
            code = run_command_line(sys.argv[1:])
        except OSError as error:  # --version into a full disk
            code = exit_code_from_os_error(error)
        exit_process(code)
    except KeyboardInterrupt:  # while still importing, while leaving, or the second one
        os._exit(130)


def run_command_line(arguments: list[str]) -> int:
    """Run one command line; gives the exit code. Never raises for what a user can cause."""
    if arguments == ["--version"]:  # answered before typer is imported (DESIGN §7)
        from .._version import __version__

        print(f"easyllm {__version__}")
        return 0
    if "_EASYLLM_COMPLETE" in os.environ:
        from .completion import complete

        return complete(os.environ["_EASYLLM_COMPLETE"])
    from .app import run_app

    return run_app(arguments)


def collect_garbage_again() -> None:
    """From here on memory is looked after, but for what start-up has left."""
    gc.freeze()
    gc.enable()


def exit_process(code: int) -> NoReturn:
    """End the process at once, with everything written.

    Taking the interpreter down piece by piece costs 35 ms of CPU, as much as a bare Python
    script, and would wait for a name lookup in a thread after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if stream is sys.stdout:
                code = code or exit_code_from_os_error(error)
    os._exit(code)


def exit_code_from_os_error(error: OSError) -> int:
    """The exit code when our own output cannot be written: a broken pipe, or anything else."""
    return 141 if isinstance(error, BrokenPipeError) else 8


def fill_closed_descriptors() -> None:
    """With `<&-` or `>&-` the first file opened would become stdin or stdout (SPIKES e)."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # For reading, all three: an answer written to a closed stdout must fail (8).
            os.open(os.devnull, os.O_RDONLY)
    # Python has no object at all for a stream that was closed when it started.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
