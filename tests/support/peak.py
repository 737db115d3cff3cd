"""Measures the peak memory of one run of the command, without the memory of this test run."""

import sys
from pathlib import Path
from typing import Any

from tests.support.binary import BINARY, Easyllm, RunResult

# A child starts with its parent's peak (Linux keeps it over exec). So a small process in between
# starts the command, and writes the figure that the system counted to a file.
BETWEEN = """
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
unit = 1 if sys.platform == "darwin" else 1024
open(sys.argv[1], "w").write(str(used.ru_maxrss * unit))
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


def run_with_peak_memory(easyllm: Easyllm, *args: str, **more: Any) -> tuple[RunResult, int]:
    """Run as `Easyllm.run` does; return the result and the peak resident set in bytes."""
    figure = Path(easyllm.home, "peak")
    command = [sys.executable, "-I", "-S", "-c", BETWEEN, str(figure), BINARY]
    ran = easyllm.run(*args, command=command, **more)
    return ran, int(figure.read_text())
