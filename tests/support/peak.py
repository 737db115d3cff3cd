"""The most memory that one run of the command took, without what this test run itself takes."""

import sys
from pathlib import Path
from typing import Any

from tests.support.binary import BINARY, Easyllm, RunResult

# A child begins with its parent's own peak as its figure (Linux keeps it over exec), so a small
# process stands in between: it starts the command, and writes down what the system counted.
BETWEEN = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(child.pid, 0)
unit = 1 if sys.platform == "darwin" else 1024
open(sys.argv[1], "w").write(str(used.ru_maxrss * unit))
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


def run_with_peak_memory(easyllm: Easyllm, *args: str, **more: Any) -> tuple[RunResult, int]:
    """A whole run, as `Easyllm.run`, and the bytes of its largest resident set."""
    figure = Path(easyllm.home, "peak")
    command = [sys.executable, "-c", BETWEEN, str(figure), BINARY]
    ran = easyllm.run(*args, command=command, **more)
    return ran, int(figure.read_text())
