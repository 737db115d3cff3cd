"""Measures the peak memory of one run of the command, without the memory of this test run."""

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.adapters import Adapter
from tests.support.binary import (
    BINARY,
    INSTALLED,
    Easyllm,
    RunResult,
    single_profile_toml,
)
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

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


@cache
def usual_peak(adapter: Adapter) -> int:
    """Return the peak memory of a short good answer, in bytes, with which others are compared."""
    with (
        TemporaryDirectory() as folder,
        StandIn(script_handler(adapter.script("ok"))) as server,
    ):
        keys = {"model": adapter.model, "api": adapter.api, "transport": adapter.transport}
        profiles = single_profile_toml(server, adapter.provider, max_retries=0, **keys)
        ran, peak = run_with_peak_memory(Easyllm(Path(folder)), "stream", "hi", profiles=profiles)
    assert (ran.code, ran.stdout) == (0, b"ok\n"), ran.stderr
    return peak


def run_with_peak_memory(easyllm: Easyllm, *args: str, **more: Any) -> tuple[RunResult, int]:
    """Run as `Easyllm.run` does; return the result and the peak resident set in bytes.

    A forked child has the memory of the launcher from its start, a started one has less: only
    peaks of this function can be compared.
    """
    if sys.platform != "linux" or BINARY != INSTALLED:
        figure = Path(easyllm.home, "peak")
        command = [sys.executable, "-I", "-S", "-c", BETWEEN, str(figure), BINARY]
        ran = easyllm.run(*args, command=command, **more)
        return ran, int(figure.read_text())
    ran = easyllm.run(*args, **more)
    assert ran.peak, "it was started, so nobody has measured it"
    return ran, ran.peak
