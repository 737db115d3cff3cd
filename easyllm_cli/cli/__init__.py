"""Entry point of `easyllm`: runs --version, shell completion or the Typer app, then exits."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # few imports up here: Ctrl-C during one would print a traceback
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run `easyllm` and end the process with one of errors.EXIT_CODES."""
    try:
        fill_closed_descriptors()
        # Imports leave no garbage; collecting costs 5 % of a short answer's CPU time.
        gc.disable()
        try:
            code = run_command_line(sys.argv[1:])
        except OSError as error:  # e.g. --version with stdout on a full disk
            code = exit_code_from_os_error(error)
        exit_process(code)
    except KeyboardInterrupt:  # during imports or exit, or a second Ctrl-C
        os._exit(130)


def run_command_line(arguments: list[str]) -> int:
    """Run one command line and return the exit code; user errors never raise."""
    if arguments == ["--version"]:  # without importing typer, which is slow
        from .._version import __version__

        print(f"easyllm {__version__}")
        return 0
    if "_EASYLLM_COMPLETE" in os.environ:
        from .completion import complete

        return complete(os.environ["_EASYLLM_COMPLETE"])
    if arguments in ([], ["-h"]):
        from .front_page import print_front_page

        return print_front_page(asked=bool(arguments))
    from .app import run_app

    return run_app(arguments)


def collect_garbage_again() -> None:
    """Enable garbage collection again; objects from start-up are exempt."""
    gc.freeze()
    gc.enable()


def exit_process(code: int) -> NoReturn:
    """Flush stdout and stderr and end the process at once.

    A normal interpreter shutdown costs 35 ms of CPU time, as much as a bare Python script, and
    would wait for a name lookup that Ctrl-C left in a thread.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            if stream is sys.stdout:
                code = code or exit_code_from_os_error(error)
    os._exit(code)


def exit_code_from_os_error(error: OSError) -> int:
    """The exit code if stdout cannot be written: 141 for a broken pipe, else 8."""
    return 141 if isinstance(error, BrokenPipeError) else 8


def fill_closed_descriptors() -> None:
    """Open /dev/null on each closed standard descriptor.

    Otherwise, with `<&-` or `>&-`, the first file opened would become stdin or stdout.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Read-only for all three: writing to a closed stdout must fail (exit code 8).
            os.open(os.devnull, os.O_RDONLY)
    # Python sets a stream to None if its descriptor was closed at start.
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
