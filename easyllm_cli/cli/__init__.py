"""How it is asked: the `easyllm` command, and how every ending becomes one line and a code."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The entry point of `easyllm`; ends the process with one of errors.EXIT_CODES."""
    fill_closed_descriptors()
    if sys.argv[1:] == ["--version"]:  # answered before typer is imported (DESIGN §7)
        from .. import __version__

        print(f"easyllm {__version__}")
        sys.exit(0)
    from .app import run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def fill_closed_descriptors() -> None:
    """With `<&-` or `>&-` the first file opened would become stdin or stdout (SPIKES e)."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
